"""The news report and the daily brief over small published days."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from news_cases import BEFORE, DAY, DAYS, STOCKS, STRIKE, article, marts, rows_of

from catalog.query import QueryResult, ResultColumn
from contracts.catalogue import load_catalogue
from contracts.compile.duckdb import ddl
from exlake.news.asking import PRODUCTS, Ask
from exlake.news.brief import NotATradeDateError, make_brief
from exlake.news.brief import as_data as brief_data
from exlake.news.page import brief_page, index_page, put, report_name, report_page
from exlake.news.report import Report, as_data, make_report
from exlake.news.subject import WordRefusedError
from pipelines.engine.calendar import TradingCalendar
from pipelines.sentiment.day import Article

CALENDAR = TradingCalendar.default()
NEXT = date(2026, 1, 7)
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"
OUTSIDE = re.compile(r'(?:src|href|action)="(?:https?:)?//|@import|url\(\s*["\']?http|fetch\(')


def published(
    articles: Sequence[Article], states: dict[date, tuple[str, bool, int]] | None = None
) -> duckdb.DuckDBPyConnection:
    """The marts with the ledger of intervals: ``states`` are (state, partial, quarantined)."""
    database = marts(articles)
    catalogue = load_catalogue()
    for name in ("silver.contract", "silver.member"):
        database.execute(ddl(catalogue[name], "silver"))
    database.execute(
        "CREATE SCHEMA _meta; CREATE TABLE _meta.interval (product VARCHAR, trade_date DATE, state "
        "VARCHAR, partial BOOLEAN, quarantined BIGINT, waiting_on VARCHAR, incomplete_because "
        "VARCHAR)"
    )
    days = {a.trade_date: ("published", False, 0) for a in articles} | (states or {})
    for day, (state, partial, quarantined) in days.items():
        for product in PRODUCTS:
            database.execute(
                "INSERT INTO _meta.interval VALUES (?, ?, ?, ?, ?, NULL, NULL)",
                [product, day, state, partial, quarantined if product.startswith("silver") else 0],
            )
    return database


@functools.cache
def ordinary() -> duckdb.DuckDBPyConnection:
    """DAYS, published once: nobody writes to it."""
    return published(DAYS)


def asking(database: duckdb.DuckDBPyConnection) -> Ask:
    """Questions to a database as ``catalog.query`` answers them."""

    def ask(sql: str) -> QueryResult:
        found = database.execute(sql)
        columns = tuple(ResultColumn(c[0], str(c[1])) for c in found.description)
        moment = datetime(2026, 1, 7, 12, tzinfo=UTC)
        return QueryResult(columns, tuple(found.fetchall()), False, "pub-1", moment, (), 0.0)

    return ask


def report_of(
    word: str, articles: Sequence[Article] = DAYS, first: date = DAY, last: date = DAY, **how: Any
) -> Report:
    database = ordinary() if articles is DAYS and not how else published(articles, **how)
    return make_report(word, first, last, asking(database), CALENDAR, "analyst")


def test_a_commodity_is_found_by_every_name_it_has() -> None:
    """Promise: id, name, English name, alias and capitals all mean the commodity, and the figures
    are the mart's."""
    for word in ("铜", "cu", "CU", "Copper", "沪铜", " 铜 "):
        found = report_of(word)
        assert (found.subject.kind, found.subject.keys) == ("COMMODITY", ("cu",)), word
        [day] = found.days.rows
        assert found.mart is not None
        [mart] = found.mart.rows
        assert day["article_count"] == mart["article_count"] == 3
        assert (day["all_article_count"], day["story_count"], day["source_count"]) == (4, 2, 2)
        assert (day["bullish_count"], day["bearish_count"], day["total_reach"]) == (2, 1, 300)


