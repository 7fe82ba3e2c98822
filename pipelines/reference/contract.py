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
"""Column -> field of the CTP instrument list (its records are JSON text)."""
OLD_LIST = "symbol IS NOT NULL"
"""TRUE for rows of the list of 2019: it alone delivers this column."""
OURS = ("SHFE", "INE")
_FRONT_END = f"""
    WITH terms AS (
      SELECT lower(substring_index(section, '.', -1)) AS commodity_id, _interval AS told,
        get_json_object(record, '$.volscale') AS multiplier,
        get_json_object(record, '$.pricetick') AS tick_size
      FROM {{commodities}} WHERE record IS NOT NULL
    ), listed AS (
      SELECT _interval, _sequence, _delivery_id, _received_at, _row_number,
        lower(get_json_object(record, '$.code')) AS contract_id,
        lower(get_json_object(record, '$.product')) AS commodity_id,
        get_json_object(record, '$.exchg') AS exchange,
        get_json_object(record, '$.name') AS name_zh,
        get_json_object(record, '$.maxlimitqty') AS max_limit_order_lots,
        get_json_object(record, '$.maxmarketqty') AS max_market_order_lots
      FROM {{contracts}} WHERE get_json_object(record, '$.exchg') IN {OURS}
    )
    SELECT l.*, concat('20', right(contract_id, 4)) AS delivery_month,
      max_by(multiplier, told) AS multiplier, max_by(tick_size, told) AS tick_size,
      CAST(_interval AS STRING) AS valid_from, 'A' AS change_type,
      'FRONT_END_LIST' AS data_source
    FROM listed l LEFT JOIN terms t ON t.commodity_id = l.commodity_id AND told <= _interval
    GROUP BY ALL
"""
"""Contracts of a list that tells no dates and no terms: these are its list of commodities'."""


@job(
    "silver.contract",
    version=3,
    inputs=(history("bronze.contract"), history("bronze.commodity", alternative=True)),
)
def contract(inputs: Inputs) -> DataFrame:
    """One row per version of a contract; see ``dimension_rows``.

    Besides the exchange's own change files it reads three lists, which name contracts of every
    Chinese exchange; those of others are left out. CTP's instruments and the list of 2019 tell
    dates: each contract is an addition valid from its first trade date. They know no delivery dates
    and no listing price, the list of 2019 no tick size either; what it calls a contract without a
    delivery month (a continuous series) is rejected by the rule on contract codes. A front end's
    list tells no dates: its contracts are known to be listed on the list's own date, and hold from
    then.
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
    expressions["name_zh"] = "coalesce(name_zh, symbol)"
    for kind in ("limit", "market"):
        told = f"get_json_object(record, '$.max_{kind}_order_volume')"
        expressions[f"max_{kind}_order_lots"] = f"coalesce(max_{kind}_order_lots, {told})"
    expressions["data_source"] = (
        f"CASE WHEN data_source IS NOT NULL THEN data_source WHEN {OLD_LIST} THEN 'VENDOR_CONTRACT'"
        " WHEN record IS NOT NULL THEN 'CTP_INSTRUMENT' ELSE 'EXCHANGE_REFERENCE' END"
    )
    ours = (
        f"CASE WHEN record IS NOT NULL THEN get_json_object(record, '$.exchange_id') IN {OURS}"
        f" WHEN {OLD_LIST} THEN exchange IN {OURS} ELSE true END"
    )
    front_end = inputs.spark.sql(
        _FRONT_END,
        contracts=inputs.read("bronze.contract"),
        commodities=inputs.read("bronze.commodity"),
    )
    return dimension_rows(
        inputs,
        "bronze.contract",
        expressions,
        where=ours,
        lists=f"record IS NOT NULL OR {OLD_LIST}",
        others=(front_end,),
    )
