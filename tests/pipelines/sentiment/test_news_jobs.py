"""The news jobs in Spark: frames in, exactly the contract's frame out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from news_cases import BEFORE, DAY, DAYS, STOCKS, Article, article, marts, rows_of

pytestmark = pytest.mark.spark


def delivered(number: int, day: str, title: str) -> dict[str, Any]:
    return {
        "article_id": f"N{number}", "trade_date": day, "published_at": f"{day}T04:00:00+00:00",
        "source": "甲", "language": "zh", "title": title, "body": f"{title}。", "reach": 10,
    }  # fmt: skip


def test_names_are_those_valid_on_the_date(
    run_job: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: each date is judged by itself, with the names that held on it; in this process or
    by workers, the rows are the same."""
    from pipelines.sentiment import batches, news_mention

    judge = news_mention.news_mention

    days = ("2026-01-05", "2026-01-06")
    news = [delivered(n, day, title) for n, (day, title) in enumerate(
        [(days[0], "铜库存下降"), (days[1], "铜需求下降"), (days[1], "虚构金属需求增长")]
    )]  # fmt: skip
    listed = {"commodity_id": "cu", "name_zh": "铜", "name_en": "Copper", "known_from": days[0]}
    later = {"commodity_id": "xx", "name_zh": "虚构金属", "known_from": days[0]}
    given = {
        "silver.news_article": news,
        "silver.commodity": [listed | {"valid_from": "2020-01-02"},
                             later | {"valid_from": days[1]}],
    }  # fmt: skip
    rows = run_job(judge, given, days)
    monkeypatch.setattr(
        news_mention, "mentions", lambda inputs, names: batches.mentions(inputs, names, few=0)
    )
    assert sorted(run_job(judge, given, days)) == sorted(rows)
    found = {
        (str(r["trade_date"]), r["mention_key"]): r["direction"]
        for r in rows
        if r["mention_kind"] == "COMMODITY"
    }
    assert found == {(days[0], "cu"): 1, (days[1], "cu"): -1, (days[1], "xx"): 1}


def test_spark_and_duckdb_give_the_same_marts(run_job: Callable[..., list[Any]]) -> None:
    """Promise: what the unit tests count by hand in DuckDB is what the jobs publish from Spark."""
    from pipelines.sentiment.hot_word_daily import hot_word_daily
    from pipelines.sentiment.news_influence import news_influence
    from pipelines.sentiment.news_sentiment_daily import news_sentiment_daily

    articles: list[Article] = [article(8, STOCKS, "丙", day=BEFORE, reach=None), *DAYS]
    with marts(articles) as lake:
        mention = "SELECT * FROM gold.news_mention WHERE trade_date = DATE"
        given = {
            "gold.news_mention": rows_of(lake, f"{mention} '{DAY}'"),
            "previous gold.news_mention": rows_of(lake, f"{mention} '{BEFORE}'"),
            "silver.news_article": rows_of(
                lake, f"SELECT * FROM silver.news_article WHERE trade_date = DATE '{DAY}'"
            ),
        }
        for job in (news_sentiment_daily, hot_word_daily, news_influence):
            name = job.__name__
            wanted = rows_of(lake, f"SELECT * FROM gold.{name} WHERE trade_date = DATE '{DAY}'")
            rows = [r.asDict() for r in run_job(job, given, (DAY.isoformat(),))]
            assert _plain(rows) == _plain(wanted), name


def _plain(rows: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Rows to compare: sorted, times without zones, decimals to five places."""

    def value(v: Any) -> Any:
        if isinstance(v, Decimal):
            return round(v, 5)
        return v.strftime("%m-%d %H:%M") if hasattr(v, "hour") else v

    return sorted(([(k, value(v)) for k, v in sorted(r.items())] for r in rows), key=repr)
