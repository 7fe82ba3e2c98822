"""Member rankings from every generation of the published ``pm`` files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.published import chinese_sql, exchange_sql, records, typed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LISTS = (("VOLUME", 1, "TWO_SIDED"), ("LONG", 2, "ONE_SIDED"), ("SHORT", 3, "ONE_SIDED"))
"""Ranking, number in the published keys, how it counts.

A member's volume counts its own sides of trades, so all members together make twice the market's
volume; positions count one side. The change of the market's counting in 2020 did not touch either
(2014-01-06: the groups' totals of all 25 contracts equal the two-sided volume and half the
two-sided open interest of the quotes; 2026-09-15: twice the volume and the open interest)."""
FIELDS = (
    "INSTRUMENTID", "RANK",
    *(f"{name}{n}{tail}" for _, n, _ in LISTS for name, tail in (
        ("PARTICIPANTABBR", ""), ("PARTICIPANTID", ""), ("CJ", ""), ("CJ", "_CHG"))),
)  # fmt: skip
NOT_PLACES = "RANK IN ('-1', '0', '999') OR lower(INSTRUMENTID) RLIKE '(actv|all)$'"
"""Groups of members, totals of the list, and lists of a whole commodity."""

MEMBER_ID = """nullif(regexp_extract(
    coalesce(nullif(id, ''), name), '(?:^|[$][$])([0-9]{4})$', 1), '')"""


@job("silver.member_rank_daily", version=1, inputs=(same("bronze.member_rank_daily"),))
def member_rank_daily(inputs: Inputs) -> DataFrame:
    """One row per contract, ranking and place; the three lists of a record are independent.

    A place that a list does not reach (no name, no lots) is no row. The member number is taken
    from a four-digit id or from ``name$$number``; older generations publish none.
    """
    rows = records(inputs, "bronze.member_rank_daily", ("o_cursor",), FIELDS)
    rows = rows.where(f"NOT coalesce({NOT_PLACES}, false)")
    lists = ", ".join(
        f"named_struct('kind', '{kind}', 'basis', '{basis}', 'name', PARTICIPANTABBR{n},"
        f" 'id', PARTICIPANTID{n}, 'lots', CJ{n}, 'change', CJ{n}_CHG)"
        for kind, n, basis in LISTS
    )
    places = rows.selectExpr("*", f"inline(array({lists}))").where(
        "coalesce(name, '') <> '' OR coalesce(lots, '') <> ''"
    )
    commodity = "regexp_replace(lower(INSTRUMENTID), '[0-9]+$', '')"
    return typed(
        inputs,
        places,
        {
            "contract_id": "lower(INSTRUMENTID)",
            "rank_kind": "kind",
            "rank": "RANK",
            "exchange": exchange_sql(commodity),
            "commodity_id": commodity,
            "member_id": MEMBER_ID,
            "member_name": chinese_sql("name"),
            "lots": "lots",
            "change_lots": "change",
            "counting_basis": "basis",
        },
    )
