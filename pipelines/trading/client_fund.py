"""Money of clients with their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.client_fund", version=1, inputs=(same("bronze.client_fund"),))
def client_fund(inputs: Inputs) -> DataFrame:
    """One row per client, as delivered, typed."""
    return delivered_rows(inputs, "bronze.client_fund")
