"""Stories of a date with their influence and its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.sentiment.day import Weights, load_weights
from pipelines.sentiment.ontology import ONTOLOGY_DIGEST, released_ontology

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SQL = """
WITH told AS (
  SELECT m.trade_date, m.story_id, m.repeated, m.source, m.reach, a.title, a.published_at,
    row_number() OVER (PARTITION BY m.trade_date, m.story_id
      ORDER BY a.published_at, a.article_id) AS place,
    row_number() OVER (PARTITION BY m.trade_date, m.story_id, m.source
      ORDER BY a.published_at, a.article_id) AS place_in_source
  FROM {mention} m
  JOIN {article} a ON a.trade_date = m.trade_date AND a.article_id = m.article_id
  WHERE m.mention_kind = 'STORY'
), story AS (
  SELECT trade_date, story_id,
    max(CASE WHEN place = 1 THEN title END) AS title,
    min(published_at) AS first_published_at,
    count(DISTINCT source) AS article_count,
    count(*) AS all_article_count,
    count(DISTINCT source) AS source_count,
    coalesce(sum(reach) FILTER (WHERE place_in_source = 1), 0) AS total_reach,
    max(CASE WHEN repeated THEN 1 ELSE 0 END) AS repeats,
    timestampdiff(MICROSECOND, min(published_at),
      CAST(trade_date AS TIMESTAMP) + INTERVAL 16 HOURS) / 3.6e9 AS age_hours
  FROM told GROUP BY trade_date, story_id
), parts AS (
  SELECT *,
    CAST(ln(1 + source_count) AS DECIMAL(8,6)) AS sources,
    CAST(CASE WHEN repeats = 1 THEN REPEATED_NOVELTY ELSE 1 END AS DECIMAL(7,6)) AS novelty,
    CAST(greatest(power(0.5e0, greatest(age_hours, 0e0) / HALF_LIFE_HOURS), 0.000001e0)
      AS DECIMAL(7,6)) AS recency
  FROM story
)
SELECT *,
  CAST(sources AS DECIMAL(14,6)) AS source_factor,
  CAST(novelty AS DECIMAL(10,6)) AS novelty_factor,
  CAST(recency AS DECIMAL(10,6)) AS recency_factor,
  CAST(CAST(total_reach AS DECIMAL(15,0)) * sources * novelty * recency AS DECIMAL(24,6))
    AS influence_score
FROM parts
"""
"""The trade date ends at 16:00 UTC, midnight in Beijing."""


def influence_sql(weights: Weights) -> str:
    """The query with the configured weights in it."""
    return SQL.replace("REPEATED_NOVELTY", weights.repeated_novelty).replace(
        "HALF_LIFE_HOURS", str(weights.half_life_hours)
    )


@job(
    "gold.news_influence",
    version=2,
    inputs=(same("gold.news_mention"), same("silver.news_article")),
)
def news_influence(inputs: Inputs) -> DataFrame:
    """One row per story; a story of the five trade dates before is less of a novelty.

    Reach and sources count the first article of each source. Raises OntologyUnreleasedError.
    """
    released_ontology(ONTOLOGY_DIGEST)
    rows = inputs.spark.sql(
        influence_sql(load_weights()),
        mention=inputs.read("gold.news_mention"),
        article=inputs.read("silver.news_article"),
    )
    return rows.select(*[column.name for column in inputs.contract.columns])
