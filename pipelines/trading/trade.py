"""Trades: two legs per trade, with the turnover of each leg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.conform import as_of_join
from pipelines.engine.job import Inputs, as_of, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TURNOVER_SQL = """try_cast(
    try_cast(price AS decimal(14,4)) * try_cast(multiplier AS decimal(10,4))
    * try_cast(lots AS decimal(12,0)) AS decimal(24,4))"""
"""Yuan. The narrow casts keep the product exact: 14 + 10 + 12 digits and two signs fit in 38."""


@job("silver.trade", version=1, inputs=(same("bronze.trade"), as_of("silver.contract")))
def trade(inputs: Inputs) -> DataFrame:
    """One row per leg; ``turnover`` = price x lots x the contract's multiplier on the date.

    The turnover of a leg in an unknown contract is null.
    """
    legs = as_of_join(
        delivered_rows(inputs, "bronze.trade"),
        inputs.read("silver.contract"),
        on=["contract_id"],
        date_column="trade_date",
        columns=["multiplier"],
    )
    return legs.selectExpr(
        *[
            f"{TURNOVER_SQL} AS turnover" if column.name == "turnover" else f"`{column.name}`"
            for column in inputs.contract.columns
        ]
    )
