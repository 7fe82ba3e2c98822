"""Money of clients with their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.client_fund", version=2, inputs=(same("bronze.client_fund"),))
def client_fund(inputs: Inputs) -> DataFrame:
    """One row per client, as delivered, typed. A file of before messages were told charges none."""
    return delivered_rows(
        inputs,
        "bronze.client_fund",
        {
            "message_fee": "coalesce(message_fee, '0')",
            "message_count": "coalesce(message_count, '0')",
        },
    )
