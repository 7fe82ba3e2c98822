"""Logins of clients to the trading system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.login", version=1, inputs=(same("bronze.login"),))
def login(inputs: Inputs) -> DataFrame:
    """One row per login, as delivered, typed."""
    return delivered_rows(inputs, "bronze.login")
