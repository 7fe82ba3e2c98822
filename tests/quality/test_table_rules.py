"""Rules an interval fails as a whole, with both figures and the keys behind the difference."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from quality_cases import column, contract, rule

from contracts.model import Read
from quality.outcome import RuleResult
from quality.table_rules import judge_freshness, judge_row_count, judge_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

D1, D2, D3 = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
INTERVALS = ("2026-01-05", "2026-01-06", "2026-01-07")
SQL = """
    SELECT coalesce(t.trade_date, s.trade_date) AS trade_date,
           coalesce(t.contract_id, s.contract_id) AS contract_id,
           s.turnover AS expected, t.turnover AS actual
    FROM (SELECT trade_date, contract_id, sum(turnover) AS turnover FROM batch
          GROUP BY trade_date, contract_id) t
    FULL JOIN silver_settlement s ON s.trade_date = t.trade_date AND s.contract_id = t.contract_id
"""
RULE = rule(
    "thing.sum",
    "reconcile",
    "critical",
    sql=SQL,
    tolerance_abs="0.01",
    reads=(Read(product="silver.settlement"),),
)
CONTRACT = contract(
    (
        column("trade_date", "date"),
        column("contract_id", "string"),
        column("turnover", "decimal(24,4)"),
    ),
    (RULE,),
    key=("trade_date", "contract_id"),
)


def rows(*triples: tuple[date, str, str | None]) -> pa.Table:
    return pa.table(
        {
            "trade_date": pa.array([t[0] for t in triples], pa.date32()),
            "contract_id": pa.array([t[1] for t in triples], pa.string()),
            "turnover": pa.array(
                [None if t[2] is None else Decimal(t[2]) for t in triples], pa.decimal128(24, 4)
            ),
        }
    )


BATCH = rows(
    (D1, "cu", "60.5"),
    (D1, "cu", "40"),
    (D1, "al", "7.01"),
    (D1, "zn", "1"),
    (D2, "cu", "5"),
    *[(D2, f"x{i:02}", str(i)) for i in range(30)],
)
OTHER = rows(
    (D1, "cu", "100.5"),
    (D1, "al", "7"),
    (D1, "au", "3"),
    (D2, "cu", "5"),
    *[(D2, f"x{i:02}", "0") for i in range(30)],
)


def check(found: dict[str, RuleResult]) -> None:
    one, two, three = (found[i] for i in INTERVALS)
    assert (one.outcome, one.failing, one.checked) == ("failed", 2, 4)
    assert (one.expected, one.actual, one.difference) == ("110.5", "108.51", "-1.99")
    assert json.loads(str(one.evidence)) == [
        {"key": {"contract_id": "au"}, "expected": "3", "actual": None, "difference": "-3"},
        {"key": {"contract_id": "zn"}, "expected": None, "actual": "1", "difference": "1"},
    ]
    assert (two.outcome, two.failing, two.checked, two.difference) == ("failed", 29, 31, "435")
    evidence = json.loads(str(two.evidence))
    assert [e["key"]["contract_id"] for e in evidence] == [f"x{i}" for i in range(29, 9, -1)]
    assert (three.outcome, three.message) == (
        "not_applicable",
        "nothing to compare on this interval",
    )


def test_both_totals_the_difference_and_the_worst_keys() -> None:
    """A failed reconciliation states what a steward needs, largest contribution first."""
    check(judge_table(RULE, CONTRACT, BATCH, {"silver.settlement": OTHER}, INTERVALS))


@pytest.mark.spark
def test_spark_answers_the_same(spark: SparkSession) -> None:
    """Large batches reconcile on Spark with the very same results."""
    schema = "trade_date date, contract_id string, turnover decimal(24,4)"
    frames = [
        spark.createDataFrame([tuple(r.values()) for r in t.to_pylist()], schema)
        for t in (BATCH, OTHER)
    ]
    views: dict[str, Any] = {"silver.settlement": frames[1]}
    check(judge_table(RULE, CONTRACT, frames[0], views, INTERVALS, spark=True))


def test_what_cannot_be_judged_is_declared_or_not_evaluated() -> None:
    """Not due and not yet effective are declared; broken SQL and lost inputs block."""
    views = {"silver.settlement": OTHER}
    later = RULE.model_copy(update={"effective_from": D2})
    found = judge_table(
        later,
        CONTRACT,
        BATCH,
        views,
        INTERVALS,
        declared={"2026-01-07": ("not_due", "published at 17:00")},
    )
    assert [found[i].outcome for i in INTERVALS] == ["not_applicable", "failed", "not_due"]
    for bad in ("SELECT 1 AS expected", "SELECT nothing FROM nowhere"):
        broken = RULE.model_copy(update={"sql": bad})
        found = judge_table(broken, CONTRACT, BATCH, views, INTERVALS)
        assert {r.outcome for r in found.values()} == {"not_evaluated"}
    found = judge_table(RULE, CONTRACT, BATCH, {}, INTERVALS)
    assert {r.outcome for r in found.values()} == {"not_evaluated"}


def test_row_counts_against_manifests() -> None:
    """Rows lost or gained fail with both numbers; no stated number: does not apply."""
    count = rule("thing.rows", "row_count", "critical")
    found = judge_row_count(
        count,
        CONTRACT,
        INTERVALS,
        {INTERVALS[0]: 10, INTERVALS[1]: 10},
        {INTERVALS[0]: 10, INTERVALS[1]: 9},
    )
    assert [found[i].outcome for i in INTERVALS] == ["passed", "failed", "not_applicable"]
    assert (found[INTERVALS[1]].difference, found[INTERVALS[1]].message) == (
        "-1",
        "10 rows stated, 9 found",
    )


def test_freshness_against_the_calendar() -> None:
    """On time, late, not yet due, missing: four different answers."""
    fresh = rule("thing.fresh", "freshness", "warning")
    due = {i: datetime(2026, 1, 5 + n, 9, tzinfo=UTC) for n, i in enumerate(INTERVALS)}
    arrived = {
        INTERVALS[0]: datetime(2026, 1, 5, 9, tzinfo=UTC),
        INTERVALS[1]: datetime(2026, 1, 6, 9, 30, 1, tzinfo=UTC),
    }
    early, late = datetime(2026, 1, 7, 8, tzinfo=UTC), datetime(2026, 1, 7, 10, tzinfo=UTC)
    found = judge_freshness(fresh, CONTRACT, (*INTERVALS, "2026-01-10"), due, arrived, early)
    assert [r.outcome for r in found.values()] == ["passed", "failed", "not_due", "not_applicable"]
    assert found[INTERVALS[1]].message == "late by 30 min"
    missing = judge_freshness(fresh, CONTRACT, INTERVALS, due, arrived, late)[INTERVALS[2]]
    assert (missing.outcome, missing.message) == ("failed", "missing, late by 60 min")
