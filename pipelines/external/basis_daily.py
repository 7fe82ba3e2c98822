"""Crude oil of INE beside Brent and Dubai, from a vendor's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.external.histories import history_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.basis_daily", version=1, inputs=(history("bronze.basis_daily"),))
def basis_daily(inputs: Inputs) -> DataFrame:
    """One row per date, as delivered, typed."""
    return history_rows(inputs, "bronze.basis_daily", ("trade_date",), {})
