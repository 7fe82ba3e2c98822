"""Records of the exchange's published documents as text columns, whatever their generation.

Names padded with blanks, ``中文$$English`` and numbers as text or not are the same to every job.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.engine.conform import conform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from pipelines.engine.job import Inputs

ONE_SIDED_FROM = "2020-01-01"
"""First date on which the exchange counts a trade and a position once (before: both sides)."""
INE_COMMODITIES = ("sc", "nr", "lu", "bc", "ec")
"""Listed on INE; SHFE's own files have carried them since the 2020s."""
_LINEAGE = ("_delivery_id", "_row_number", "_interval", "_sequence")


def records(
    inputs: Inputs, product: str, sections: Sequence[str], fields: Sequence[str]
) -> DataFrame:
    """The records of some sections with ``fields`` as trimmed text, NULL where a record lacks one.

    Lineage columns, ``_interval`` and ``_sequence`` are kept.
    """
    schema = ", ".join(f"`{name}` STRING" for name in fields)
    names = ", ".join(f"'{section}'" for section in sections)
    values = [f"trim(fields.`{name}`) AS `{name}`" for name in fields]
    return (
        inputs.read(product)
        .where(f"section IN ({names})")
        .selectExpr(*_LINEAGE, f"from_json(record, '{schema}') AS fields")
        .selectExpr(*_LINEAGE, *values)
    )


def typed(inputs: Inputs, rows: DataFrame, expressions: Mapping[str, str]) -> DataFrame:
    """Typed rows of the contract, each in the interval its document was delivered for."""
    return conform(rows, inputs.contract, {"trade_date": "_interval", **expressions})


def commodity_of_sql(contract: str) -> str:
    """``cu2603`` -> ``cu``."""
    return f"regexp_replace({contract}, '[0-9]+$', '')"


def commodity_sql(product_id: str) -> str:
    """``cu_f`` -> ``cu`` (published product ids carry a suffix for futures)."""
    return f"lower(regexp_replace({product_id}, '_f$', ''))"


def exchange_sql(commodity: str) -> str:
    """The exchange a commodity is listed on."""
    codes = ", ".join(f"'{code}'" for code in INE_COMMODITIES)
    return f"CASE WHEN {commodity} IN ({codes}) THEN 'INE' ELSE 'SHFE' END"


def two_sided_sql(day: str = "_interval") -> str:
    """TRUE for dates on which the exchange counted both sides; ``day`` is an SQL date."""
    return f"{day} < DATE '{ONE_SIDED_FROM}'"


def basis_sql(day: str = "_interval") -> str:
    """The code of the counting basis of quotes on the date."""
    return f"CASE WHEN {two_sided_sql(day)} THEN 'TWO_SIDED' ELSE 'ONE_SIDED' END"


def one_sided_sql(column: str, day: str = "_interval") -> str:
    """A two-sided count halved, as text; an odd one becomes text that no number column reads."""
    whole = f"regexp_replace({column}, '[.]0+$', '')"
    number = f"try_cast({whole} AS DECIMAL(20,0))"
    return (
        f"CASE WHEN NOT {two_sided_sql(day)} OR {number} IS NULL THEN {whole}"
        f" WHEN {number} % 2 = 0 THEN CAST(CAST({number} / 2 AS DECIMAL(20,0)) AS STRING)"
        f" ELSE concat({whole}, ' is odd') END"
    )


def chinese_sql(name: str) -> str:
    """The Chinese half of ``中文$$English``."""
    return f"trim(split({name}, '[$][$]')[0])"
