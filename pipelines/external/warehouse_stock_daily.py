"""Warehouse stocks from every generation of the published ``dailystock`` files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.published import chinese_sql, commodity_sql, exchange_sql, records, typed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SECTIONS = ("o_cursor", "page")
FIELDS = (
    "VARNAME", "VARID", "REGNAME", "WHABBRNAME", "WGHTUNIT", "WRTWGHTS", "WRTCHANGE", "ROWSTATUS",
)  # fmt: skip
COMMODITIES = {
    "铜": "cu", "铝": "al", "锌": "zn", "铅": "pb", "镍": "ni", "锡": "sn", "氧化铝": "ao",
    "铸造铝合金": "ad", "黄金": "au", "白银": "ag", "螺纹钢": "rb", "线材": "wr", "热轧卷板": "hc",
    "不锈钢": "ss", "燃料油": "fu", "石油沥青": "bu", "沥青": "bu", "天然橡胶": "ru", "纸浆": "sp",
    "漂针浆": "sp", "丁二烯橡胶": "br", "胶版印刷纸": "op", "中质含硫原油": "sc", "原油": "sc",
    "低硫燃料油": "lu", "20号胶": "nr", "铜(BC)": "bc", "国际铜": "bc",
}  # fmt: skip
"""Chinese names in files that carry no commodity code."""
UNITS = {"1": "KG", "2": "TONNE", "3": "BARREL", "千克": "KG", "吨": "TONNE", "桶": "BARREL"}
"""Codes in the files, words on the page."""


@job("silver.warehouse_stock_daily", version=1, inputs=(same("bronze.warehouse_stock_daily"),))
def warehouse_stock_daily(inputs: Inputs) -> DataFrame:
    """One row per commodity, region and warehouse (factory stores included).

    Rows of subtotals and totals (ROWSTATUS 1 and 2) are left out. ``stock_tonnes`` is null for
    volumes. A name or unit code nobody knows gives a null or the code itself, for the rules.
    """
    rows = records(inputs, "bronze.warehouse_stock_daily", SECTIONS, FIELDS)
    rows = rows.where("NOT coalesce(ROWSTATUS IN ('1', '2'), false)").selectExpr(
        "*",
        f"{commodity_of_list_sql()} AS commodity",
        f"{_coded('WGHTUNIT', UNITS, 'WGHTUNIT')} AS unit_",
    )
    stock = "try_cast(WRTWGHTS AS DECIMAL(24,4))"
    return typed(
        inputs,
        rows,
        {
            "commodity_id": "commodity",
            "region": chinese_sql("REGNAME"),
            "warehouse": chinese_sql("WHABBRNAME"),
            "exchange": exchange_sql("commodity"),
            "stock": "WRTWGHTS",
            "stock_change": "WRTCHANGE",
            "unit": "unit_",
            "stock_tonnes": f"CAST(CASE unit_ WHEN 'KG' THEN {stock} / 1000"
            f" WHEN 'TONNE' THEN {stock} END AS DECIMAL(24,4))",
        },
    )


def commodity_of_list_sql() -> str:
    """The code, or what the Chinese name (less 'factory store' and 'warehouse') stands for."""
    name = f"regexp_replace({chinese_sql('VARNAME')}, '[(（]?(厂库|仓库)[)）]?$', '')"
    return f"coalesce(nullif({commodity_sql('VARID')}, ''), {_coded(name, COMMODITIES, 'NULL')})"


def _coded(value: str, codes: dict[str, str], otherwise: str) -> str:
    cases = " ".join(f"WHEN '{key}' THEN '{code}'" for key, code in codes.items())
    return f"CASE {value} {cases} ELSE {otherwise} END"
