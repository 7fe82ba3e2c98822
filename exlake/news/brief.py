"""The daily brief: a date's news in a few sentences, each with the rows behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from contracts.errors import TerminalError
from exlake.news.asking import (
    Ask,
    DayState,
    Evidence,
    Row,
    ask,
    day_states,
    listed,
    plain,
    publication,
)
from pipelines.engine.calendar import TradingCalendar

NAMED = (
    "(SELECT commodity_id, any_value(name_zh) AS name_zh, any_value(name_en) AS name_en\n"
    "  FROM silver.commodity WHERE known_to IS NULL AND valid_from <= DATE '{day}'\n"
    "    AND (valid_to IS NULL OR valid_to > DATE '{day}') GROUP BY commodity_id)"
)
COMMODITIES = (
    """SELECT s.commodity_id, coalesce(c.name_zh, s.commodity_id) AS name_zh,
  coalesce(c.name_en, s.commodity_id) AS name_en, s.article_count, s.story_count,
  s.bullish_count, s.bearish_count, s.neutral_count, s.direction_score, s.main_driver
FROM gold.news_sentiment_daily s LEFT JOIN """
    + NAMED
    + """ c USING (commodity_id)
WHERE s.trade_date = DATE '{day}' AND {which}
ORDER BY abs(s.bullish_count - s.bearish_count) DESC, s.total_reach DESC, s.commodity_id LIMIT 3"""
)
OVERVIEW = """SELECT count(*) AS all_article_count, count(*) FILTER (counted) AS article_count,
  count(DISTINCT story_id) AS story_count,
  count(DISTINCT story_id) FILTER (repeated) AS repeated_count,
  count(DISTINCT source) AS source_count,
  count(*) FILTER (counted AND tone = 1) AS positive_tone_count,
  count(*) FILTER (counted AND tone = -1) AS negative_tone_count
FROM gold.news_mention WHERE mention_kind = 'STORY' AND trade_date = DATE '{day}'"""
STORIES = """SELECT story_id, title, article_count, all_article_count, source_count, total_reach,
  source_factor, novelty_factor, recency_factor, round(influence_score, 2) AS influence_score
FROM gold.news_influence WHERE trade_date = DATE '{day}'
ORDER BY gold.news_influence.influence_score DESC, story_id LIMIT 5"""
HARMFUL = """SELECT i.story_id, i.title, i.article_count, i.all_article_count, i.source_count,
  i.total_reach, round(i.influence_score, 2) AS influence_score
FROM gold.news_influence i
SEMI JOIN (SELECT story_id FROM gold.news_mention WHERE mention_kind = 'STORY' AND tone = -1
  AND trade_date = DATE '{day}') m USING (story_id)
WHERE i.trade_date = DATE '{day}' ORDER BY i.influence_score DESC, i.story_id LIMIT 3"""
WORDS = """SELECT word, word_kind, article_count, story_count, document_share, window_article_count,
  burst_score
FROM gold.hot_word_daily WHERE trade_date = DATE '{day}'
ORDER BY burst_score DESC NULLS LAST, article_count DESC, word LIMIT 8"""
BEHIND = """SELECT mention_kind, mention_key, article_id, story_id, counted
FROM gold.news_mention WHERE trade_date = DATE '{day}' AND (
  (mention_kind = 'STORY' AND mention_key IN ({stories}))
  OR (mention_kind = 'COMMODITY' AND in_title AND mention_key IN ({commodities}))
  OR (mention_kind IN ('WORD', 'PHRASE') AND mention_key IN ({words})))
ORDER BY ALL"""
ARTICLES = """SELECT trade_date, a.article_id, m.story_id, m.counted, a.published_at, a.source,
  a.title,
  coalesce(a.reach, 0) AS reach, m.tone, a.url_path, a.repost_of
FROM silver.news_article a JOIN gold.news_mention m USING (trade_date, article_id)
WHERE m.mention_kind = 'STORY' AND trade_date = DATE '{day}'
  AND (m.story_id IN ({stories}) OR article_id IN ({articles}))