def test_every_figure_is_what_its_own_sql_gives() -> None:
    """Promise: the query printed beside a figure is the one that gave it, and the parts add up:
    days, sources and stories tell the same articles that are listed."""
    earlier = [article(10 + n, STRIKE, s, day=BEFORE, reach=7) for n, s in enumerate("甲丙")]
    for word in ("铜", "罢工", "会今起"):
        with published([*earlier, *DAYS]) as database:
            asked = asking(database)
            found = make_report(word, BEFORE, DAY, asked, CALENDAR, "analyst")
            for each in found.evidence:
                assert rows_of(database, each.sql) == list(each.rows), each.key
        counted = [r for r in found.articles.rows if r["counted"]]
        for column, whole in (("article_count", len(counted)),
                              ("all_article_count", len(found.articles.rows)),
                              ("total_reach", sum(r["reach"] for r in counted))):  # fmt: skip
            for part in (found.days, found.sources):
                assert sum(r[column] for r in part.rows) == whole, (word, column)
        per_day = sum(r["influence"] for r in found.days.rows)
        assert abs(per_day - found.totals["influence"]) <= 1


def test_a_word_that_never_occurs_is_a_clear_answer() -> None:
    """Promise: nothing found is said in both languages, and is no zero where news is missing."""
    found = report_of("火星基地", first=BEFORE)
    assert found.never
    page = report_page(found)
    assert "没有报道提到它" in page
    assert "No article of these dates mentions it" in page
    assert "this is not a zero" in page, "nothing of the first date is in the lake"


def test_incomplete_numbers_say_so_beside_the_number() -> None:
    """Promise (invariant 13): absent, partial and quarantined dates are shown with their state,
    in page, JSON and chart, and an absent date is unknown, not zero."""
    states = {DAY: ("with_quarantine", True, 3)}
    found = report_of("铜", first=BEFORE, last=NEXT, states=states)
    assert [(s.trade_date, s.state) for s in found.incomplete] == [
        (BEFORE, "absent"), (DAY, "with_quarantine"), (NEXT, "absent")
    ]  # fmt: skip
    page = report_page(found)
    for said in ("rows in quarantine", "partial", "no news in the lake", "unknown", "01-06*"):
        assert said in page, said
    assert as_data(found)["states"][1]["quarantined"] == 3
    assert [r["trade_date"] for r in as_data(found)["days"]["rows"]] == [DAY.isoformat()]


@pytest.mark.parametrize("word", [HOSTILE, "'; DROP TABLE x; --", "100%_铜", "a\\'b", "＜script＞"])
def test_hostile_words_are_only_text(word: str) -> None:
    """Promise: no word becomes SQL or HTML."""
    told = [*DAYS, article(6, f"铜矿{word}罢工", "己")]
    found = report_of(word, told)
    assert (found.subject.kind, len(found.articles.rows)) == ("TEXT", 1)
    page = report_page(found)
    assert "<img src=x" not in page
    assert len(re.findall(r"<script", page)) == 1
    assert re.fullmatch(r"[\w.-]+", report_name(found)), report_name(found)


@pytest.mark.parametrize("word", ["", "  ", "x" * 65, "a\x00b", "\ud800"])
def test_what_no_article_can_have_is_refused(word: str) -> None:
    """Promise: an empty, endless or unprintable word is an error with a next step."""
    with pytest.raises(WordRefusedError):
        report_of(word)


def test_hostile_articles_are_only_text_too() -> None:
    """Promise: titles, sources and ids from outside are escaped wherever they appear."""
    told = [Article(f"N{HOSTILE}{n}", DAY, datetime(2026, 1, 6, 4, n, tzinfo=UTC), f"源{HOSTILE}",
                    f"铜矿罢工{HOSTILE}", "正文。", 5) for n in range(3)]  # fmt: skip
    with published(told) as database:
        asked = asking(database)
        pages = [
            report_page(make_report("铜", DAY, DAY, asked, CALENDAR, "analyst")),
            brief_page(make_brief(DAY, asked, CALENDAR, "analyst")),
        ]
    for page in pages:
        assert "<img src=x" not in page
        assert "{{7*7}}" in page, "shown as it stands"
        assert len(re.findall(r"<script", page)) == 1


