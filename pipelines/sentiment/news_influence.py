"""Stories of a date with their influence and its parts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.engine.job import Inputs, job, previous, same
from pipelines.sentiment.batches import NO_NAMES, by_date
from pipelines.sentiment.day import Article, influence_rows, load_weights
from pipelines.sentiment.words import Dictionary

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job(
    "gold.news_influence",
    version=1,
    inputs=(
        same("silver.news_article"),
        previous("silver.news_article", n=5),
    ),
)
def news_influence(inputs: Inputs) -> DataFrame:
    """One row per story; a story of the five trade dates before is less of a novelty."""
    return by_date(inputs, _judge, NO_NAMES, window=True)


def _judge(day: date, articles: list[Article], names: Dictionary) -> list[dict[str, Any]]:
    return influence_rows(day, articles, load_weights())
