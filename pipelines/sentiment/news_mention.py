"""What each article of a date names and says: the one pass over the texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, as_of, job, previous, same
from pipelines.sentiment.batches import mentions, read_names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job(
    "gold.news_mention",
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
def news_mention(inputs: Inputs) -> DataFrame:
    """One row per article and thing it names, with its story and what its headline says.

    A story of the five trade dates before is a repeated one.
    """
    return mentions(inputs, read_names(inputs))
