"""A rule that changes judges what is stored; nothing is rebuilt."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from contracts.model import Read, Rule
from tests.pipelines.engine.small_lake import D1, D2, PUBLISHED_LOTS, SmallLake, settled

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def rule(sql: str, since: date = date(1990, 1, 1)) -> Rule:
    """A new rule on orders."""
    return Rule(
        id="order.new",
        kind="expression",
        description="New.",
        dimension="consistency",
        severity="error",
        sql=sql,
        unit=("trade_date", "pair_id"),
        effective_from=since,
    )


def test_a_new_rule_judges_stored_files(spark: SparkSession, lake: SmallLake) -> None:
    """DESIGN, stale: from its date a rule judges again; failing, the interval stays, flagged."""
    before = (lake.hashes(), lake.versions())
    kept = lake.with_rule("silver.order", rule("price < 11", date(2026, 1, 6)))
    assert kept.planned() == {f"silver.order {D2}": ("judge_again", {"rules"})}
    kept.run()
    assert kept.states()[f"silver.order {D2}"] == "published"

    strict = lake.with_rule("silver.order", rule("price < 11"))
    assert strict.planned() == {f"silver.order {d}": ("judge_again", {"rules"}) for d in (D1, D2)}
    strict.run()
    states = strict.states()
    assert states[f"silver.order {D1}"] == "flagged"
    assert states[f"silver.order {D2}"] == "published"
    failed = [r.rule_id for r in strict.results("silver.order", D1) if r.outcome == "failed"]
    assert "order.new" in failed
    assert any("order.new" in r for r in strict.state("silver.order", D1).reasons)
    assert strict.run().idle, "the same rules judge once"
    assert (lake.hashes(), lake.versions()) == before, "nothing was rebuilt, no row moved"
    incomplete = strict.state("gold.order_day", D1).incomplete_because
    assert any("failed a later judgement" in r for r in incomplete), (
        "invariant 13: consumers say so"
    )

    mended = lake.with_rule("silver.order", rule("price < 12"))
    mended.run()
    row = mended.state("silver.order", D1)
    assert (row.state, row.quarantined) == ("quarantine", 10), "freed by the rule that was mended"
    assert len(mended.aside()) == 10, "the evidence of the batch that is published still counts"


def test_totals_of_what_was_delivered_count_what_is_in_quarantine(
    spark: SparkSession, lake: SmallLake
) -> None:
    """Invariant 2: judging again, the built batch is what is stored and what was put aside."""
    # Another total of the same lots: the rule's input changed, what was delivered still ties.
    lots = settled(D1)[0][2]
    lake.deliver("settle", D1, [("c1", 0, lots - 5, lots - 5, "20260105"),
                                ("c2", 0, 5, 5, "20260105")], sequence=2)  # fmt: skip
    assert lake.planned()[f"silver.order {D1}"][0] == "may_run"
    lake.run("silver.settle", "silver.order")
    row = lake.state("silver.order", D1)
    assert row.state == "quarantine", row.reasons
    totals = {r.rule_id: r for r in lake.results("silver.order", D1)}
    assert totals["order.lots.settled"].outcome == "passed"
    assert totals["order.row_count"].actual == "14"
    assert float(totals["order.lots.published"].actual or 0) == PUBLISHED_LOTS
    # A total that nothing delivered ties with flags it.
    lake.deliver("settle", D1, settled(D1, PUBLISHED_LOTS), sequence=3)
    lake.run("silver.settle", "silver.order")
    assert lake.states()[f"silver.order {D1}"] == "flagged"


def test_reads_of_a_new_rule_are_inputs_of_the_judgement(
    spark: SparkSession, lake: SmallLake
) -> None:
    """Invariant 4: a rule's inputs are part of the graph."""
    reading = Rule(
        id="order.new",
        kind="rows",
        description="New.",
        dimension="consistency",
        severity="warning",
        sql="SELECT b.trade_date, b.order_id FROM batch b JOIN silver_settle s"
        " ON s.trade_date = b.trade_date AND s.client_id = b.client_id WHERE b.lots > s.lots",
        reads=(Read(product="silver.settle"),),
        effective_from=date(2026, 1, 6),
    )
    other = lake.with_rule("silver.order", reading)
    other.run()
    row = other.state("silver.order", D2)
    assert row.state == "published"
    assert ("silver.settle", D2) in {(p.product, p.at) for p in row.rule_inputs}