ORDER BY a.published_at, article_id"""
POINTS = {
    "stories": ("最受关注的事件", "Most influential stories", "STORY", "story_id"),
    "bullish": ("利多", "Bullish", "COMMODITY", "commodity_id"),
    "bearish": ("利空", "Bearish", "COMMODITY", "commodity_id"),
    "harmful": ("负面舆情", "Negative tone", "STORY", "story_id"),
    "words": ("热词", "Hot words", "WORD", "word"),
}
"""Key of a point -> titles, the kind of mention behind its rows, and which column names it."""


class NotATradeDateError(TerminalError):
    """Raised when a page is asked for days on which the exchange does not trade."""

    code = "not-a-trade-date"

    def __init__(self, first: date, last: date) -> None:
        span = f"{first}" if first == last else f"{first}..{last}"
        super().__init__(
            f"{span} has no trade date of the exchange, so there is no news interval.",
            next_step="give a trade date; `exlake status` lists those of the lake.",
            product="gold.news_mention",
        )


@dataclass(frozen=True)
class Sentence:
    """A row that a sentence of the brief speaks of, with its clusters and articles."""

    row: Row
    stories: tuple[str, ...]
    articles: tuple[str, ...]
    counted: int
    """How many of the articles the mart counts."""

    @property
    def label(self) -> str:
        """What it speaks of, in a word."""
        return next(str(self.row[k]) for k in ("title", "name_zh", "word") if k in self.row)


@dataclass(frozen=True)
class Point:
    """One part of the brief: the question, and a sentence for each row of its answer."""

    key: str
    evidence: Evidence
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Brief:
    """Everything the page of a date shows; without points when the date has no rows to count."""

    day: date
    audience: str
    publication_id: str
    published_at: datetime
    state: DayState
    overview: Evidence | None
    points: tuple[Point, ...]
    articles: Evidence | None
    behind: Evidence | None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Every question, in the page's order."""
        last = (self.articles, self.behind)
        parts = (self.overview, *(p.evidence for p in self.points), *last)
        return tuple(e for e in parts if e is not None)


def make_brief(day: date, asked: Ask, calendar: TradingCalendar, audience: str) -> Brief:
    """Ask everything about a trade date. A held or blocked one shows what was published before,
    with its state; one without rows has no figure.

    Raises NotATradeDateError, DateOutsideCalendarError and the errors of ``catalog.query``.
    """
    if not calendar.is_trade_date(day):
        raise NotATradeDateError(day, day)
    [state] = day_states(asked, [day])
    identity, moment = publication(asked)

    def asks(key: str, zh: str, en: str, sql: str, **more: str) -> Evidence:
        return ask(asked, key, zh, en, sql.format(day=day, **more))

    overview = asks("overview", "概况", "Overview", OVERVIEW)
    if not state.there and not overview.rows[0]["all_article_count"]:
        return Brief(day, audience, identity, moment, state, None, (), None, None)
    found = {
        "stories": asks("stories", *POINTS["stories"][:2], STORIES),
        "bullish": asks("bullish", *POINTS["bullish"][:2], COMMODITIES,
                        which="s.bullish_count > s.bearish_count"),
        "bearish": asks("bearish", *POINTS["bearish"][:2], COMMODITIES,
                        which="s.bearish_count > s.bullish_count"),
        "harmful": asks("harmful", *POINTS["harmful"][:2], HARMFUL),
        "words": asks("words", *POINTS["words"][:2], WORDS),
    }  # fmt: skip
    keys: dict[str, set[str]] = {"STORY": set(), "COMMODITY": set(), "WORD": set()}
    for key, evidence in found.items():
        _, _, kind, column = POINTS[key]
        keys[kind] |= {row[column] for row in evidence.rows}
    behind = asks(
        "behind", "句子背后的提及", "Mentions behind the sentences", BEHIND,
        stories=_in(keys["STORY"]), commodities=_in(keys["COMMODITY"]), words=_in(keys["WORD"]),
    )  # fmt: skip
    points = tuple(_point(key, evidence, behind.rows) for key, evidence in found.items())
    stories = {s for p in points for each in p.sentences for s in each.stories}
    articles = {row["article_id"] for row in behind.rows}
    return Brief(
        day=day,
        audience=audience,
        publication_id=identity,
        published_at=moment,
        state=state,
        overview=overview,
        points=points,
        articles=asks("articles", "报道", "Articles", ARTICLES,
                      stories=_in(stories), articles=_in(articles)),
        behind=behind,
    )  # fmt: skip


def _in(keys: set[str]) -> str:
    return listed(sorted(keys)) or "NULL"


def _point(key: str, evidence: Evidence, behind: tuple[Row, ...]) -> Point:
    _, _, kind, column = POINTS[key]
    kinds = ("WORD", "PHRASE") if kind == "WORD" else (kind,)
    sentences = []
    for row in evidence.rows:
        mine = [m for m in behind if m["mention_kind"] in kinds and m["mention_key"] == row[column]]
        stories = tuple(dict.fromkeys(m["story_id"] for m in mine))
        articles = tuple(m["article_id"] for m in mine)
        sentences.append(Sentence(row, stories, articles, sum(m["counted"] for m in mine)))
    return Point(key, evidence, tuple(sentences))


def as_data(brief: Brief) -> dict[str, Any]:
    """The brief for programs: rows with their clusters and articles, the state, and the SQL."""
    state = brief.state
    return {
        "trade_date": brief.day.isoformat(),
        "audience": brief.audience,
        "publication_id": brief.publication_id,
        "state": state.state,
        "partial": state.partial,
        "quarantined": state.quarantined,
        "because": state.because,
        "overview": plain(brief.overview.rows)[0] if brief.overview else None,
        **{
            p.key: [
                {**row, "stories": list(s.stories), "articles": list(s.articles)}
                for row, s in zip(plain(p.evidence.rows), p.sentences, strict=True)
            ]
            for p in brief.points
        },
        "sql": {e.key: e.sql for e in brief.evidence},
    }
