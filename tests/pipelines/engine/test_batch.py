"""One batch: what is accepted, what is put aside and why, and what stewards decided."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.model import Rule
from pipelines.engine.held_errors import LostRowsError
from pipelines.engine.rows import DecisionRow
from quality.measure import failing_by_interval
from tests.pipelines.engine.small_lake import ALL, CLEAN, D1, D2, DIRTY, SmallLake, orders

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
COLUMNS = ("order_id", "pair_id", "client_id", "side", "price", "lots", "entered_at", "memo",
           "trade_date")  # fmt: skip


def test_accepted_and_quarantined_are_the_built_batch(built: SmallLake) -> None:
    """Invariant 2: row for row and disjoint; units move together; a warning moves nothing."""
    row = built.state("silver.order", D1)
    assert (row.state, row.built, row.accepted, row.quarantined) == ("quarantine", 14, 4, 10)
    lines = [r["_row_number"] for r in built.rows("silver.order", D1)]
    aside = built.aside()
    moved = [r["row_number"] for r in aside]
    assert sorted([*lines, *moved]) == list(range(1, 15)), "every delivered line, each once"
    assert built.ids() == CLEAN, "two of them broke a warning and stay"
    broken = {(json.loads(r["row"])["order_id"], r["row_number"]): r["rules"] for r in aside}
    for (order, line), rules in broken.items():
        expected = ["unit:order.key.unique"] if (order, line) == ("o11", 11) else DIRTY[order]
        assert json.loads(rules) == expected, (order, line)


def test_quarantined_rows_are_kept_whole(built: SmallLake) -> None:
    """Invariant 2: a rejected row carries its delivery, its line and itself as delivered."""
    for row in built.aside():
        delivered = orders(D1)[row["row_number"] - 1]
        as_text = {c: str(v) for c, v in zip(COLUMNS, delivered, strict=True)}
        assert json.loads(row["original"]) == as_text
        assert row["delivery_id"].startswith("order-20260105-001-")
        assert row["state"] == "quarantined"
        kept = json.loads(row["row"])
        assert kept["order_id"] == as_text["order_id"]
        assert "price" in kept, "what is null is told as null"
    assert built.aside(interval=D2) == []


def test_every_rule_leaves_one_result_per_interval(built: SmallLake) -> None:
    """Invariants 5 and 6: passes and declared outcomes too, with fingerprint and input versions."""
    for product in ALL:
        rules = {r.id: r.fingerprint for r in built.catalogue[product].rules}
        for interval, record in built.lake.state().records[product].items():
            results = built.results(product, interval)
            assert Counter(r.rule_id for r in results) == Counter(list(rules))
            for r in results:
                assert r.rule_fingerprint == rules[r.rule_id]
                assert r.contract_version == "1.0.0"
                assert r.inputs == (*record.latest.inputs, *record.latest.rule_inputs)
                assert r.gx_failing == r.failing or r.kind in ("row_count", "reconcile")
    failed = {r.rule_id: r.failing for r in built.results("silver.order", D1) if r.failing}
    assert failed == {
        "order.price.range": 1, "order.client.known": 1, "order.parsed": 1,
        "order.price.not_null": 1, "order.key.unique": 1, "order.pair.both": 1,
        "order.memo.said": 1, "order.lots.range": 2, "order.lots.published": 1,
    }  # fmt: skip
    aside = [rule for r in built.aside() for rule in json.loads(r["rules"])]
    own = Counter(rule for rule in aside if not rule.startswith("unit:"))
    moving = {k: v for k, v in failed.items() if k not in
              ("order.memo.said", "order.lots.range", "order.lots.published")}  # fmt: skip
    assert own == moving


def test_the_staged_fallback_ends_in_the_same_lake(
    spark: SparkSession, built: SmallLake, tmp_path: Path
) -> None:
    """Invariant 3: both ways of holding a commit publish and put aside the same rows."""
    other = SmallLake.at(tmp_path / "lake", commit="staged").deliver_days(D1, D2)
    other.run()
    assert other.hashes() == built.hashes()
    assert other.ledger() == built.ledger()
    assert not list((other.home / "spark").rglob("*.parquet")), "nothing is left in staging"


def test_another_count_in_the_files_than_the_write_saw_publishes_nothing_of_the_batch(
    lake: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 2: failing rows of several intervals are told apart whole, or the batch breaks."""
    before = lake.rows("silver.order", D1), lake.rows("silver.order", D2)
    version = lake.lake.settings.table("silver.order").version()
    told: list[set[str]] = []

    def losing(*given: Any) -> dict[str, dict[str, int]]:
        found = failing_by_interval(*given)
        told.append(set(found))
        first = next(r for r, n in found[D1].items() if n)
        found[D1][first] -= 1
        return found

    monkeypatch.setattr("pipelines.engine.batch.failing_by_interval", losing)
    with pytest.raises(LostRowsError, match=r"rows failing order\."):
        lake.run("silver.order", force=True)
    assert told == [{D1, D2}]
    assert (lake.rows("silver.order", D1), lake.rows("silver.order", D2)) == before
    assert lake.lake.settings.table("silver.order").version() == version
    monkeypatch.undo()
    lake.run("silver.order")
    assert lake.state("silver.order", D1).state == "quarantine", "run again, as the error says"


