"""Histories kept by vendors: every date of every delivery, the newest delivery of a key winning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.engine.conform import conform, typed_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.engine.job import Inputs

TRADE_DATE = typed_sql("trade_date", "date")
"""The delivered date of a row, NULL when it cannot be read."""


def newest(inputs: Inputs, product: str, key: Sequence[str]) -> DataFrame:
    """Delivered rows of all histories; of a key that several tell, what the last one says.

    ``key``: delivered columns. A key that one delivery names twice stays doubled, for the gate.
    Order is that of the deliveries' intervals and sequences, never of arrival.
    """
    return inputs.spark.sql(
        f"""
        SELECT * FROM (
          SELECT *, rank() OVER (
            PARTITION BY {", ".join(f"upper(trim({name}))" for name in key)}
            ORDER BY _interval DESC, _sequence DESC) AS _place
          FROM {{delivered}}
        ) WHERE _place = 1
        """,
        delivered=inputs.read(product),
    ).drop("_place")


def history_rows(
    inputs: Inputs, product: str, key: Sequence[str], expressions: Mapping[str, str]
) -> DataFrame:
    """Typed rows of the contract out of the newest delivered ones."""
    return conform(newest(inputs, product, key), inputs.contract, expressions)


def whole_sql(column: str) -> str:
    """A count written as a float (``65.0``) as text without the empty decimals.

    >>> whole_sql("x")
    "regexp_replace(trim(x), '[.]0+$', '')"
    """
    return f"regexp_replace(trim({column}), '[.]0+$', '')"
