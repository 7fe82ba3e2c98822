"""News about the simulated market, written from our own templates; truth kept apart."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.deliveries import Outgoing, beijing
from pipelines.simulation.news_grammar import (
    CORRECTABLE,
    SOURCES,
    Story,
    correction,
    render,
    stories_of,
)

_PER_DAY: Final = {"tiny": 12, "small": 60, "medium": 120, "exchange": 240}
_CORRECTED: Final = 0.08
"""Share of reports of a figure that give it wrong at first (assumption)."""


@dataclass(frozen=True)
class NewsDay:
    """The delivery of a date and one truth record per article."""

    delivery: Outgoing
    truth: tuple[dict[str, Any], ...]


def write_news(
    rng: np.random.Generator,
    board: Board,
    moves: NDArray[np.float64],
    stock_change: NDArray[np.int64],
    scale: str,
) -> NewsDay:
    """Write a date's articles.

    ``moves`` is the relative price change of each commodity, ``stock_change`` the change of its
    stocks. About a quarter of the articles are reposts (same text) or near duplicates; a few
    reports of a figure give it wrong and are corrected later the same day.
    """
    stories = stories_of(rng, board, moves, stock_change, _PER_DAY[scale])
    articles: list[dict[str, Any]] = []
    truth: list[dict[str, Any]] = []
    stamp = f"{board.trade_date:%Y%m%d}"
    opens = beijing(board.trade_date, "00:05")
    for story in stories:
        published = opens + timedelta(seconds=int(rng.integers(0, 55_000)))
        original = len(articles)
        right = story
        slip = story.pattern in CORRECTABLE and story.direction != 0
        if slip and rng.random() < _CORRECTED:
            story = replace(right, amount=f"1{right.amount}")  # a digit too many
        _add(articles, truth, story, render(rng, story), published, None, stamp, rng)
        for _ in range(int(rng.random() < 0.3) + int(rng.random() < 0.1)):
            later = published + timedelta(seconds=int(rng.integers(120, 9_000)))
            again = (articles[original]["title"], articles[original]["body"])
            if rng.random() < 0.4:  # reworded: a near duplicate
                again = render(rng, story, variant=True)
            _add(articles, truth, story, again, later, articles[original]["_key"], stamp, rng)
        if story is not right:
            later = published + timedelta(seconds=int(rng.integers(1_800, 9_000)))
            _add(articles, truth, right, correction(right, story), later, None, stamp, rng)
            truth[-1]["corrects"] = articles[original]["_key"]
    line = sorted(range(len(articles)), key=lambda i: (articles[i]["published_at"], i))
    ids = {articles[i]["_key"]: f"N{stamp}-{n + 1:04d}" for n, i in enumerate(line)}
    lines, labels = [], []
    for i in line:
        article = {k: v for k, v in articles[i].items() if not k.startswith("_")}
        article["article_id"] = ids[articles[i]["_key"]]
        origin = articles[i]["_origin"]
        article["repost_of"] = ids[origin] if origin is not None else None
        article["url_path"] = f"/{article['source']}/{stamp}/{article['article_id']}"
        lines.append(json.dumps(_ordered(article), ensure_ascii=False))
        label = {"kind": "news", "article_id": article["article_id"], **truth[i]}
        if label["corrects"] is not None:
            label["corrects"] = ids[label["corrects"]]
        labels.append(label)
    data = ("\n".join(lines) + "\n").encode("utf-8")
    delivery = Outgoing(
        system="news",
        dataset="news_article",
        trade_date=board.trade_date,
        file=f"news_{stamp}.jsonl",
        data=data,
        rows=len(lines),
        generated_at=beijing(board.trade_date, "16:00"),
    )
    return NewsDay(delivery, tuple(labels))


def _add(
    articles: list[dict[str, Any]], truth: list[dict[str, Any]], story: Story,
    written: tuple[str, str], published: datetime, origin: int | None, stamp: str,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    source, weight = SOURCES[int(rng.integers(len(SOURCES)))]
    title, body = written
    last = datetime.combine(published.date(), datetime.max.time(), published.tzinfo)
    articles.append(
        {
            "published_at": f"{min(published, last):%Y-%m-%d %H:%M:%S}",
            "source": source,
            "language": story.language,
            "title": title,
            "body": body,
            "reach": int(weight * np.exp(rng.normal(0.0, 0.8))),
            "_key": len(articles),
            "_origin": origin,
        }
    )
    truth.append(
        {
            "event_id": f"E{stamp}-{story.number:03d}",
            "commodity_id": story.commodity_id,
            "driver": story.driver,
            "driver_sign": story.sign,
            "direction": story.direction,
            "tone": story.tone,
            "pattern": story.pattern,
            "corrects": None,
        }
    )


def _ordered(article: dict[str, Any]) -> dict[str, Any]:
    names = (
        "article_id", "published_at", "source", "language", "title", "body", "url_path", "reach",
        "repost_of",
    )  # fmt: skip
    return {name: article[name] for name in names}
