"""Clients (trading codes) with registration data, as they were valid and known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.client", version=1, inputs=(history("bronze.client"),))
def client(inputs: Inputs) -> DataFrame:
    """One row per version of a client; see ``dimension_rows``."""
    return dimension_rows(inputs, "bronze.client")
