"""Daily quotes per contract from every generation of the published ``kx`` files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.published import (
    basis_sql,
    commodity_sql,
    exchange_sql,
    one_sided_sql,
    records,
    typed,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FIELDS = (
    "PRODUCTID", "PRODUCTCLASS", "DELIVERYMONTH", "PRESETTLEMENTPRICE", "OPENPRICE", "HIGHESTPRICE",
    "LOWESTPRICE", "CLOSEPRICE", "SETTLEMENTPRICE", "VOLUME", "TURNOVER", "OPENINTEREST",
    "OPENINTERESTCHG",
)  # fmt: skip
NOT_CONTRACTS = (
    "DELIVERYMONTH IN ('小计', '合计', 'efp') OR PRODUCTID IN ('总计', '小计', '合计')"
    " OR PRODUCTCLASS IN ('5', '6')"
)
"""Totals, exchanges of futures for physicals (class 5) and trading at settlement (class 6).

Everything else stays, so that a row nobody expects is rejected by a rule and never lost."""


@job(
    "silver.quote_daily",
    version=2,
    inputs=(
        same("bronze.quote_daily", alternative=True),
        same("silver.quote_listing", alternative=True),
    ),
)
def quote_daily(inputs: Inputs) -> DataFrame:
    """One row per contract; counts are one-sided and turnover is yuan at every date.

    Before 2020 published counts are halved. Turnover per contract, published in 10,000 yuan since
    the 2020s, is multiplied. A contract that the exchange's own file of the date does not tell is
    taken from a vendor's list, if there is one; ``data_source`` says so.
    """
    official = _official(inputs)
    listed = inputs.read("silver.quote_listing").selectExpr("*", "'VENDOR_LISTING' AS data_source")
    others = listed.join(official, ["trade_date", "contract_id"], "left_anti")
    columns = [column.name for column in inputs.contract.columns]
    return official.unionByName(others, allowMissingColumns=True).select(*columns)


def _official(inputs: Inputs) -> DataFrame:
    rows = records(inputs, "bronze.quote_daily", ("o_curinstrument",), FIELDS)
    rows = rows.where(f"NOT coalesce({NOT_CONTRACTS}, false)")
    commodity = commodity_sql("PRODUCTID")
    return typed(
        inputs,
        rows,
        {
            "contract_id": f"concat({commodity}, DELIVERYMONTH)",
            "exchange": exchange_sql(commodity),
            "commodity_id": commodity,
            "delivery_month": "concat(if(DELIVERYMONTH >= '9000', '19', '20'), DELIVERYMONTH)",
            "prev_settlement_price": "PRESETTLEMENTPRICE",
            "open_price": "OPENPRICE",
            "high_price": "HIGHESTPRICE",
            "low_price": "LOWESTPRICE",
            "close_price": "CLOSEPRICE",
            "settlement_price": "SETTLEMENTPRICE",
            "volume_lots": one_sided_sql("VOLUME"),
            "turnover": "coalesce(CAST(CAST(try_cast(TURNOVER AS DECIMAL(24,8)) * 10000"
            " AS DECIMAL(28,4)) AS STRING), TURNOVER)",
            "open_interest_lots": one_sided_sql("OPENINTEREST"),
            "open_interest_change_lots": one_sided_sql("OPENINTERESTCHG"),
            "counting_basis": basis_sql(),
            "data_source": "'EXCHANGE_QUOTE'",
        },
    )
