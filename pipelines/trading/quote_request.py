"""Quote requests: messages that never meet the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.quote_request", version=1, inputs=(same("bronze.quote_request"),))
def quote_request(inputs: Inputs) -> DataFrame:
    """One row per request, as delivered, typed."""
    return delivered_rows(inputs, "bronze.quote_request")
