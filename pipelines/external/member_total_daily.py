"""Sums over the published rankings, from a vendor who kept them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.external.histories import history_rows, whole_sql
from pipelines.external.published import exchange_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.member_total_daily", version=1, inputs=(history("bronze.member_total"),))
def member_total_daily(inputs: Inputs) -> DataFrame:
    """One row per contract and date: what the ranks shown come to."""
    counts = {name: whole_sql(name) for name in (
        "list_volume_lots", "list_long_lots", "list_short_lots")}  # fmt: skip
    return history_rows(
        inputs,
        "bronze.member_total",
        ("trade_date", "contract_id"),
        {
            "contract_id": "lower(trim(contract_id))",
            "commodity_id": "lower(trim(commodity_id))",
            "exchange": exchange_sql("lower(trim(commodity_id))"),
            **counts,
        },
    )
