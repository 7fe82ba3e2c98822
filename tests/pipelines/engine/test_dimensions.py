"""The chains of dimensions against a model that can be checked by reading it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

DAY0 = date(2026, 1, 5)
CHANGES = (
    "k string, attr string, change_type string, valid_from date, _interval date, "
    "_sequence int, _row_number bigint, _delivery_id string, _unparsed string"
)


@dataclass(frozen=True)
class Change:
    """One delivered change; dates are day numbers."""

    kind: str
    start: int
    known: int
    sequence: int
    attr: str | None


def day(number: int) -> date:
    return DAY0 + timedelta(days=number)


def state_known_at(changes: list[Change], known: int) -> dict[int, Change]:
    """What is believed at one known date: the last told change of each start date."""
    believed: dict[int, Change] = {}
    order = sorted(enumerate(changes), key=lambda item: (item[1].known, item[1].sequence, item[0]))
    for _, change in order:
        if change.known <= known:
            believed[change.start] = change
    return believed


def view(changes: list[Change], known: int, business: int) -> str | bool | None:
    """The attribute valid on a business date as known at a date; False: no version."""
    believed = state_known_at(changes, known)
    starts = [start for start in believed if start <= business]
    if not starts:
        return False
    last = believed[max(starts)]
    return False if last.kind == "D" else last.attr


def rows_of(key: str, changes: list[Change]) -> list[tuple[Any, ...]]:
    return [
        (key, c.attr, c.kind, day(c.start), day(c.known), c.sequence, n, "d", None)
        for n, c in enumerate(changes)
    ]


def build(spark: SparkSession, rows: list[tuple[Any, ...]], usable: str = "true") -> DataFrame:
    from pipelines.engine.dimensions import chains

    frame = spark.createDataFrame(rows, CHANGES)
    return chains(frame, key=["k"], attributes=["attr"], usable=usable)


change = st.builds(
    Change,
    kind=st.sampled_from("AUUUD"),
    start=st.integers(0, 6),
    known=st.integers(0, 5),
    sequence=st.integers(1, 2),
    attr=st.sampled_from(["x", "y", None]),
)


def generated_histories(count: int) -> list[list[Change]]:
    """``count`` generated histories, so that one Spark call can judge them all."""
    found: list[list[Change]] = []

    @seed(20260105)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(change, min_size=1, max_size=7))
    def collect(history: list[Change]) -> None:
        found.append(history)

    collect()
    return found


def test_chains_agree_with_the_naive_model(spark: SparkSession) -> None:
    """Promise: every (known date, business date) reads exactly what the changes say, once."""
    histories = generated_histories(300)
    rows = [row for n, h in enumerate(histories) for row in rows_of(f"k{n}", h)]
    built: dict[str, list[Any]] = {f"k{n}": [] for n in range(len(histories))}
    for row in build(spark, rows).collect():
        built[row["k"]].append(row)
    for n, history in enumerate(histories):
        versions = built[f"k{n}"]
        for known in range(7):
            for business in range(8):
                at, on = day(known), day(business)
                hits = [
                    v["attr"]
                    for v in versions
                    if v["valid_from"] <= on
                    and (v["valid_to"] is None or on < v["valid_to"])
                    and v["known_from"] <= at
                    and (v["known_to"] is None or at < v["known_to"])
                ]
                expected = view(history, known, business)
                assert hits == ([] if expected is False else [expected]), (history, known, business)
        keys = [(v["valid_from"], v["known_from"]) for v in versions]
        assert len(keys) == len(set(keys))
        open_now = [v for v in versions if v["is_current"]]
        assert len(open_now) <= 1
        assert all(v["valid_to"] is None and v["known_to"] is None for v in open_now)


def test_changed_range_is_exactly_the_dates_that_read_differently(spark: SparkSession) -> None:
    """Promise: a change makes stale the dates it changes and no others."""
    from pipelines.engine.dimensions import changed_range

    base = [Change("A", 0, 0, 1, "x"), Change("U", 4, 1, 1, "y")]
    cases: dict[str, tuple[Change, tuple[int, int | None] | None]] = {
        "closing the open row": (Change("U", 6, 2, 1, "z"), (6, None)),
        "late, between two versions": (Change("U", 2, 2, 1, "z"), (2, 4)),
        "restated": (Change("U", 4, 2, 1, "y"), None),
        "same attributes from later": (Change("U", 6, 2, 1, "y"), None),
        "deletion": (Change("D", 5, 2, 1, None), (5, None)),
        "corrected start": (Change("U", 3, 2, 1, "y"), (3, 4)),
    }
    changes = [row for name, (later, _) in cases.items() for row in rows_of(name, [*base, later])]
    built = build(spark, [*changes, *rows_of("before", base)])
    schema, rows = built.schema, built.collect()

    def state(key: str) -> DataFrame:
        chain = [("k", *row[1:]) for row in rows if row["k"] == key]
        return spark.createDataFrame(chain, schema)

    for name, (_, expected) in cases.items():
        got = changed_range(state("before"), state(name), key=["k"], attributes=["attr"])
        want = expected and (day(expected[0]), None if expected[1] is None else day(expected[1]))
        assert (got and (got.first, got.until)) == want, name


def test_an_unusable_change_enters_no_chain(spark: SparkSession) -> None:
    """Promise: a bad change is returned for quarantine and the version before it continues."""
    rows = rows_of("k", [Change("A", 0, 0, 1, "x"), Change("U", 2, 1, 1, "bad")])
    rows.append(("k", "y", "?", day(3), day(2), 1, 0, "d", None))
    rows.append((None, "y", "A", None, day(2), 1, 1, "d", "valid_from"))
    built = build(spark, rows, usable="attr <> 'bad'").collect()
    chain = [v for v in built if v["known_to"] is None]
    alone = [v for v in built if v["known_to"] is not None]
    assert [(v["attr"], v["valid_from"], v["valid_to"]) for v in chain] == [("x", day(0), None)]
    assert sorted(v["attr"] for v in alone) == ["bad", "y", "y"]
    assert all(v["known_from"] == v["known_to"] and not v["is_current"] for v in alone)


def test_same_day_correction_keeps_only_the_last(spark: SparkSession) -> None:
    """Promise: a change corrected on its own day leaves no trace in the chain."""
    rows = rows_of("k", [Change("A", 0, 0, 2, "right"), Change("A", 0, 0, 1, "wrong")])
    assert [v["attr"] for v in build(spark, rows).collect()] == ["right"]
