"""The register of warehouse receipts, a snapshot a date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.warehouse_receipt", version=1, inputs=(same("bronze.warehouse_receipt"),))
def warehouse_receipt(inputs: Inputs) -> DataFrame:
    """One row per receipt that lived on the date, as delivered, typed."""
    return delivered_rows(inputs, "bronze.warehouse_receipt")
