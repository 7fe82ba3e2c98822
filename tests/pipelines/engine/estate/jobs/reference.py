"""The small estate's dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.client", version=1, inputs=(history("bronze.client"),))
def client(inputs: Inputs) -> DataFrame:
    """One row per version of a client."""
    return dimension_rows(inputs, "bronze.client")
