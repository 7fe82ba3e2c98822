"""Members of the exchange, as they were valid and known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.member", version=1, inputs=(history("bronze.member"),))
def member(inputs: Inputs) -> DataFrame:
    """One row per version of a member; see ``dimension_rows``."""
    return dimension_rows(inputs, "bronze.member")
