"""Runs: what they do again (nothing), what a correction moves, what a block holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from pipelines.engine.ledgers import RUN
from tests.pipelines.engine.small_lake import D1, D2, DELIVERED_LOTS, SmallLake, orders, settled

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_running_again_changes_nothing(spark: SparkSession, lake: SmallLake) -> None:
    """Invariant 3: a second run is idle; a forced one builds all, commits nothing, moves no row."""
    before = (lake.hashes(), lake.versions(), lake.ledger(), lake.aside())
    ledgers = len(lake.lake.ledgers.read(RUN))
    assert lake.run().idle
    assert len(lake.lake.ledgers.read(RUN)) == ledgers, "a run that did nothing leaves no trace"
    forced = lake.run(force=True)
    assert {(v.product, v.interval) for v in forced.verdicts} == {
        (p, i) for p, records in lake.lake.state().records.items() for i in records
    }, "every interval, the day that reads the day before included"
    assert all(o.version is None for o in forced.outcomes)
    assert (lake.hashes(), lake.versions(), lake.ledger(), lake.aside()) == before
    assert lake.run().idle


def test_how_it_is_built_moves_nothing(
    spark: SparkSession, built: SmallLake, tmp_path: Path
) -> None:
    """Invariant 3: built one by one, judged on Spark with keys by DuckDB: rows and states stay."""
    ways = {"parallel_products": 1, "expectations_engine": "spark"}
    other = replace(SmallLake.at(tmp_path / "lake"), settings=ways).deliver_days(D1, D2)
    other.run()
    assert other.hashes() == built.hashes()
    assert other.states() == built.states()
    assert len(other.aside()) == len(built.aside()) > 0


def test_a_correction_moves_exactly_what_is_downstream(
    spark: SparkSession, lake: SmallLake
) -> None:
    """Invariant 4: ``plan`` names what a corrected delivery makes stale before ``run`` does it."""
    versions = lake.versions()
    # Two rows in quarantine are told otherwise: what is published stays as it is.
    lake.deliver("order", D1, [r for r in orders(D1, o03="-2.00") if r[0] == "o03"], sequence=2,
                 mode="correction")  # fmt: skip
    plan = lake.planned()
    assert plan == {
        f"silver.order {D1}": ("will_run", {"input"}),
        f"gold.order_day {D1}": ("may_run", {"upstream"}),
    }
    ran = {f"{v.product} {v.interval}" for v in lake.run().verdicts}
    assert ran == {f"silver.order {D1}"}, "rebuilt to the same content: its consumer stays fresh"
    # Now the row is right: the pair is published and the mart follows.
    lake.deliver("order", D1, [r for r in orders(D1, o03="10.00") if r[0] == "o03"], sequence=3,
                 mode="correction")  # fmt: skip
    assert set(lake.planned()) == set(plan)
    ran = {f"{v.product} {v.interval}" for v in lake.run().verdicts}
    assert ran == set(plan)
    assert lake.ids() == ("o01", "o02", "o03", "o04", "o07", "o08")
    assert lake.planned() == {}
    moved = {t for t, v in lake.versions().items() if v != versions.get(t)}
    assert moved == {"bronze/order", "silver/order", "gold/order_day", "quarantine/silver_order"}


def test_a_dimension_moves_only_the_dates_it_changed(spark: SparkSession, lake: SmallLake) -> None:
    """Invariant 4: a change of a client from a day on leaves the days before it fresh."""
    lake.deliver("client", "2026-01-07", [("c1", 3, "U", D2.replace("-", ""))])
    assert set(lake.planned()) == {
        "silver.client all", f"silver.order {D1}", f"silver.order {D2}",
        f"gold.order_day {D1}", f"gold.order_day {D2}",
    }  # fmt: skip
    ran = {f"{v.product} {v.interval}" for v in lake.run("silver.client", "silver.order").verdicts}
    assert ran == {"silver.client all", f"silver.order {D2}"}
    assert [r["level"] for r in lake.rows("silver.order", D2)] == [3, 2]


def test_a_block_holds_and_a_correction_frees(spark: SparkSession, lake: SmallLake) -> None:
    """Invariant 13: a blocked interval keeps what was published, holds the rest, and heals."""
    before = (lake.rows("silver.order", D2), lake.rows("gold.order_day", D2))
    lake.deliver("order", D1, [r for r in orders(D1, o03="10.00") if r[0] == "o03"], sequence=2,
                 mode="correction")  # fmt: skip
    doubled = [*orders(D2), ("o03", "p1", "c1", "B", "-1.00", 90, f"{D2} 09:00:00", "", "20260106")]
    lake.deliver("order", D2, doubled, sequence=2)
    summary = lake.run()
    states = lake.states()
    assert states[f"silver.order {D2}"] == "blocked"
    assert states[f"gold.order_day {D2}"] == "held"
    held = lake.state("gold.order_day", D2)
    assert held.waiting_on == f"silver.order {D2}"
    assert [(p, h.waiting_on) for p, h in summary.held] == [("gold.order_day", held.waiting_on)]
    reasons = lake.state("silver.order", D2).reasons
    assert any("order.lots.settled (critical)" in r for r in reasons), reasons
    assert (lake.rows("silver.order", D2), lake.rows("gold.order_day", D2)) == before
    assert lake.ids(D1) == ("o01", "o02", "o03", "o04", "o07", "o08"), "the other day is published"
    assert len(lake.aside()) == 8
    evidence = lake.aside(interval=D2)
    assert sorted((r["state"], r["row_number"]) for r in evidence) == [
        ("blocked", 1), ("blocked", 2), ("blocked", 3)
    ], "the bad row and its pair"  # fmt: skip
    assert lake.run().idle, "nothing changed, nothing is tried again"
    lake.deliver("order", D2, orders(D2), sequence=3)
    freed = lake.run()
    assert {f"{v.product} {v.interval}" for v in freed.verdicts} >= {f"silver.order {D2}"}
    states = lake.states()
    assert states[f"silver.order {D2}"] == states[f"gold.order_day {D2}"] == "published"
    assert (lake.rows("silver.order", D2), lake.rows("gold.order_day", D2)) == before
    assert lake.planned() == {}


def test_a_broken_chain_of_days_is_mended_from_its_root(
    spark: SparkSession, lake: SmallLake
) -> None:
    """Invariant 4: what a day hands on is judged again the day after, oldest first."""
    lake.deliver("settle", D1, settled(D1, DELIVERED_LOTS, carried=7), sequence=2)
    assert lake.planned()[f"settle {D1}".join(["silver.", ""])] == ("will_run", {"input"})
    lake.run("silver.settle")
    states = lake.states()
    assert states[f"silver.settle {D1}"] == "published"
    assert states[f"silver.settle {D2}"] == "flagged", "it carried over what is no longer there"
    lake.deliver("settle", D2, settled(D2, carried=7), sequence=2)
    lake.run("silver.settle")
    assert lake.states()[f"silver.settle {D2}"] == "published"


def test_a_withdrawn_interval_is_empty_and_says_so(spark: SparkSession, lake: SmallLake) -> None:
    """Invariant 13: a day whose orders were all withdrawn does not look complete."""
    lake.deliver("settle", D2, settled(D2, 0), sequence=2)
    lake.deliver("order", D2, [], sequence=2, mode="withdrawal")
    lake.run()
    assert lake.ids(D2) == ()
    assert lake.rows("gold.order_day", D2) == []
    for product in ("silver.order", "gold.order_day"):
        assert "withdrawn" in " ".join(lake.state(product, D2).incomplete_because)
    lake.run("silver.order", force=True, dates=(date(2026, 1, 6), date(2026, 1, 6)))
    assert lake.ids(D2) == ()
