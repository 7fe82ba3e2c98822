"""The news desk: opens the lake's files, makes documents, puts pages into ``reports/news``."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from exlake.news.asking import DayState, asker
from exlake.news.brief import Brief, NotATradeDateError, make_brief
from exlake.news.page import brief_name, brief_page, put, report_name, report_page
from exlake.news.report import Report, make_report


def report(word: str, first: date, last: date, audience: str) -> Report:
    """The report of a word over trade dates, both included.

    Raises WordRefusedError, NotATradeDateError when no trade date is in the range, and the errors
    of ``catalog.query`` (nothing published, an audience without the news marts).
    """
    from exlake.lake import open_catalogue
    from pipelines.engine.calendar import TradingCalendar

    settings, catalogue = open_catalogue()
    calendar = TradingCalendar.default()
    if not calendar.between(first, last):
        raise NotATradeDateError(first, last)
    asked = asker(settings, catalogue, audience)
    return make_report(word, first, last, asked, calendar, audience)


def brief(day: date, audience: str = "analyst") -> Brief:
    """The brief of a trade date. Raises as ``make_brief``."""
    from exlake.lake import open_catalogue
    from pipelines.engine.calendar import TradingCalendar

    settings, catalogue = open_catalogue()
    return make_brief(
        day, asker(settings, catalogue, audience), TradingCalendar.default(), audience
    )


def folder() -> Path:
    """Where pages go when nobody says otherwise."""
    from pipelines.engine.settings import load_settings

    return load_settings().reports / "news"


def put_report(found: Report, to: Path | None = None) -> Path:
    """Write the page of a report; its path."""
    return put(to or folder(), report_name(found), report_page(found))


def put_brief(found: Brief, to: Path | None = None) -> Path:
    """Write the page of a brief; its path."""
    return put(to or folder(), brief_name(found.day), brief_page(found))


def report_lines(found: Report) -> list[str]:
    """The report in a few lines, for a terminal."""
    subject = found.subject
    named = f" {', '.join((*subject.keys, *subject.names))}" if subject.names else ""
    lines = [f"{subject.word!r} as a {subject.kind_words[1]}{named}, {found.first}..{found.last}"]
    if found.never:
        lines.append("no article of these dates mentions it")
    else:
        t = found.totals
        lines.append(
            f"{t['article_count']:,} articles counted of {t['all_article_count']:,}, "
            f"{t['story_count']:,} stories, {t['source_count']:,} sources, "
            f"reach {t['total_reach']:,}, influence {t['influence']:,.2f}"
        )
    return lines + [_state_line(s) for s in found.incomplete]


def brief_lines(found: Brief) -> list[str]:
    """The brief in a few lines, for a terminal."""
    lines = [] if found.state.clean else [_state_line(found.state)]
    if found.overview:
        o = found.overview.rows[0]
        lines.append(
            f"{found.day}: {o['all_article_count']:,} articles, {o['story_count']:,} stories, "
            f"{o['source_count']:,} sources"
        )
    for point in found.points:
        said = "; ".join(each.label for each in point.sentences) or "none"
        lines.append(f"{point.evidence.title_en}: {said}")
    return lines


def _state_line(state: DayState) -> str:
    partial = ", partial" if state.partial else ""
    because = f": {state.because}" if state.because else ""
    quarantined = f", {state.quarantined} rows in quarantine" if state.quarantined else ""
    return f"note: {state.trade_date} is {state.state}{partial}{quarantined}{because}"
