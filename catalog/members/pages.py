"""The offline pages: a league table and one page per member, self-contained as a folder.

Every number stands beside the query that gives it. Text is escaped by the template engine, data
for charts are JSON; nothing is fetched but the chart script beside the pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.charts import SCRIPT
from catalog.members import evidence
from contracts.tag_catalogue import TagCatalogue, load_tags
from pipelines.members.member_profile import HEADLINES, SCORES, part_column
from pipelines.members.public_ranking import KINDS

if TYPE_CHECKING:
    from jinja2 import Environment

    from catalog.members.asking import Desk, Row

CHARTED = ("scale.volume_share", "scale.open_interest_share", "risk.margin_use")
"""Tags whose past is drawn."""
KIND_NAMES = {"volume": ("成交量", "Volume"), "long": ("持买单量", "Long"),
              "short": ("持卖单量", "Short")}  # fmt: skip
UNITS_ZH = {
    "lots": "手", "yuan": "元", "ratio": "比率", "rank": "名次", "ranks": "名次", "clients": "户",
    "accounts": "户", "per 10,000": "每万户", "trade dates": "交易日",
}  # fmt: skip
COLUMNS = (
    ("traded_lots", "成交手数", "Traded lots"), ("turnover", "成交额（元）", "Turnover, yuan"),
    ("volume_share", "成交占比", "Share of volume"),
    ("open_interest_share", "持仓占比", "Share of open interest"),
    ("active_clients", "活跃客户", "Active clients"),
    ("client_equity", "客户权益（元）", "Client equity, yuan"),
    ("margin_use", "保证金占用", "Margin use"), ("net_lots", "净多手数", "Net long lots"),
    ("case_rate", "异常案例/万户", "Cases per 10,000"),
)  # fmt: skip
"""Columns of the league table beside rank and scores."""


@dataclass(frozen=True)
class Shown:
    """One number with its evidence."""

    id: str
    zh: str
    en: str
    text: str
    sql: str


def number(value: Any) -> str:
    """A number in full, grouped: what the evidence query gives, nothing rounded; – for none."""
    if value is None:
        return "–"
    exact = Decimal(value)
    text = f"{exact:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_pages(desk: Desk, day: date) -> dict[str, str]:
    """All pages of a date: ``index.html`` and ``<member>.html``. Raises UnknownMemberError."""
    catalogue = load_tags()
    league = desk.league(day)
    state = desk.state(day)
    of: dict[str, list[Row]] = {}
    for row in desk.tags(day):
        of.setdefault(row["member_id"], []).append(row)
    past: dict[str, list[Row]] = {}
    for row in desk.history(day, CHARTED):
        past.setdefault(row["member_id"], []).append(row)
    pages = {"index.html": _league_page(desk, league, day, state)}
    for profile in league:
        member = profile["member_id"]
        pages[f"{member}.html"] = _member_page(
            desk, catalogue, profile, of.get(member, []), past.get(member, []), day, state
        )
    return pages


def _league_page(desk: Desk, league: list[Row], day: date, state: Row) -> str:
    return (
        _environment()
        .get_template("league.html.j2")
        .render(
            league=league,
            day=day,
            state=state,
            columns=COLUMNS,
            headlines=HEADLINES,
            scores=SCORES,
            audience=desk.audience,
        )
    )


def _member_page(
    desk: Desk,
    catalogue: TagCatalogue,
    profile: Row,
    rows: list[Row],
    past: list[Row],
    day: date,
    state: Row,
) -> str:
    member = profile["member_id"]
    by_tag = {row["tag_id"]: row for row in rows}
    scores = {
        score: {
            "parts": [(tag, profile[part_column(tag)]) for tag in catalogue.parts(score)],
            "sql": evidence.score_query(catalogue, score, member, day),
        }
        for score in SCORES
    }
    public = [
        {
            "name": name,
            "zh": KIND_NAMES[name][0],
            "en": KIND_NAMES[name][1],
            "sql": evidence.public_query(kind, member, day),
            "lots": profile[
                "public_volume_sides_lots" if name == "volume" else f"public_{name}_lots"
            ],
        }
        for name, (kind, _) in KINDS.items()
    ]
    return (
        _environment()
        .get_template("member.html.j2")
        .render(
            profile=profile,
            day=day,
            state=state,
            families=catalogue.families,
            tags=by_tag,
            scores=scores,
            public=public,
            evidence=evidence,
            audience=desk.audience,
            script=SCRIPT,
            chart=_chart(catalogue, by_tag, past),
            columns=COLUMNS,
            headlines=HEADLINES,
        )
    )


def _chart(catalogue: TagCatalogue, by_tag: dict[str, Row], past: list[Row]) -> dict[str, Any]:
    """Data of the charts: percentiles by tag, and the past of a few tags."""
    placed = [
        {"id": t.id, "name": f"{t.name_zh} {t.name_en}", "value": float(row["percentile"])}
        for t in catalogue.tags
        if (row := by_tag.get(t.id)) and row["percentile"] is not None
    ]
    days = sorted({row["trade_date"] for row in past})
    values = {(r["tag_id"], r["trade_date"]): r["value"] for r in past}
    lines = [
        {
            "name": f"{catalogue.tag(tag).name_zh} {catalogue.tag(tag).name_en}",
            "values": [None if (v := values.get((tag, d))) is None else float(v) for d in days],
        }
        for tag in CHARTED
    ]
    return {"placed": placed, "days": [d.isoformat() for d in days], "lines": lines}


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    import quality

    environment = Environment(
        loader=FileSystemLoader(
            [Path(__file__).parent / "templates", Path(quality.__file__).parent / "templates"]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.globals["units_zh"] = UNITS_ZH
    return environment
