"""Direction and tone of the news per commodity and date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.engine.job import Inputs, as_of, job, same
from pipelines.sentiment.batches import by_date, read_names
from pipelines.sentiment.day import Article, sentiment_rows
from pipelines.sentiment.ontology import load_ontology
from pipelines.sentiment.words import Dictionary

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job(
    "gold.news_sentiment_daily",
    version=1,
    inputs=(
        same("silver.news_article"),
        as_of("silver.commodity"),
        as_of("silver.contract"),
        as_of("silver.member", optional=True),
        same("silver.warehouse_stock_daily", optional=True),
    ),
)
def news_sentiment_daily(inputs: Inputs) -> DataFrame:
    """One row per commodity that a headline of the date names.

    Near duplicates count once a source.
    """
    return by_date(inputs, _judge, read_names(inputs), window=False)


def _judge(day: date, articles: list[Article], names: Dictionary) -> list[dict[str, Any]]:
    return sentiment_rows(day, articles, load_ontology(), names)
