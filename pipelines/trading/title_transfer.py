"""Warehouse receipts that changed hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.title_transfer", version=1, inputs=(same("bronze.title_transfer"),))
def title_transfer(inputs: Inputs) -> DataFrame:
    """One row per receipt and change of hands, as delivered, typed."""
    return delivered_rows(inputs, "bronze.title_transfer")
