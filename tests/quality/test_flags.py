"""Row rules on Spark: which rows break what, and what leaves the batch with them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from quality_cases import rule

from contracts.compile.rules import RowCheck
from contracts.model import Read
from quality.errors import RuleInputMissingError, RuleSqlError
from quality.flags import broken_counts, flag, tally
from quality.outcome import Decision

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

KEY = ("trade_date", "id")
D1, D2 = date(2026, 1, 5), date(2026, 1, 6)

POSITIVE = RowCheck(
    rule("thing.lots.range", "range", columns=("lots",), min="1", unit=("trade_date", "trade_id")),
    "expr",
    "coalesce(NOT (lots >= 1), false)",
)
WARNED = RowCheck(
    rule("thing.price.range", "range", "warning", columns=("price",)),
    "expr",
    "coalesce(price > 100, false)",
)
UNIQUE = RowCheck(rule("thing.key.unique", "unique", columns=KEY), "unique", None)
MEMBER = RowCheck(
    rule(
        "thing.member.known",
        "reference",
        columns=("member",),
        to_product="silver.member",
        to_columns=("member_id",),
        reads=(Read(product="silver.member", how="as_of"),),
    ),
    "reference",
    None,
)
LEGS = RowCheck(
    rule(
        "thing.legs",
        "rows",
        reads=(),
        sql="SELECT trade_date, id FROM batch WHERE trade_id IN (SELECT trade_id FROM batch "
        "GROUP BY trade_date, trade_id HAVING count(*) = 1)",
    ),
    "rows",
    None,
)
CHECKS = (POSITIVE, WARNED, UNIQUE, MEMBER, LEGS)


def batch(spark: SparkSession) -> DataFrame:
    rows = [
        (D1, 1, "T1", 5, 10, "0001", "d1", 1),
        (D1, 2, "T1", 0, 10, "0001", "d1", 2),  # range; its leg 1 moves along
        (D1, 3, "T2", 5, 200, None, "d1", 3),  # warning; a null member passes
        (D1, 4, "T2", 5, 10, "0009", "d1", 4),  # unknown member
        (D1, 4, "T2", 5, 10, "0001", "d1", 5),  # the later duplicate of key 4
        (D1, 5, "T3", 5, 10, "0002", "d1", 6),  # a lone leg; member valid only from D2
        (D2, 4, "T4", 5, 10, "0002", "d2", 1),  # same id on another date: no duplicate
        (D2, 6, "T4", None, 10, "0001", "d2", 2),  # unknown lots pass
    ]
    return spark.createDataFrame(
        rows,
        "trade_date date, id int, trade_id string, lots int, price int, member string, "
        "_delivery_id string, _row_number bigint",
    )


def members(spark: SparkSession) -> DataFrame:
    rows = [("0001", date(2020, 1, 1), None), ("0002", D2, None), ("0009", date(2020, 1, 1), D1)]
    return spark.createDataFrame(rows, "member_id string, valid_from date, valid_to date")


def broken(frame: DataFrame) -> dict[tuple[str, int], tuple[set[str], bool]]:
    return {
        (r["_delivery_id"], r["_row_number"]): (set(r["_broken"]), r["_rejected"])
        for r in frame.collect()
    }


def decide(kind: str, **more: object) -> Decision:
    base: dict[str, object] = {
        "product": "silver.thing",
        "interval": "2026-01-05",
        "delivery_id": None,
        "row_number": None,
        "rule_id": None,
        "reason": "r",
        "author": "a",
        "approver": "b",
        "expires": None,
        "patch": None,
        "decided_at": datetime(2026, 1, 7, tzinfo=UTC),
        "decision_id": "x1",
    }
    return Decision(kind=kind, **{**base, **more})  # type: ignore[arg-type]


def test_each_row_carries_every_rule_it_broke_and_units_move_together(spark: SparkSession) -> None:
    """Invariant 2: warnings never move a row, units move together, later duplicates fail."""
    frame = flag(batch(spark), CHECKS, {"silver.member": members(spark)}, KEY, "trade_date")
    assert broken(frame) == {
        ("d1", 1): ({"unit:thing.lots.range"}, True),
        ("d1", 2): ({"thing.lots.range"}, True),
        ("d1", 3): ({"thing.price.range"}, False),
        ("d1", 4): ({"thing.member.known"}, True),
        ("d1", 5): ({"thing.key.unique"}, True),
        ("d1", 6): ({"thing.member.known", "thing.legs"}, True),
        ("d2", 1): (set(), False),
        ("d2", 2): (set(), False),
    }
    assert frame.columns == [*batch(spark).columns, "_broken", "_rejected"]


def test_counting_agrees_with_marking(spark: SparkSession) -> None:
    """The cheap count and the marks are two readings of one definition."""
    views = {"silver_member": members(spark)}
    counted = tally(batch(spark), CHECKS, views, KEY, "trade_date", expr=True)
    marked = broken_counts(flag(batch(spark), CHECKS, views, KEY, "trade_date"), "trade_date")
    marked = {
        i: {k: n for k, n in c.items() if not k.startswith("unit:")} for i, c in marked.items()
    }
    assert counted == marked
    assert (
        "thing.lots.range"
        not in tally(batch(spark), CHECKS, views, KEY, "trade_date")["2026-01-05"]
    )


def test_decisions_are_applied_to_rows(spark: SparkSession) -> None:
    """A release keeps a row (and its unit), a rejection removes one, a waiver keeps all."""
    decisions = (
        decide("release", delivery_id="d1", row_number=2, rule_id="thing.lots.range"),
        decide("rejection", delivery_id="d1", row_number=3, decision_id="x2"),
        decide("waiver", rule_id="thing.member.known", interval="*", expires=D1),
    )
    found = broken(
        flag(
            batch(spark),
            CHECKS,
            {"silver.member": members(spark)},
            KEY,
            "trade_date",
            decisions=decisions,
            product="silver.thing",
        )
    )
    assert found[("d1", 1)] == (set(), False)
    assert found[("d1", 2)] == ({"thing.lots.range"}, False)
    assert found[("d1", 3)] == ({"thing.price.range", "decision:x2"}, True)
    assert found[("d1", 4)] == ({"thing.member.known", "unit:decision:x2"}, True)
    assert found[("d1", 6)][1], "the lone leg is not waived"


def test_rules_hold_from_their_effective_date(spark: SparkSession) -> None:
    """A rule marks nothing on intervals before ``effective_from``."""
    late = RowCheck(
        rule("thing.key.unique", "unique", columns=KEY, effective_from=D2), "unique", None
    )
    assert tally(batch(spark), (late,), {}, KEY, "trade_date") == {}
    found = broken(flag(batch(spark), (late,), {}, KEY, "trade_date"))
    assert all(ids == set() for ids, _ in found.values())


def test_misfit_rules_are_refused(spark: SparkSession) -> None:
    """A missing input or a SELECT without the key is an error with a name, never a pass."""
    with pytest.raises(RuleInputMissingError):
        tally(batch(spark), (MEMBER,), {}, KEY, "trade_date")
    bad = RowCheck(rule("thing.bad", "rows", sql="SELECT id FROM batch"), "rows", None)
    with pytest.raises(RuleSqlError):
        tally(batch(spark), (bad,), {}, KEY, "trade_date")


def test_a_snapshot_without_intervals_is_judged_as_a_whole(spark: SparkSession) -> None:
    """Products of one interval (dimensions) count under ``all``; as-of uses ``valid_from``."""
    dim = spark.createDataFrame(
        [("a", "0009", date(2021, 1, 1)), ("b", "0009", D2), ("b", "0001", D2)],
        "id string, member string, valid_from date",
    )
    unique = RowCheck(
        rule("thing.key.unique", "unique", columns=("id", "valid_from")), "unique", None
    )
    found = tally(
        dim, (unique, MEMBER), {"silver.member": members(spark)}, ("id", "valid_from"), None
    )
    assert found == {"all": {"thing.key.unique": 1, "thing.member.known": 1}}
    marks = flag(
        dim, (unique, MEMBER), {"silver.member": members(spark)}, ("id", "valid_from"), None
    )
    assert sorted((r["member"], len(r["_broken"])) for r in marks.collect()) == [
        ("0001", 0),
        ("0009", 0),
        ("0009", 2),
    ]
