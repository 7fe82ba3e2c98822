"""Registered receipts per commodity: a vendor's history beside the exchange's published totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.conform import conform
from pipelines.engine.job import Inputs, history, job
from pipelines.external.histories import newest
from pipelines.external.published import exchange_sql, records
from pipelines.external.warehouse_stock_daily import FIELDS, SECTIONS, commodity_of_list_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

UNITS = {"au": "KG", "ag": "KG", "sc": "BARREL"}
"""Units of the exchange's own stock files; every other commodity is counted in tonnes."""


@job(
    "silver.receipt_total_daily",
    version=1,
    inputs=(
        history("bronze.receipt_total"),
        history("bronze.warehouse_stock_daily", alternative=True),
    ),
)
def receipt_total_daily(inputs: Inputs) -> DataFrame:
    """One row per commodity, date and source, in the unit the exchange counts the commodity in.

    Beside the vendor's history stand the totals (总计) of the exchange's own files; a commodity
    with several lists (warehouses, factories) has them added up.
    """
    vendor = newest(inputs, "bronze.receipt_total", ("commodity_id", "trade_date")).selectExpr(
        "trade_date", "lower(trim(commodity_id)) AS commodity_id", "stock", "stock_change",
        "_delivery_id", "_row_number", "'VENDOR_RECEIPT' AS data_source",
    )  # fmt: skip
    lists = records(inputs, "bronze.warehouse_stock_daily", SECTIONS, FIELDS)
    published = (
        lists.where("ROWSTATUS = '2' AND WHABBRNAME LIKE '总计%'")
        .selectExpr(
            "*",
            f"{commodity_of_list_sql()} AS commodity_id",
            "try_cast(WRTWGHTS AS DECIMAL(24,4)) AS stock",
            "try_cast(WRTCHANGE AS DECIMAL(24,4)) AS stock_change",
        )
        .groupBy("_interval", "commodity_id", "_delivery_id")
        .agg({"stock": "sum", "stock_change": "sum", "_row_number": "min"})
        .selectExpr(
            "CAST(_interval AS STRING) AS trade_date", "commodity_id",
            "CAST(`sum(stock)` AS STRING) AS stock",
            "CAST(`sum(stock_change)` AS STRING) AS stock_change",
            "_delivery_id", "`min(_row_number)` AS _row_number", "'EXCHANGE_STOCK' AS data_source",
        )
    )  # fmt: skip
    cases = " ".join(f"WHEN '{code}' THEN '{unit}'" for code, unit in UNITS.items())
    return conform(
        vendor.unionByName(published),
        inputs.contract,
        {
            "exchange": exchange_sql("commodity_id"),
            "unit": f"CASE commodity_id {cases} ELSE 'TONNE' END",
        },
    )
