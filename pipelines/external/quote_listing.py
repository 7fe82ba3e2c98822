"""Contracts of a date as vendors list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.histories import whole_sql
from pipelines.external.published import (
    basis_sql,
    commodity_of_sql,
    commodity_sql,
    exchange_sql,
    one_sided_sql,
)
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MONTH = "right(regexp_replace(trim(delivery_month), '-', ''), 4)"
CONTRACT = (
    "coalesce(nullif(lower(trim(contract_id)), ''),"
    f" concat({commodity_sql('trim(commodity_id)')}, {_MONTH}))"
)
"""The vendor's symbol, or commodity and month where it writes them apart."""


def _price(column: str) -> str:
    """0 stands for no price."""
    return f"CASE WHEN try_cast({column} AS DECIMAL(18,4)) = 0 THEN NULL ELSE {column} END"


@job("silver.quote_listing", version=1, inputs=(same("bronze.quote_listing"),))
def quote_listing(inputs: Inputs) -> DataFrame:
    """One row per contract a vendor lists for the date; counts are one-sided."""
    commodity = commodity_of_sql(CONTRACT)
    return delivered_rows(
        inputs,
        "bronze.quote_listing",
        {
            "contract_id": CONTRACT,
            "commodity_id": commodity,
            "exchange": exchange_sql(commodity),
            "delivery_month": f"concat(if({_MONTH} >= '9000', '19', '20'), {_MONTH})",
            "close_price": _price("close_price"),
            "settlement_price": _price("settlement_price"),
            "volume_lots": one_sided_sql(whole_sql("volume_lots")),
            "open_interest_lots": one_sided_sql(whole_sql("open_interest_lots")),
            "counting_basis": basis_sql(),
        },
    )
