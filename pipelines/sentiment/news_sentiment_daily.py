"""Direction and tone of the news per commodity and date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DRIVERS = ("COST", "DEMAND", "LOGISTICS", "MACRO", "POLICY", "PRICE", "STOCKS", "SUPPLY")
"""By name: of equally frequent ones the first counts."""

SQL = f"""
WITH counts AS (
  SELECT trade_date, mention_key AS commodity_id,
    count(*) FILTER (WHERE counted) AS article_count,
    count(*) AS all_article_count,
    CAST(size(collect_set(CASE WHEN counted THEN story_id END)) AS BIGINT) AS story_count,
    CAST(size(collect_set(CASE WHEN counted THEN source END)) AS BIGINT) AS source_count,
    coalesce(sum(reach) FILTER (WHERE counted), 0) AS total_reach,
    count(*) FILTER (WHERE counted AND direction = 1) AS bullish_count,
    count(*) FILTER (WHERE counted AND direction = -1) AS bearish_count,
    count(*) FILTER (WHERE counted AND direction = 0) AS neutral_count,
    count(*) FILTER (WHERE counted AND tone = 1) AS positive_tone_count,
    count(*) FILTER (WHERE counted AND tone = -1) AS negative_tone_count,
    {", ".join(f"count(*) FILTER (WHERE counted AND driver = '{d}') AS {d}" for d in DRIVERS)}
  FROM {{mention}} WHERE mention_kind = 'COMMODITY' AND in_title
  GROUP BY trade_date, mention_key
)
SELECT *,
  CAST((bullish_count - bearish_count) / article_count AS DECIMAL(10,6)) AS direction_score,
  CAST((positive_tone_count - negative_tone_count) / article_count AS DECIMAL(10,6))
    AS tone_score,
  CASE greatest({", ".join(DRIVERS)}) WHEN 0 THEN 'NONE'
    {" ".join(f"WHEN {d} THEN '{d}'" for d in DRIVERS)} END AS main_driver
FROM counts
"""
"""One aggregation without a join: on a small day each further stage costs more than the rows."""


@job("gold.news_sentiment_daily", version=2, inputs=(same("gold.news_mention"),))
def news_sentiment_daily(inputs: Inputs) -> DataFrame:
    """One row per commodity that a headline of the date names.

    Near duplicates count once a source.
    """
    rows = inputs.spark.sql(SQL, mention=inputs.read("gold.news_mention"))
    return rows.select(*[column.name for column in inputs.contract.columns])
