"""Positions of named members from a vendor who kept the published rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.external.histories import history_rows, whole_sql
from pipelines.external.published import chinese_sql, exchange_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.member_position_daily", version=1, inputs=(history("bronze.member_position"),))
def member_position_daily(inputs: Inputs) -> DataFrame:
    """One row per contract, member and date; a blank stays null (not among the twenty)."""
    return history_rows(
        inputs,
        "bronze.member_position",
        ("member_name", "trade_date", "contract_id"),
        {
            "contract_id": "lower(trim(contract_id))",
            "commodity_id": "lower(trim(commodity_id))",
            "exchange": exchange_sql("lower(trim(commodity_id))"),
            "member_name": chinese_sql("member_name"),
            "long_lots": whole_sql("long_lots"),
            "short_lots": whole_sql("short_lots"),
        },
    )
