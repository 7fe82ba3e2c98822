"""Positions of clients at the close, with the day's movements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.position", version=1, inputs=(same("bronze.position"),))
def position(inputs: Inputs) -> DataFrame:
    """One row per client, contract, side and hedge flag, as delivered, typed."""
    return delivered_rows(inputs, "bronze.position")
