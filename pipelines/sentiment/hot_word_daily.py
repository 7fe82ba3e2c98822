"""Words and phrases of a date's news, and how unusual they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, previous, same
from pipelines.sentiment.day import Weights, load_weights
from pipelines.sentiment.ontology import ONTOLOGY_DIGEST, released_ontology

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SQL = """
WITH every AS (
  SELECT trade_date AS day, mention_kind, mention_key, story_id, source, true AS now
  FROM {mention} WHERE counted
  UNION ALL
  SELECT CAST(_for_interval AS DATE), mention_kind, mention_key, NULL, NULL, false
  FROM {window} WHERE counted
), counts AS (
  SELECT day, mention_kind, mention_key,
    count(*) FILTER (WHERE now) AS article_count,
    count(*) FILTER (WHERE NOT now) AS window_article_count,
    CAST(size(collect_set(story_id)) AS BIGINT) AS story_count,
    CAST(size(collect_set(source)) AS BIGINT) AS source_count
  FROM every GROUP BY day, mention_kind, mention_key
), totals AS (
  SELECT *,
    sum(CASE WHEN mention_kind = 'STORY' THEN article_count END) OVER (PARTITION BY day) AS all_now,
    sum(CASE WHEN mention_kind = 'STORY' THEN window_article_count END)
      OVER (PARTITION BY day) AS all_then
  FROM counts
), priors AS (
  SELECT *,
    PRIOR_ARTICLES * (article_count + window_article_count) / (all_now + all_then) AS prior
  FROM totals
  WHERE mention_kind IN ('WORD', 'PHRASE') AND article_count >= LEAST_ARTICLES
)
SELECT day AS trade_date, mention_key AS word, mention_kind AS word_kind, article_count,
  window_article_count, story_count, source_count,
  CAST(article_count / all_now AS DECIMAL(10,6)) AS document_share,
  CASE WHEN mention_kind = 'WORD' AND all_then > 0 THEN CAST((
    ln((article_count + prior) / (all_now + PRIOR_ARTICLES - article_count - prior + 0.5e0))
    - ln((window_article_count + prior)
      / (all_then + PRIOR_ARTICLES - window_article_count - prior + 0.5e0))
  ) / sqrt(1e0 / (article_count + prior) + 1e0 / (window_article_count + prior))
  AS DECIMAL(14,6)) END AS burst_score
FROM priors
"""
"""The totals are those of the stories' rows: every counted article has exactly one."""


def hot_word_sql(weights: Weights) -> str:
    """The query with the configured weights in it."""
    return SQL.replace("LEAST_ARTICLES", str(weights.least_articles)).replace(
        "PRIOR_ARTICLES", str(weights.prior_articles)
    )


@job(
    "gold.hot_word_daily",
    version=2,
    inputs=(same("gold.news_mention"), previous("gold.news_mention", n=5)),
)
def hot_word_daily(inputs: Inputs) -> DataFrame:
    """One row per word or phrase in two counted articles or more.

    The burst is the z of the log-odds with an informative Dirichlet prior (Monroe, Colaresi,
    Quinn 2008) over document frequencies: the prior of a word is its share of both together. The
    window is the five trade dates before. Raises OntologyUnreleasedError.
    """
    released_ontology(ONTOLOGY_DIGEST)
    rows = inputs.spark.sql(
        hot_word_sql(load_weights()),
        mention=inputs.read("gold.news_mention", "same"),
        window=inputs.read("gold.news_mention", "previous"),
    )
    return rows.select(*[column.name for column in inputs.contract.columns])
