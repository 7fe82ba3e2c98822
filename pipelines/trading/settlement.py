"""The clearing house's figures per contract and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.settlement", version=1, inputs=(same("bronze.settlement"),))
def settlement(inputs: Inputs) -> DataFrame:
    """One row per contract, as delivered, typed."""
    return delivered_rows(inputs, "bronze.settlement")
