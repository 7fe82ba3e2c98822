"""The news report of a word: how often and how influential over time, by whom, in which stories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

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
from exlake.news.subject import Subject, as_written, resolve, text_condition
from pipelines.engine.calendar import TradingCalendar

SHOWN = 300
"""Articles and stories listed on a page at most; the page says how many there are."""

DAYS = """WITH found AS (
  {found}
), per_story AS (
  SELECT trade_date, sum(influence_score) AS influence
  FROM gold.news_influence SEMI JOIN found USING (trade_date, story_id) GROUP BY trade_date
), every AS (
  SELECT trade_date, count(*) AS articles FROM gold.news_mention
  WHERE mention_kind = 'STORY' GROUP BY trade_date
)
SELECT f.trade_date, count(*) FILTER (f.counted) AS article_count,
  count(*) AS all_article_count, any_value(e.articles) AS delivered_count,
  round(100.0 * count(*) / any_value(e.articles), 1) AS share_percent,
  count(DISTINCT f.story_id) AS story_count, count(DISTINCT f.source) AS source_count,
  coalesce(sum(f.reach) FILTER (f.counted), 0)::BIGINT AS total_reach,
  round(any_value(p.influence), 2) AS influence,
  count(*) FILTER (f.counted AND f.tone = 1) AS positive_tone_count,
  count(*) FILTER (f.counted AND f.tone = -1) AS negative_tone_count,
  count(*) FILTER (f.counted AND f.direction = 1) AS bullish_count,
  count(*) FILTER (f.counted AND f.direction = -1) AS bearish_count
FROM found f JOIN every e USING (trade_date) LEFT JOIN per_story p USING (trade_date)
GROUP BY f.trade_date ORDER BY f.trade_date"""

SOURCES = """WITH found AS (
  {found}
)
SELECT source, count(*) FILTER (counted) AS article_count, count(*) AS all_article_count,
  count(DISTINCT story_id) AS story_count,
  coalesce(sum(reach) FILTER (counted), 0)::BIGINT AS total_reach
FROM found GROUP BY source ORDER BY article_count DESC, source"""

STORIES = """WITH found AS (
  {found}
)
SELECT i.trade_date, i.story_id, i.title, count(*) AS found_count, i.all_article_count,
  i.source_count, i.total_reach, i.source_factor, i.novelty_factor, i.recency_factor,
  round(i.influence_score, 2) AS influence_score
FROM found f JOIN gold.news_influence i USING (trade_date, story_id)
GROUP BY ALL ORDER BY influence_score DESC, trade_date, story_id"""

ARTICLES = """WITH found AS (
  {found}
)
SELECT a.trade_date, a.article_id, f.story_id, f.counted, a.published_at, a.source, a.title,
  coalesce(a.reach, 0) AS reach, f.tone, f.direction, a.url_path, a.repost_of
FROM found f JOIN silver.news_article a USING (trade_date, article_id)
ORDER BY reach DESC, a.published_at, a.article_id"""

WORD_MART = """SELECT trade_date, word, word_kind, article_count, document_share,
  window_article_count, burst_score
FROM gold.hot_word_daily WHERE word IN ({keys})
  AND trade_date BETWEEN DATE '{first}' AND DATE '{last}' ORDER BY trade_date, word_kind"""

COMMODITY_MART = """SELECT trade_date, commodity_id, article_count, direction_score, tone_score,
  main_driver
FROM gold.news_sentiment_daily WHERE commodity_id IN ({keys})
  AND trade_date BETWEEN DATE '{first}' AND DATE '{last}' ORDER BY trade_date, commodity_id"""

AS_TEXT = """SELECT count(*) AS articles FROM silver.news_article a
WHERE a.trade_date BETWEEN DATE '{first}' AND DATE '{last}'
  AND ({text})"""


@dataclass(frozen=True)
class Report:
    """Everything the page of a word shows.

    ``states`` has every trade date asked for; a date without articles about the word has no row
    in ``days``: whether that is a zero or unknown is what its state says.
    """

    subject: Subject
    first: date
    last: date
    audience: str
    publication_id: str
    published_at: datetime
    states: tuple[DayState, ...]
    days: Evidence
    sources: Evidence
    stories: Evidence
    articles: Evidence
    mart: Evidence | None
    as_text: Evidence

    @property
    def never(self) -> bool:
        """True when no article of the dates mentions it."""
        return not self.articles.rows

    @property
    def incomplete(self) -> tuple[DayState, ...]:
        """Dates whose figures are not whole."""
        return tuple(s for s in self.states if not s.clean)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Every question, in the page's order."""
        parts = (self.days, self.stories, self.sources, self.articles, self.mart, self.as_text)
        return tuple(e for e in parts if e is not None)

    @property
    def totals(self) -> Row:
        """Sums over the articles and stories listed by ``articles`` and ``stories``."""
        counted = [r for r in self.articles.rows if r["counted"]]
        return {
            "article_count": len(counted),
            "all_article_count": len(self.articles.rows),
            "story_count": len(self.stories.rows),
            "source_count": len(self.sources.rows),
            "total_reach": sum(r["reach"] for r in counted),
            "influence": sum(r["influence_score"] for r in self.stories.rows),
        }


def make_report(
    word: str, first: date, last: date, asked: Ask, calendar: TradingCalendar, audience: str
) -> Report:
    """Ask everything about a word. Dates are trade dates, both included.

    Raises WordRefusedError, DateOutsideCalendarError and the errors of ``catalog.query``.
    """
    subject = resolve(word, asked, first, last)
    states = day_states(asked, calendar.between(first, last))
    given = {"found": subject.found_sql(first, last), "first": first, "last": last}
    given["keys"] = listed(subject.keys)
    given["text"] = text_condition(as_written(word))

    def asks(key: str, zh: str, en: str, sql: str) -> Evidence:
        return ask(asked, key, zh, en, sql.format(**given))

    mart = None
    if subject.kind == "WORD":
        mart = asks("mart", "热词日榜", "Hot words by day", WORD_MART)
    elif subject.kind == "COMMODITY":
        mart = asks("mart", "新闻情绪日汇总", "News sentiment by day", COMMODITY_MART)
    identity, moment = publication(asked)
    return Report(
        subject=subject,
        first=first,
        last=last,
        audience=audience,
        publication_id=identity,
        published_at=moment,
        states=states,
        days=asks("days", "逐日", "By trade date", DAYS),
        sources=asks("sources", "来源", "Sources", SOURCES),
        stories=asks("stories", "事件", "Stories", STORIES),
        articles=asks("articles", "报道", "Articles", ARTICLES),
        mart=mart,
        as_text=asks("text", "作为文本出现", "As a text", AS_TEXT),
    )


def as_data(report: Report) -> dict[str, Any]:
    """The report for programs: figures, rows, states and the SQL of each."""
    return {
        "word": report.subject.word,
        "kind": report.subject.kind.lower(),
        "keys": list(report.subject.keys),
        "names": list(report.subject.names),
        "first": report.first.isoformat(),
        "last": report.last.isoformat(),
        "audience": report.audience,
        "publication_id": report.publication_id,
        "totals": plain([report.totals])[0],
        "states": [
            {"trade_date": s.trade_date.isoformat(), "state": s.state, "partial": s.partial,
             "quarantined": s.quarantined, "because": s.because}
            for s in report.states
        ],
        **{e.key: {"sql": e.sql, "rows": plain(e.rows)} for e in report.evidence},
    }  # fmt: skip
