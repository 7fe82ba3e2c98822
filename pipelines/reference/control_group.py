"""Actual control groups: which clients were tied together, since when, how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.control_group", version=1, inputs=(history("bronze.control_group"),))
def control_group(inputs: Inputs) -> DataFrame:
    """One row per version of a control group; see ``dimension_rows``."""
    return dimension_rows(inputs, "bronze.control_group")
