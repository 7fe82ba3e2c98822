"""A date's articles as mentions: what each article names and says, and in which story it stands."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from typing import Any, Final

from pipelines.sentiment.duplicates import Clusters, Mark, cluster
from pipelines.sentiment.ontology import Ontology, normalise, read_folder
from pipelines.sentiment.scoring import Direction, score
from pipelines.sentiment.words import Dictionary, link, tokeniser_of

STORY, WORD, PHRASE, COMMODITY = "STORY", "WORD", "PHRASE", "COMMODITY"
KEY_LENGTH: Final = 64
"""Longest word kept: a longer run of letters is no word, and keys stay short."""
SHORT: Final = 150
"""Characters below which a text says less than its headline (our choice)."""
_FIGURE = re.compile(r"\d[\d.,]*")
Row = dict[str, Any]


@dataclass(frozen=True)
class Article:
    """One article; ``published_at`` with a time zone, ``reach`` None when the source gives none."""

    article_id: str
    trade_date: date
    published_at: datetime
    source: str
    title: str
    body: str
    reach: int | None


@dataclass(frozen=True)
class Weights:
    """The configured weights (``contracts/ontology/influence.yaml``)."""

    prior_articles: int
    least_articles: int
    repeated_novelty: str
    half_life_hours: int
    phrase_articles: int
    phrase_pmi: float


@cache
def load_weights() -> Weights:
    """The committed weights."""
    body = read_folder()["influence"]
    return Weights(
        int(body["prior_articles"]),
        int(body["least_articles"]),
        str(body["repeated_novelty"]),
        int(body["half_life_hours"]),
        int(body["phrase_articles"]),
        float(body["phrase_pmi"]),
    )


def ordered(articles: Iterable[Article]) -> list[Article]:
    """Oldest first, by number where times are equal: what came first must not depend on chance."""
    return sorted(articles, key=lambda a: (a.trade_date, a.published_at, a.article_id))


def stories(articles: Sequence[Article], dictionary: Dictionary) -> Clusters:
    """Near duplicates among ordered articles, by headline and text.

    A short text is compared by its headline alone: what is left of it is a form of words that
    many articles share.
    """
    texts, marks = [], []
    for article in articles:
        texts.append(
            article.title if len(article.body) < SHORT else f"{article.title}\n{article.body}"
        )
        title = normalise(article.title)
        named = {each.key for each in link(title, dictionary) if each.kind == COMMODITY.lower()}
        marks.append(Mark(frozenset(named), frozenset(_FIGURE.findall(title))))
    return cluster(texts, [a.source for a in articles], marks)


@dataclass(frozen=True)
class Told:
    """An article of the date in its story, with its words in order (headline, then text).

    ``fresh``: the first of its source in its story, the dates before included.
    """

    article: Article
    story_id: str
    repeated: bool
    fresh: bool
    title_words: tuple[str, ...]
    body_words: tuple[str, ...]


def mention_rows(
    day: date,
    articles: Sequence[Article],
    ontology: Ontology,
    dictionary: Dictionary,
    weights: Weights,
) -> list[Row]:
    """The rows of gold.news_mention of one date; earlier articles decide what was told before.

    Names of sources and stop words are no words.
    """
    told = _told(day, ordered(articles), ontology, dictionary)
    phrases = phrases_of([t for t in told if t.fresh], weights)
    seen: set[tuple[str, str, str]] = set()
    rows: list[Row] = []
    for each in told:
        judged = score(each.article.title, ontology, dictionary)

        def row(
            kind: str, key: str, in_title: bool, counted: bool, said: Direction | None = None,
            each: Told = each, tone: int = judged.tone,
        ) -> Row:  # fmt: skip
            return {
                "trade_date": day,
                "article_id": each.article.article_id,
                "mention_kind": kind,
                "mention_key": key,
                "in_title": in_title,
                "counted": counted,
                "story_id": each.story_id,
                "repeated": each.repeated,
                "source": each.article.source,
                "reach": each.article.reach,
                "tone": tone,
                "direction": said.direction if said else None,
                "driver": said.driver if said else None,
                "driver_sign": said.sign if said else None,
            }

        rows.append(row(STORY, each.story_id, True, each.fresh))
        for said in judged.directions:
            # Of near duplicates the headlines can differ: a source counts once among those that
            # name the commodity.
            who = (each.story_id, each.article.source, said.commodity_id)
            rows.append(row(COMMODITY, said.commodity_id, True, who not in seen, said))
            seen.add(who)
        titled = {(one.kind, one.key) for one in judged.links}
        below = {(o.kind, o.key) for o in link(normalise(each.article.body), dictionary)} - titled
        for kind, key in sorted(titled | below):
            if kind != "commodity":
                rows.append(row(kind.upper(), key, (kind, key) in titled, each.fresh))
            elif (kind, key) in below:
                rows.append(row(COMMODITY, key, False, False))
        for word in sorted({*each.title_words, *each.body_words} - {""}):
            rows.append(row(WORD, word, word in each.title_words, each.fresh))
        titled_pairs = set(pairwise(each.title_words))
        for pair in sorted((titled_pairs | set(pairwise(each.body_words))) & phrases.keys()):
            rows.append(row(PHRASE, phrases[pair], pair in titled_pairs, each.fresh))
    return rows


def _told(
    day: date, articles: list[Article], ontology: Ontology, dictionary: Dictionary
) -> list[Told]:
    tokeniser = tokeniser_of(ontology, dictionary)
    groups = stories(articles, dictionary)
    skipped = {word for a in articles for word in tokeniser.words(a.source)} | ontology.stop_words

    def words(text: str) -> tuple[str, ...]:
        # A word left out leaves a gap: what stood on its sides did not stand side by side.
        found = tokeniser.in_place(text)
        return tuple("" if w in skipped or len(w) > KEY_LENGTH else w for w in found)

    first: dict[int, str] = {}
    told = []
    for number, article in enumerate(articles):
        if article.trade_date != day:
            continue
        origin = groups.first[number]
        told.append(
            Told(
                article,
                first.setdefault(origin, article.article_id),
                articles[origin].trade_date != day,
                groups.counts[number],
                words(article.title),
                words(article.body),
            )
        )
    return told


def phrases_of(told: Sequence[Told], weights: Weights) -> dict[tuple[str, str], str]:
    """Pairs of neighbouring words that are one expression, with its name.

    Pointwise mutual information over document frequencies (Church and Hanks 1990): ln of
    p(pair) / (p(left) p(right)), p being shares of the counted articles.
    """
    single: Counter[str] = Counter()
    double: Counter[tuple[str, str]] = Counter()
    for each in told:
        single.update({*each.title_words, *each.body_words} - {""})
        pairs = {*pairwise(each.title_words), *pairwise(each.body_words)}
        double.update(pair for pair in pairs if "" not in pair and pair[0] != pair[1])
    return {
        pair: _joined(*pair)
        for pair, found in double.items()
        if found >= weights.phrase_articles
        and math.log(found * len(told) / (single[pair[0]] * single[pair[1]])) >= weights.phrase_pmi
    }


def _joined(left: str, right: str) -> str:
    return f"{left} {right}" if left[-1].isascii() and right[0].isascii() else left + right
