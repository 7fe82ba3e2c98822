"""Money of members with the clearing house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.member_fund", version=2, inputs=(same("bronze.member_fund"),))
def member_fund(inputs: Inputs) -> DataFrame:
    """One row per member, as delivered, typed. A file of before messages were told charges none."""
    return delivered_rows(
        inputs, "bronze.member_fund", {"message_fee": "coalesce(message_fee, '0')"}
    )