def test_the_brief_links_every_sentence_to_its_rows() -> None:
    """Promise: each sentence has clusters and articles behind it that are on the page, its figures
    are the marts', and both languages say them."""
    earlier = [article(20, STOCKS, "丙", day=BEFORE)]
    with published([*earlier, *DAYS]) as database:
        found = make_brief(DAY, asking(database), CALENDAR, "analyst")
        for each in found.evidence:
            assert rows_of(database, each.sql) == list(each.rows), each.key
        [mart] = rows_of(database, "SELECT * FROM gold.news_sentiment_daily WHERE commodity_id = "
                                   f"'cu' AND trade_date = DATE '{DAY}'")  # fmt: skip
    assert found.articles is not None
    listed = {row["article_id"] for row in found.articles.rows}
    sentences = [s for p in found.points for s in p.sentences]
    assert len(sentences) >= 5
    for sentence in sentences:
        assert sentence.articles
        assert sentence.stories
        assert set(sentence.articles) <= listed
    page = brief_page(found)
    for sentence in sentences:
        for story in sentence.stories:
            assert f'href="#c-{story}"' in page
            assert f'id="c-{story}"' in page
    assert f"利多 {mart['bullish_count']}、利空 {mart['bearish_count']}" in page
    assert f"{mart['bullish_count']} bullish, {mart['bearish_count']} bearish" in page
    assert brief_data(found)["bullish"][0]["commodity_id"] == "cu"
    json.dumps(brief_data(found))


def test_a_brief_of_a_date_without_news_says_so() -> None:
    """Promise: blocked or absent news gives a page with the state and no figure; a closed day is
    refused."""
    with published(DAYS, {NEXT: ("blocked", False, 9)}) as database:
        asked = asking(database)
        blocked = make_brief(NEXT, asked, CALENDAR, "analyst")
        absent = make_brief(date(2026, 1, 8), asked, CALENDAR, "analyst")
        with pytest.raises(NotATradeDateError):
            make_brief(date(2026, 1, 4), asked, CALENDAR, "analyst")
    for found, state in ((blocked, "blocked"), (absent, "absent")):
        assert (found.state.state, found.points, found.overview) == (state, (), None)
        assert "没有可用的新闻数据" in brief_page(found)


def test_a_partial_day_s_brief_says_so_beside_its_figures() -> None:
    """Promise: the same page as ever, with the state on every tile."""
    with published(DAYS, {DAY: ("published", True, 0)}) as database:
        page = brief_page(make_brief(DAY, asking(database), CALENDAR, "analyst"))
    assert page.count("部分到达") >= 7


def test_a_held_date_shows_what_was_published_before_and_that_it_is_held() -> None:
    """Promise: a date whose correction is held keeps its figures, each beside the state."""
    with published(DAYS, {DAY: ("held", False, 0)}) as database:
        asked = asking(database)
        brief = brief_page(make_brief(DAY, asked, CALENDAR, "analyst"))
        report = report_page(make_report("铜", DAY, DAY, asked, CALENDAR, "analyst"))
    for page in (brief, report):
        assert "held" in page
        assert "N1" in page


def test_pages_are_self_contained_and_listed(tmp_path: Path) -> None:
    """Promise: no page asks for anything outside itself, and the index names them all."""
    page = report_page(report_of("铜"))
    put(tmp_path, "report-x.html", page)
    put(tmp_path, "brief-2026-01-06.html", page)
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "report-x.html" in index
    assert "brief-2026-01-06.html" in index
    for text in (page, index, index_page([])):
        assert not OUTSIDE.search(text)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "brief-2026-01-06.html", "index.html", "report-x.html"
    ]  # fmt: skip


def test_a_report_of_a_busy_month_is_quick() -> None:
    """Promise: hundreds of articles a day make a page that is capped and says so."""
    many = [article(n, f"铜矿第{n}号公告{n * 7919}", f"源{n % 9}", reach=n) for n in range(350)]
    began = time.process_time()
    page = report_page(report_of("铜", many))
    assert "350" in page
    assert page.count('id="a-') == 300
    assert time.process_time() - began < 20
