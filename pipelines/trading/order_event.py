"""Order events: new orders, fills, cancellations and rejections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.order_event", version=1, inputs=(same("bronze.order_event"),))
def order_event(inputs: Inputs) -> DataFrame:
    """One row per order event, as delivered, typed."""
    return delivered_rows(inputs, "bronze.order_event")
