"""Position limits by commodity, kind of holder, phase and open interest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.position_limit", version=1, inputs=(history("bronze.position_limit"),))
def position_limit(inputs: Inputs) -> DataFrame:
    """One row per version of a limit; see ``dimension_rows``."""
    return dimension_rows(inputs, "bronze.position_limit")
