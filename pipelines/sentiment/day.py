"""A date's articles as figures: sentiment per commodity, hot words, influence of stories."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

import yaml

from pipelines.sentiment.duplicates import Clusters, cluster
from pipelines.sentiment.ontology import FOLDER, Ontology
from pipelines.sentiment.scoring import NONE, score
from pipelines.sentiment.words import Dictionary, Tokeniser

MICRO: Final = Decimal("0.000001")
_DAY_ENDS: Final = time(16, tzinfo=UTC)  # midnight in Beijing
Row = dict[str, Any]


@dataclass(frozen=True)
class Article:
    """One article; ``published_at`` with a time zone, ``reach`` 0 when the source gives none."""

    article_id: str
    trade_date: date
    published_at: datetime
    source: str
    title: str
    body: str
    reach: int


@dataclass(frozen=True)
class Weights:
    """The configured weights (``contracts/ontology/influence.yaml``)."""

    prior_articles: int
    least_articles: int
    repeated_novelty: Decimal
    half_life_hours: int


@cache
def load_weights() -> Weights:
    """The committed weights."""
    body = yaml.safe_load((FOLDER / "influence.yaml").read_text(encoding="utf-8"))
    return Weights(
        int(body["prior_articles"]),
        int(body["least_articles"]),
        Decimal(body["repeated_novelty"]),
        int(body["half_life_hours"]),
    )


def ordered(articles: Iterable[Article]) -> list[Article]:
    """Oldest first, by number where times are equal: what came first must not depend on chance."""
    return sorted(articles, key=lambda a: (a.trade_date, a.published_at, a.article_id))


def stories(articles: Sequence[Article]) -> Clusters:
    """Near duplicates among ordered articles, by headline and text."""
    return cluster([f"{a.title}\n{a.body}" for a in articles], [a.source for a in articles])


def ratio(part: int, whole: int) -> Decimal:
    """A share with six decimals."""
    return (Decimal(part) / Decimal(whole)).quantize(MICRO)


def sentiment_rows(
    day: date, articles: Sequence[Article], ontology: Ontology, dictionary: Dictionary
) -> list[Row]:
    """One row per commodity that headlines of the date name (gold.news_sentiment_daily)."""
    articles = ordered(articles)
    groups = stories(articles)
    said: dict[str, list[tuple[int, int, int, str]]] = defaultdict(list)
    for number, article in enumerate(articles):
        judged = score(article.title, ontology, dictionary)
        for each in judged.directions:
            said[each.commodity_id].append((number, judged.tone, each.direction, each.driver))
    rows = []
    for commodity, every in sorted(said.items()):
        # Of near duplicates the headlines can differ: count a source once among those that name it.
        once = {(groups.first[each[0]], articles[each[0]].source): each for each in every[::-1]}
        counted = sorted(once.values())
        total = len(counted)
        tones = Counter(tone for _, tone, _, _ in counted)
        ways = Counter(way for _, _, way, _ in counted)
        drivers = Counter(driver for *_, driver in counted if driver != NONE)
        rows.append(
            {
                "trade_date": day,
                "commodity_id": commodity,
                "article_count": total,
                "all_article_count": len(every),
                "story_count": len({groups.first[n] for n, *_ in counted}),
                "source_count": len({articles[n].source for n, *_ in counted}),
                "total_reach": sum(articles[n].reach for n, *_ in counted),
                "bullish_count": ways[1],
                "bearish_count": ways[-1],
                "neutral_count": ways[0],
                "direction_score": ratio(ways[1] - ways[-1], total),
                "positive_tone_count": tones[1],
                "negative_tone_count": tones[-1],
                "tone_score": ratio(tones[1] - tones[-1], total),
                "main_driver": min(drivers, key=lambda d: (-drivers[d], d)) if drivers else NONE,
            }
        )
    return rows


def hot_word_rows(
    day: date, articles: Sequence[Article], tokeniser: Tokeniser, weights: Weights
) -> list[Row]:
    """One row per word of the date (gold.hot_word_daily); earlier articles are the window.

    The burst is the z of the log-odds with an informative Dirichlet prior (Monroe, Colaresi,
    Quinn 2008) over document frequencies: the prior of a word is its share of both together.
    Names of sources are no words.
    """
    articles = ordered(articles)
    groups = stories(articles)
    names = {word for a in articles for word in tokeniser.words(a.source)}
    then: Counter[str] = Counter()
    now: dict[str, list[int]] = defaultdict(list)
    totals = Counter(
        articles[n].trade_date == day for n, counts in enumerate(groups.counts) if counts
    )
    for number, article in enumerate(articles):
        if not groups.counts[number]:
            continue
        for word in set(tokeniser.words(f"{article.title}\n{article.body}")) - names:
            if article.trade_date == day:
                now[word].append(number)
            else:
                then[word] += 1
    return [
        {
            "trade_date": day,
            "word": word,
            "article_count": len(found),
            "story_count": len({groups.first[n] for n in found}),
            "source_count": len({articles[n].source for n in found}),
            "document_share": ratio(len(found), totals[True]),
            "window_article_count": then[word],
            "burst_score": burst(
                len(found), totals[True], then[word], totals[False], weights.prior_articles
            ),
        }
        for word, found in sorted(now.items())
        if len(found) >= weights.least_articles
    ]


def burst(now: int, all_now: int, then: int, all_then: int, prior: int) -> Decimal | None:
    """z of a word's smoothed log-odds now against then; None when there was nothing then."""
    if not all_then:
        return None
    own = prior * (now + then) / (all_now + all_then)
    odds = [
        math.log((count + own) / (total + prior - count - own + 0.5))
        for count, total in ((now, all_now), (then, all_then))
    ]
    error = math.sqrt(1 / (now + own) + 1 / (then + own))
    return Decimal((odds[0] - odds[1]) / error).quantize(MICRO)


def influence_rows(day: date, articles: Sequence[Article], weights: Weights) -> list[Row]:
    """One row per story of the date (gold.news_influence); earlier articles decide novelty."""
    articles = ordered(articles)
    groups = stories(articles)
    told: dict[int, list[int]] = defaultdict(list)
    for number, article in enumerate(articles):
        if article.trade_date == day:
            told[groups.first[number]].append(number)
    rows = []
    for origin, members in sorted(told.items()):
        first = articles[members[0]]
        counted = {articles[n].source: articles[n].reach for n in reversed(members)}
        repeated = articles[origin].trade_date != day
        parts: Mapping[str, Decimal] = {
            "source_factor": Decimal(math.log1p(len(counted))).quantize(MICRO),
            "novelty_factor": (weights.repeated_novelty if repeated else Decimal(1)),
            "recency_factor": recency(day, first.published_at, weights.half_life_hours),
        }
        reach = sum(counted.values())
        rows.append(
            {
                "trade_date": day,
                "story_id": first.article_id,
                "title": first.title,
                "first_published_at": first.published_at,
                "article_count": len(counted),
                "all_article_count": len(members),
                "source_count": len(counted),
                "total_reach": reach,
                **{name: part.quantize(MICRO) for name, part in parts.items()},
                "influence_score": math.prod(parts.values(), start=Decimal(reach)).quantize(MICRO),
            }
        )
    return rows


def recency(day: date, published_at: datetime, half_life_hours: int) -> Decimal:
    """Halves every half-life between publication and the end of the trade date in Beijing."""
    age = max(datetime.combine(day, _DAY_ENDS) - published_at, timedelta(0))
    halved = 0.5 ** (age.total_seconds() / 3600 / half_life_hours)
    return max(Decimal(halved).quantize(MICRO), MICRO)
