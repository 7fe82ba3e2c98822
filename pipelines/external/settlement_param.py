"""Settlement prices, fees, margins and limits per contract, from the exchange and from vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.published import commodity_of_sql, exchange_sql, records, typed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SETTLEMENT = {
    "SETTLEMENTPRICE": "settlement_price", "TRADEFEERATION": "fee_rate",
    "TRADEFEEUNIT": "fee_per_lot", "HTRADEFEERATIO": "hedge_fee_rate",
    "HTRADEFEEUNIT": "hedge_fee_per_lot", "COMMODITYDELIVERYFEEUNIT": "delivery_fee",
    "COMMODITYDELIVERYFEERATION": "delivery_fee_rate",
    "SPEC_LONGMARGINRATIO": "spec_long_margin_rate",
    "SPEC_SHORTMARGINRATIO": "spec_short_margin_rate",
    "LONGMARGINRATIO": "hedge_long_margin_rate", "SHORTMARGINRATIO": "hedge_short_margin_rate",
    "DISCOUNTRATE": "close_today_fee_factor",
}  # fmt: skip
"""Key of a Settlement record -> column; fractions and yuan already."""
ARGUMENT = {
    "SPEC_LONGMARGINRATIO": "spec_long_margin_rate",
    "SPEC_SHORTMARGINRATIO": "spec_short_margin_rate",
    "HDEGE_LONGMARGINRATIO": "hedge_long_margin_rate",
    "HDEGE_SHORTMARGINRATIO": "hedge_short_margin_rate",
    "UPPER_VALUE": "upper_limit_rate", "LOWER_VALUE": "lower_limit_rate",
}  # fmt: skip
"""Key of a ContractDailyTradeArgument record (the spelling is the file's) -> column."""
PER_CENT = (
    "spec_long_margin_rate", "spec_short_margin_rate", "hedge_long_margin_rate",
    "hedge_short_margin_rate", "close_today_fee_factor",
)  # fmt: skip
"""Columns of a vendor's table that are per cent; its fee rate is per mille."""
AS_TOLD = ("settlement_price", "fee_per_lot", "delivery_fee")
COLUMNS = tuple(dict.fromkeys([*SETTLEMENT.values(), *ARGUMENT.values()]))
_LINEAGE = ("_interval", "_delivery_id", "_row_number")


def _scaled(column: str, divisor: int) -> str:
    """Text divided as a decimal, as text; unreadable text stays, for the rules."""
    number = f"try_cast(trim({column}) AS DECIMAL(24,10))"
    return f"coalesce(CAST(CAST({number} / {divisor} AS DECIMAL(30,12)) AS STRING), {column})"


@job(
    "silver.settlement_param",
    version=1,
    inputs=(
        same("bronze.settlement_param", alternative=True),
        same("bronze.trade_argument", alternative=True),
        same("bronze.fee_table", alternative=True),
    ),
)
def settlement_param(inputs: Inputs) -> DataFrame:
    """One row per contract and date; rates are fractions, fees yuan, whoever told them.

    The exchange's two files complete each other (what both tell is taken from Settlement); a
    vendor's table counts for contracts that neither names. Lineage is that of the file a row
    comes from, Settlement first.
    """
    told = {name: name for name in COLUMNS}
    official = _exchange(inputs, "bronze.settlement_param", "Settlement", SETTLEMENT, 1)
    argument = _exchange(inputs, "bronze.trade_argument", "ContractDailyTradeArgument", ARGUMENT, 2)
    vendor = inputs.read("bronze.fee_table").selectExpr(
        *_LINEAGE,
        "lower(trim(contract_id)) AS contract_id",
        "3 AS place",
        *(f"{name} AS {name}" for name in AS_TOLD),
        f"{_scaled('fee_rate', 1000)} AS fee_rate",
        *(f"{_scaled(name, 100)} AS {name}" for name in PER_CENT),
    )
    every = official.unionByName(argument, allowMissingColumns=True).unionByName(
        vendor, allowMissingColumns=True
    )
    return typed(
        inputs,
        inputs.spark.sql(_MERGE, every=every),
        {
            **told,
            "commodity_id": commodity_of_sql("contract_id"),
            "exchange": exchange_sql(commodity_of_sql("contract_id")),
            "data_source": "if(place < 3, 'EXCHANGE_PARAMETER', 'VENDOR_PARAMETER')",
        },
    )


def _exchange(
    inputs: Inputs, product: str, section: str, keys: dict[str, str], place: int
) -> DataFrame:
    fields = ("INSTRUMENTID", *keys)
    return records(inputs, product, (section,), fields).selectExpr(
        *_LINEAGE,
        "lower(INSTRUMENTID) AS contract_id",
        f"{place} AS place",
        *(f"nullif({key}, '') AS {column}" for key, column in keys.items()),
    )


_WINDOW = "PARTITION BY _interval, contract_id"
_FILLED = ", ".join(
    f"coalesce({name}, if(place = 1, max(if(place = 2, {name}, NULL)) OVER ({_WINDOW}), NULL))"
    f" AS {name}"
    for name in COLUMNS
)
# A record that one file holds twice stays doubled: the key rule tells.
_MERGE = f"""
    SELECT * EXCEPT (best) FROM (
      SELECT {", ".join(_LINEAGE)}, contract_id, place,
        min(place) OVER ({_WINDOW}) AS best, {_FILLED}
      FROM {{every}}
    ) WHERE place = best
"""
