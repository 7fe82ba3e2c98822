"""Registered receipts per commodity from a vendor's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.external.histories import history_rows
from pipelines.external.published import exchange_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

UNITS = {"au": "KG", "ag": "KG", "sc": "BARREL"}
"""Units of the exchange's own stock files; every other commodity is counted in tonnes."""


@job("silver.receipt_total_daily", version=1, inputs=(history("bronze.receipt_total"),))
def receipt_total_daily(inputs: Inputs) -> DataFrame:
    """One row per commodity and date, in the unit the exchange counts the commodity in."""
    commodity = "lower(trim(commodity_id))"
    cases = " ".join(f"WHEN '{code}' THEN '{unit}'" for code, unit in UNITS.items())
    return history_rows(
        inputs,
        "bronze.receipt_total",
        ("commodity_id", "trade_date"),
        {
            "commodity_id": commodity,
            "exchange": exchange_sql(commodity),
            "unit": f"CASE {commodity} {cases} ELSE 'TONNE' END",
        },
    )
