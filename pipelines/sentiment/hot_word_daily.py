"""Words of a date's news, and how unusual they are."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.engine.job import Inputs, as_of, job, previous, same
from pipelines.sentiment.batches import by_date, read_names
from pipelines.sentiment.day import Article, hot_word_rows, load_weights
from pipelines.sentiment.ontology import load_ontology
from pipelines.sentiment.words import Dictionary, Tokeniser

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job(
    "gold.hot_word_daily",
    version=1,
    inputs=(
        same("silver.news_article"),
        previous("silver.news_article", n=5),
        as_of("silver.commodity"),
        as_of("silver.contract"),
        as_of("silver.member", optional=True),
        same("silver.warehouse_stock_daily", optional=True),
    ),
)
def hot_word_daily(inputs: Inputs) -> DataFrame:
    """One row per word in two counted articles or more.

    The window is the five trade dates before.
    """
    return by_date(inputs, _judge, read_names(inputs), window=True)


def _judge(day: date, articles: list[Article], names: Dictionary) -> list[dict[str, Any]]:
    tokeniser = Tokeniser(load_ontology(), names)
    return hot_word_rows(day, articles, tokeniser, load_weights())
