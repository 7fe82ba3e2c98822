"""The news marts as jobs: frames in, exactly the contract's frame out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

pytestmark = pytest.mark.spark


def article(number: int, day: str, title: str) -> dict[str, Any]:
    return {
        "article_id": f"N{number}", "trade_date": day, "published_at": f"{day}T04:00:00+00:00",
        "source": "甲", "language": "zh", "title": title, "body": f"{title}。", "reach": 10,
    }  # fmt: skip


def test_names_are_those_valid_on_the_date(run_job: Callable[..., list[Any]]) -> None:
    """Promise: each date is judged by itself, with the names that held on it."""
    from pipelines.sentiment.news_sentiment_daily import news_sentiment_daily

    days = ("2026-01-05", "2026-01-06")
    news = [article(n, day, title) for n, (day, title) in enumerate(
        [(days[0], "铜库存下降"), (days[1], "铜需求下降"), (days[1], "虚构金属需求增长")]
    )]  # fmt: skip
    listed = {"commodity_id": "cu", "name_zh": "铜", "name_en": "Copper", "known_from": days[0]}
    later = {"commodity_id": "xx", "name_zh": "虚构金属", "known_from": days[0]}
    rows = run_job(
        news_sentiment_daily,
        {
            "silver.news_article": news,
            "silver.commodity": [listed | {"valid_from": "2020-01-02"},
                                 later | {"valid_from": days[1]}],
        },
        days,
    )  # fmt: skip
    found = {(str(r["trade_date"]), r["commodity_id"]): r["direction_score"] for r in rows}
    assert found == {
        (days[0], "cu"): Decimal(1), (days[1], "cu"): Decimal(-1), (days[1], "xx"): Decimal(1)
    }  # fmt: skip