def decision(id_: str, kind: str, **terms: Any) -> DecisionRow:
    """A decision of one steward, seconded by another, on the first day's orders."""
    return DecisionRow(
        decision_id=id_,
        kind=kind,  # type: ignore[arg-type]  # tests give the literal
        product="silver.order",
        reason="because",
        decided_by="bo",
        decided_at=datetime(2026, 1, 6, tzinfo=UTC),
        **{"interval": D1, "approved_by": "cy", **terms},
    )


def test_decisions_survive_every_run(lake: SmallLake) -> None:
    """Invariant 6: waiver, release, rejection and patch are applied again by every later run."""
    aside = {json.loads(r["row"])["order_id"]: r for r in lake.aside()}
    delivery = aside["o03"]["delivery_id"]

    def at(line: int) -> dict[str, Any]:
        return {"delivery_id": delivery, "row_number": line}

    lake.decide(
        decision("w1", "waiver", rule_id="order.price.range", expires_on=date(2026, 1, 5)),
        decision("w2", "waiver", rule_id="order.pair.both"),  # no expiry: it does not count
        decision("w3", "waiver", rule_id="order.key.unique", expires_on=date(2026, 1, 5),
                 approved_by="bo"),
        decision("r1", "release", rule_id="order.client.known", **at(5)),
        decision("x1", "rejection", **at(1)),
        decision("p1", "patch", column="price", value="9.00", **at(9)),
    )  # fmt: skip
    assert lake.planned()["silver.order 2026-01-05"] == ("will_run", {"decision"})
    assert f"silver.order {D2}" not in lake.planned()
    lake.run("silver.order")
    waived, released, patched = ["o03", "o04"], ["o05", "o06"], ["o09", "o10"]
    expected = tuple(sorted([*waived, *released, *patched, "o07", "o08"]))
    assert lake.ids() == expected
    row = lake.state("silver.order", D1)
    assert (row.built, row.accepted, row.quarantined) == (14, 8, 6)
    now = {(json.loads(r["row"])["order_id"]): json.loads(r["rules"]) for r in lake.aside()}
    assert now["o01"] == ["decision:x1"]
    assert now["o02"] == ["order.memo.said", "unit:decision:x1"], "its pair is rejected with it"
    assert set(now) == {"o01", "o02", "o11", "o12", "o13"}
    (price,) = [r["price"] for r in lake.rows("silver.order", D1) if r["order_id"] == "o09"]
    assert str(price) == "9.0000"
    by_rule = {r.rule_id: r for r in lake.results("silver.order", D1)}
    assert by_rule["order.price.range"].decision_id == "w1"
    before = (lake.hashes(), lake.versions())
    lake.run("silver.order", force=True, dates=(date(2026, 1, 5), date(2026, 1, 5)))
    assert (lake.hashes(), lake.versions()) == before
    assert lake.ids() == expected
    # Judged again by another rule, what was waived and released is still what stewards decided.
    other = Rule(
        id="order.new", kind="range", description="New.", dimension="validity",
        severity="error", columns=("price",), max="100",
    )  # fmt: skip
    ruled = lake.with_rule("silver.order", other)
    ruled.run("silver.order")
    row = ruled.state("silver.order", D1)
    assert (row.state, row.quarantined) == ("quarantine", 6), row.reasons
    assert ruled.ids() == expected
