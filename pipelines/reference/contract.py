"""Futures contracts with their dates and terms, as they were valid and known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows, either

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_LISTED = {
    "contract_id": "instrument_id",
    "commodity_id": "product_id",
    "exchange": "exchange_id",
    "list_date": "open_date",
    "last_trade_date": "expire_date",
    "multiplier": "volume_multiple",
    "tick_size": "price_tick",
    "valid_from": "open_date",
}
"""Column -> field of a front end's instrument list (its records are JSON text)."""


@job("silver.contract", version=1, inputs=(history("bronze.contract"),))
def contract(inputs: Inputs) -> DataFrame:
    """One row per version of a contract; see ``dimension_rows``.

    Besides the exchange's own change files it reads a front end's instrument list: each contract
    is an addition valid from its first trade date, and knows no delivery dates and no listing
    price. Such a list names contracts of every Chinese exchange; those of others are left out.
    """
    expressions = {column: either(column, field) for column, field in _LISTED.items()}
    expressions["delivery_month"] = (
        "if(record IS NULL, delivery_month, concat(get_json_object(record, '$.delivery_year'),"
        " lpad(get_json_object(record, '$.delivery_month'), 2, '0')))"
    )
    ours = "record IS NULL OR get_json_object(record, '$.exchange_id') IN ('SHFE', 'INE')"
    return dimension_rows(inputs, "bronze.contract", expressions, where=ours)
