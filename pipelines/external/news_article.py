"""News articles as delivered, typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.published import typed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.news_article", version=1, inputs=(same("bronze.news_article"),))
def news_article(inputs: Inputs) -> DataFrame:
    """One row per article, in the trade date it was delivered for."""
    return typed(inputs, inputs.read("bronze.news_article"), {})
