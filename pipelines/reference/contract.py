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
OLD_LIST = "symbol IS NOT NULL"
"""TRUE for rows of the list of 2019: it alone has names of contracts."""
OURS = ("SHFE", "INE")


@job("silver.contract", version=2, inputs=(history("bronze.contract"),))
def contract(inputs: Inputs) -> DataFrame:
    """One row per version of a contract; see ``dimension_rows``.

    Besides the exchange's own change files it reads a front end's instrument list: each contract
    is an addition valid from its first trade date, and knows no delivery dates and no listing
    price; the list of 2019 knows no tick size either. Such a list names contracts of every Chinese
    exchange; those of others are left out. What it calls a contract without a delivery month (a
    continuous series) is rejected by the rule on contract codes.
    """
    expressions = {column: either(column, field) for column, field in _LISTED.items()}
    expressions["delivery_month"] = (
        "if(record IS NULL, delivery_month, concat(get_json_object(record, '$.delivery_year'),"
        " lpad(get_json_object(record, '$.delivery_month'), 2, '0')))"
    )
    # The list of 2019 writes codes in capitals, and its first trade date is what it holds from.
    expressions["contract_id"] = f"if({OLD_LIST}, lower(contract_id), {expressions['contract_id']})"
    expressions["commodity_id"] = (
        f"if({OLD_LIST}, lower(commodity_id), {expressions['commodity_id']})"
    )
    expressions["valid_from"] = f"if({OLD_LIST}, list_date, {expressions['valid_from']})"
    expressions["delivery_month"] = (
        f"if({OLD_LIST}, concat(if(right(contract_id, 4) >= '9000', '19', '20'),"
        f" right(contract_id, 4)), {expressions['delivery_month']})"
    )
    ours = (
        f"CASE WHEN record IS NOT NULL THEN get_json_object(record, '$.exchange_id') IN {OURS}"
        f" WHEN {OLD_LIST} THEN exchange IN {OURS} ELSE true END"
    )
    return dimension_rows(
        inputs,
        "bronze.contract",
        expressions,
        where=ours,
        lists=f"record IS NOT NULL OR {OLD_LIST}",
    )
