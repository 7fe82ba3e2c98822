"""Goods loaded into and out of the delivery warehouses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.warehouse_loading", version=1, inputs=(same("bronze.warehouse_loading"),))
def warehouse_loading(inputs: Inputs) -> DataFrame:
    """One row per loading, as delivered, typed."""
    return delivered_rows(inputs, "bronze.warehouse_loading")
