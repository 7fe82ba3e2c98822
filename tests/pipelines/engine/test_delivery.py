"""Deliveries: strict manifests, and which deliveries count."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.engine.delivery import Delivery, Manifest, effective, from_manifest, refuse
from tests.pipelines.engine.planning import delivered

GOOD = {
    "manifest_version": 1, "system": "trading", "dataset": "order_event",
    "interval": "2026-01-05", "mode": "full", "part": None, "parts": None, "sequence": 1,
    "file": "order_event_20260105.csv.gz", "rows": 3, "bytes": 120, "sha256": "a" * 64,
    "encoding": "utf-8", "generated_at": "2026-01-05T16:10:00+08:00",
}  # fmt: skip
DAY = "2026-01-05"


def test_manifest_becomes_a_delivery_record() -> None:
    """The same delivery has the same id wherever and whenever it lands."""
    manifest = Manifest.model_validate(GOOD)
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    record = from_manifest(manifest, received_at=now, path="p", format="csv")
    assert record.delivery_id == "order_event-20260105-001-aaaaaaaaaaaa"
    assert record.generated_at == datetime(2026, 1, 5, 8, 10, tzinfo=UTC)
    assert refuse(record, "checksum", "no").delivery_id == record.delivery_id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("manifest_version", 2), ("dataset", "../x"), ("interval", "20260105"),
        ("interval", "2026-02-30"), ("mode", "partial"), ("part", 1), ("sequence", 0),
        ("sequence", "1"), ("file", "../a.csv"), ("file", "a/b.csv"), ("rows", -1),
        ("rows", 1.5), ("sha256", "A" * 64), ("generated_at", "2026-01-05T16:10:00"),
        ("surprise", 1),
    ],
)  # fmt: skip
def test_manifest_is_strict(key: str, value: object) -> None:
    """A manifest with a wrong type, an unknown key or a path that escapes is refused."""
    with pytest.raises(ValidationError):
        Manifest.model_validate({**GOOD, key: value})


def test_parts_name_their_number() -> None:
    """A part outside of its declared parts is refused."""
    Manifest.model_validate({**GOOD, "mode": "part", "part": 2, "parts": 2})
    with pytest.raises(ValidationError):
        Manifest.model_validate({**GOOD, "mode": "part", "part": 3, "parts": 2})


def test_a_full_delivery_starts_again_and_corrections_lie_over_it() -> None:
    """Corrections replace by key, in order of sequence, on the newest full delivery only."""
    found = effective(
        [
            delivered("trade", DAY, "old", sequence=1),
            delivered("trade", DAY, "old fix", sequence=2, mode="correction"),
            delivered("trade", DAY, "new", sequence=3),
            delivered("trade", DAY, "fix", sequence=4, mode="correction"),
            delivered("trade", DAY, "gone", sequence=5, mode="withdrawal", rows=2),
        ]
    )
    assert [(s.sequence, s.action) for s in found.steps] == [
        (3, "rows"), (4, "overlay"), (5, "withdraw"),
    ]  # fmt: skip
    assert found.completeness == "complete"
    assert found.resolves_by_key


def test_parts_are_complete_when_all_are_there() -> None:
    """Parts without a known number, or with one missing, make a partial interval and say so."""
    one = delivered("trade", DAY, "1", sequence=1, mode="part", part=1, parts=2)
    two = delivered("trade", DAY, "2", sequence=2, mode="part", part=2, parts=2)
    assert effective([one]).reasons == ("part 2 of 2 has not arrived",)
    assert effective([two, one]).completeness == "complete"
    again = delivered("trade", DAY, "2b", sequence=3, mode="part", part=2, parts=2)
    assert [s.sequence for s in effective([one, two, again]).steps] == [1, 3]
    unknown = delivered("trade", DAY, "x", mode="part")
    assert effective([unknown]).completeness == "partial"


def test_an_unnumbered_part_takes_the_place_of_its_name() -> None:
    """A file sent again under its name replaces itself and no other; the same bytes are no news."""
    first = delivered("tick", DAY, "a", sequence=1, mode="part", file="rb1910.csv")
    other = delivered("tick", DAY, "b", sequence=2, mode="part", file="rb2001.csv")
    better = delivered("tick", DAY, "c", sequence=3, mode="part", file="rb1910.csv")
    same = delivered("tick", DAY, "b", sequence=4, mode="part", file="rb2001.csv")
    found = effective([first, other, better, same])
    assert [s.sequence for s in found.steps] == [2, 3]
    assert found.fingerprint == effective([first, other, better]).fingerprint
    numbered = delivered("tick", DAY, "d", sequence=5, mode="part", part=1, file="rb1910.csv")
    assert [s.sequence for s in effective([first, other, better, numbered]).steps] == [2, 3, 5]


def test_what_is_missing_is_said() -> None:
    """A gap, a correction without its base and a full withdrawal are partial, never silent."""
    full = delivered("trade", DAY, "a")
    third = delivered("trade", DAY, "c", sequence=3, mode="correction")
    assert effective([full, third]).reasons == ("delivery 2 has not arrived",)
    refused = delivered("trade", DAY, "b", sequence=2, mode="correction", status="refused")
    assert effective([full, refused, third]).completeness == "complete"
    assert effective([third]).completeness == "partial"
    empty = delivered("trade", DAY, "w", sequence=2, mode="withdrawal", rows=0)
    nothing = effective([full, empty])
    assert nothing.steps == ()
    assert nothing.completeness == "partial"


def test_the_same_bytes_again_change_no_fingerprint() -> None:
    """A re-sent full delivery with equal content leaves everything downstream fresh."""
    first = delivered("trade", DAY, "a")
    again = delivered("trade", DAY, "a", sequence=2)
    assert effective([first]).fingerprint == effective([first, again]).fingerprint


MODES = st.sampled_from(["full", "part", "correction", "withdrawal"])
RUNS = st.lists(st.tuples(MODES, st.integers(0, 3), st.booleans()), min_size=1, max_size=8)


def _deliveries(run: list[tuple[str, int, bool]]) -> list[Delivery]:
    return [
        delivered(
            "trade", DAY, f"{number}{mode}", sequence=number, mode=mode, rows=rows,  # type: ignore[arg-type]  # sampled
            part=rows + 1 if mode == "part" else None, parts=4 if mode == "part" else None,
            status="refused" if refused else "landed",
        )
        for number, (mode, rows, refused) in enumerate(run, start=1)
    ]  # fmt: skip


@given(RUNS, st.randoms(use_true_random=False))
def test_order_of_arrival_never_matters(run: list[tuple[str, int, bool]], random: object) -> None:
    """Any order of landing, repeated landings included, ends in the same rows (invariant 3)."""
    deliveries = _deliveries(run)
    shuffled = [*deliveries, *deliveries[:2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a seeded Random
    assert effective(shuffled) == effective(deliveries)


@given(RUNS)
def test_only_what_landed_since_the_last_full_delivery_counts(
    run: list[tuple[str, int, bool]],
) -> None:
    """Refused and superseded deliveries contribute no step, and steps are in sequence."""
    deliveries = _deliveries(run)
    steps = effective(deliveries).steps
    landed = {d.delivery_id: d for d in deliveries if d.status == "landed"}
    assert all(s.delivery_id in landed for s in steps)
    numbers = [s.sequence for s in steps]
    assert numbers == sorted(set(numbers))
    resets = [
        d.sequence for d in landed.values()
        if d.mode == "full" or (d.mode == "withdrawal" and d.rows == 0)
    ]  # fmt: skip
    assert all(n >= max(resets, default=0) for n in numbers)
    parts = [s.part for s in steps if s.part is not None]
    assert len(parts) == len(set(parts))


NAMED = st.lists(
    st.tuples(
        st.sampled_from(["a.csv", "b.csv", "1", "2", "full", "nothing"]),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=10,
)


@given(NAMED)
def test_what_counts_is_the_last_of_each_part(run: list[tuple[str, int, bool]]) -> None:
    """A naive reader that keeps the last content under each name or number holds the same bytes.

    Digits stand for a part's number, whatever its file is called.
    """
    deliveries: list[Delivery] = [delivered("trade", DAY, "refused", status="refused")]
    kept: dict[str, str] = {}
    for sequence, (place, number, landed) in enumerate(run, start=2):
        content = f"content {number}"
        is_part = place not in ("full", "nothing")
        d = delivered(
            "trade", DAY, content, sequence=sequence,
            mode="part" if is_part else "full" if place == "full" else "withdrawal",
            part=int(place) if place.isdigit() else None, file=place if is_part else None,
            rows=0 if place == "nothing" else 1, status="landed" if landed else "refused",
        )  # fmt: skip
        deliveries.append(d)
        if landed:
            kept = kept if is_part else {}
            kept |= {} if place == "nothing" else {place: d.sha256}
    assert Counter(s.sha256 for s in effective(deliveries).steps) == Counter(kept.values())
