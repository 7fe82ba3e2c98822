"""Pages of the news: self-contained HTML that asks nothing of the network and can be mailed.

The one script sorts and filters tables; its digest is in the page's policy, so nothing else can
run. Without it (in a mail) everything is still there to read.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from exlake.news.asking import DayState
from exlake.news.brief import Brief
from exlake.news.charts import Bar, columns, rows
from exlake.news.report import SHOWN, Report

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
BEIJING = ZoneInfo("Asia/Shanghai")
BLUE, AMBER = "#2f6db5", "#c07f1a"
WORDS = {
    "published": ("完整", "complete"),
    "with_quarantine": ("部分行被隔离", "rows in quarantine"),
    "flagged": ("已标记", "flagged"),
    "late": ("迟到", "late"),
    "held": ("等待上游", "held"),
    "failed": ("失败", "failed"),
    "blocked": ("拦截", "blocked"),
    "absent": ("湖中无新闻", "no news in the lake"),
    "SUPPLY": ("供应", "supply"),
    "DEMAND": ("需求", "demand"),
    "STOCKS": ("库存", "stocks"),
    "COST": ("成本", "cost"),
    "POLICY": ("政策", "policy"),
    "MACRO": ("宏观", "macro"),
    "LOGISTICS": ("物流", "logistics"),
    "PRICE": ("价格变动", "price move"),
    "NONE": ("无", "none"),
}
"""States and drivers in Chinese and English."""


def report_page(report: Report) -> str:
    """A word's report as one HTML file."""
    found = {row["trade_date"]: row for row in report.days.rows}
    shown = {
        "articles": _bars(report.states, found, "article_count"),
        "influence": _bars(report.states, found, "influence"),
    }
    return _environment().get_template("report.html.j2").render(
        report=report,
        found=found,
        states={s.trade_date: s for s in report.states},
        shown=SHOWN,
        articles_chart=columns(
            shown["articles"], f"{report.subject.word} 每日报道数 articles a day", BLUE
        ),
        influence_chart=columns(
            shown["influence"], f"{report.subject.word} 每日影响力 influence a day", AMBER
        ),
        sources_chart=rows(
            [Bar(r["source"], r["article_count"], f"{r['article_count']:,}", target="articles")
             for r in report.sources.rows[:12]],
            "来源 articles by source", BLUE,
        ),
    )  # fmt: skip


def brief_page(brief: Brief) -> str:
    """A date's brief as one HTML file."""
    stories = {p.key: p for p in brief.points}.get("stories")
    return _environment().get_template("brief.html.j2").render(
        brief=brief,
        chart=stories and _influence(stories.evidence.rows),
        clusters=_clusters(brief),
        tags=_tags(brief),
    )  # fmt: skip


def _clusters(brief: Brief) -> dict[str, list[dict[str, Any]]]:
    """Story -> its articles, oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in brief.articles.rows if brief.articles else ():
        found.setdefault(row["story_id"], []).append(row)
    return found


def _tags(brief: Brief) -> dict[str, str]:
    """Article -> the sentences it is behind, as ``<point>-<number>`` parted by spaces."""
    found: dict[str, list[str]] = {}
    for point in brief.points:
        for number, sentence in enumerate(point.sentences, 1):
            for article in sentence.articles:
                found.setdefault(article, []).append(f"{point.key}-{number}")
    return {article: " ".join(tags) for article, tags in found.items()}


def index_page(names: list[str]) -> str:
    """The list of pages in the folder, the newest brief first."""
    briefs = sorted((n for n in names if n.startswith("brief-")), reverse=True)
    others = sorted(n for n in names if n.startswith("report-"))
    return _environment().get_template("index.html.j2").render(briefs=briefs, others=others)


def put(folder: Path, name: str, text: str) -> Path:
    """Write a page beside and rename it over, then the index; the page's path."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file, body in (
        (name, text),
        ("index.html", index_page(sorted({name, *(p.name for p in folder.glob("*-*.html"))}))),
    ):
        draft = folder / f".{file}.{os.getpid()}"
        draft.write_text(body, encoding="utf-8")
        draft.replace(folder / file)
    return folder / name


def report_name(report: Report) -> str:
    """A file name for any word: what may stand in one, and a digest of the word itself."""
    plain = re.sub(r"[^\w-]+", "-", report.subject.word).strip("-_")[:20]
    digest = hashlib.sha256(report.subject.word.encode()).hexdigest()[:8]
    span = f"{report.first}" if report.first == report.last else f"{report.first}-{report.last}"
    return f"report-{plain}-{digest}-{span}.html"


def brief_name(day: date) -> str:
    """The file name of a date's brief."""
    return f"brief-{day}.html"


def _bars(
    states: tuple[DayState, ...], found: dict[date, dict[str, Any]], column: str
) -> list[Bar]:
    """A bar a trade date: 0 where there are articles but none of the word, unknown where not."""
    bars = []
    for state in states:
        row = found.get(state.trade_date)
        value = row[column] if row else 0 if state.there else None
        shown = "?" if value is None else f"{value:,.0f}"
        label = f"{state.trade_date:%m-%d}" + ("" if state.clean else "*")
        number = None if value is None else float(value)
        bars.append(Bar(label, number, shown, state.clean, "articles" if row else ""))
    return bars


def _influence(stories: tuple[dict[str, Any], ...]) -> Markup:
    bars = [
        Bar(r["title"], float(r["influence_score"]), f"{r['influence_score']:,.0f}",
            target=f"s-{quote(r['story_id'])}")
        for r in stories
    ]  # fmt: skip
    return rows(bars, "最受关注的事件 most influential stories", BLUE)


def _number(value: Any) -> str:
    """A number with thousands separators; a dash for none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _signed(value: Any) -> str:
    return "–" if value is None else f"{value:+d}" if isinstance(value, int) else f"{value:+.2f}"


def _beijing(moment: datetime) -> str:
    from datetime import UTC

    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    import quality.report

    shared = Path(quality.report.__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # What stands between the tags, byte for byte: the browser takes the digest of exactly that.
    script = (TEMPLATES / "tables.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {"script": script, "script_digest": digest}
    environment.globals["words"] = lambda key: WORDS.get(key, (key, key))
    environment.filters |= {
        "number": _number, "signed": _signed, "beijing": _beijing, "anchor": quote,
    }  # fmt: skip
    return environment
