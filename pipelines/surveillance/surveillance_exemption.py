"""What was not counted towards a threshold, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SQL = """
SELECT * FROM (
  SELECT trade_date, exchange, rule_id, rule_version, subject_kind, subject_id, contract_id,
    stack(5, 'HEDGING', exempt_hedging, 'MARKET_MAKING', exempt_market_making, 'FAK', exempt_fak,
      'FOK', exempt_fok, 'REPORTED', exempt_reported) AS (exemption, exempt_figure)
  FROM {day}
) WHERE exempt_figure > 0
"""


@job("gold.surveillance_exemption", version=1, inputs=(same("gold.surveillance_day"),))
def surveillance_exemption(inputs: Inputs) -> DataFrame:
    """One row per rule, subject, contract, date and exemption that took something off."""
    rows = inputs.spark.sql(SQL, day=inputs.read("gold.surveillance_day"))
    return rows.select(*[column.name for column in inputs.contract.columns])
