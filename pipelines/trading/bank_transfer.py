"""Bank transfers of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.bank_transfer", version=1, inputs=(same("bronze.bank_transfer"),))
def bank_transfer(inputs: Inputs) -> DataFrame:
    """One row per transfer, as delivered, typed."""
    return delivered_rows(inputs, "bronze.bank_transfer")
