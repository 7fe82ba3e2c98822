"""The benchmark's one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.bench_order", version=1, inputs=(same("bronze.bench_order"),))
def bench_order(inputs: Inputs) -> DataFrame:
    """One row per order, as delivered, typed."""
    return delivered_rows(inputs, "bronze.bench_order")
