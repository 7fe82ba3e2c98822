"""Continuous series of vendors: daily bars of the main contract in succession."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.external.histories import TRADE_DATE, history_rows
from pipelines.external.published import basis_sql, one_sided_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MISSING_SETTLEMENT = "CASE WHEN try_cast(settlement_price AS DECIMAL(18,4)) = 0 THEN NULL"
"""Vendors write 0 where they know no settlement price."""


@job("silver.quote_continuous", version=1, inputs=(history("bronze.quote_continuous"),))
def quote_continuous(inputs: Inputs) -> DataFrame:
    """One row per commodity and date; counts are one-sided at every date.

    Before 2020 they are halved; an odd one cannot be and is rejected. A settlement price of 0 is
    none.
    """
    return history_rows(
        inputs,
        "bronze.quote_continuous",
        ("commodity_id", "trade_date"),
        {
            "commodity_id": "lower(trim(commodity_id))",
            "exchange": "upper(trim(exchange))",
            "series_id": "concat(lower(trim(commodity_id)), '.main')",
            "settlement_price": f"{MISSING_SETTLEMENT} ELSE settlement_price END",
            "volume_lots": one_sided_sql("volume_lots", TRADE_DATE),
            "open_interest_lots": one_sided_sql("open_interest_lots", TRADE_DATE),
            "counting_basis": basis_sql(TRADE_DATE),
        },
    )
