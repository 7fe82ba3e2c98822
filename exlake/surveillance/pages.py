"""The offline pages of surveillance: one per trade date, one per alert, in Chinese and English.

They hold clients' data, so folders are 0700 and files 0600. Each file is complete in itself: no
page asks anything of the network, and its policy forbids it. Everything is escaped by Jinja.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exlake import surveil
from exlake.surveillance.chart import Bar, Mark, price_chart
from exlake.surveillance.dispositions import TITLES
from pipelines.engine.ledgers import ALERT, DISPOSITION, period_of

if TYPE_CHECKING:
    import jinja2

    from pipelines.engine.ledgers import Ledgers
    from pipelines.engine.settings import Settings

TEMPLATES = Path(__file__).with_name("templates")
MOST = 200
"""Figures far from their threshold that a day's page lists."""
MOST_ROWS = 2_000
"""Orders or trades that an alert's page lists; it says how many there are."""
MOST_MARKS = 400
"""Acts on a chart."""
BARS = 240
EVENTS = {
    "raised": ("产生", "raised"),
    "changed": ("更正", "changed"),
    "withdrawn": ("撤销", "withdrawn"),
    "restored": ("恢复", "restored"),
}


@dataclass(frozen=True)
class Column:
    """A column of a table on an alert's page."""

    name: str
    zh: str
    en: str
    number: bool = False


ORDER_COLUMNS = (
    Column("event_time", "时间", "time"), Column("order_id", "报单号", "order"),
    Column("client_id", "客户", "client"), Column("contract_id", "合约", "contract"),
    Column("event_type", "事件", "event"), Column("side", "买卖", "side"),
    Column("offset", "开平", "offset"), Column("order_type", "类型", "type"),
    Column("hedge_flag", "投保", "hedge"), Column("price", "价格", "price", True),
    Column("lots", "手数", "lots", True), Column("reason", "原因", "reason"),
    Column("exempt", "豁免", "exempt"),
)  # fmt: skip
TRADE_COLUMNS = (
    Column("trade_time", "时间", "time"), Column("trade_id", "成交号", "trade"),
    Column("order_id", "报单号", "order"), Column("client_id", "客户", "client"),
    Column("contract_id", "合约", "contract"), Column("side", "买卖", "side"),
    Column("offset", "开平", "offset"), Column("hedge_flag", "投保", "hedge"),
    Column("price", "价格", "price", True), Column("lots", "手数", "lots", True),
    Column("exempt", "豁免", "exempt"),
)  # fmt: skip
POSITION_COLUMNS = (
    Column("client_id", "客户", "client"), Column("contract_id", "合约", "contract"),
    Column("position_side", "方向", "side"), Column("hedge_flag", "投保", "hedge"),
    Column("lots", "手数", "lots", True), Column("exempt", "豁免", "exempt"),
)  # fmt: skip
SHOWN = {
    "silver.order_event": ("orders", "报单事件", "Order events", ORDER_COLUMNS),
    "silver.trade": ("trades", "成交", "Trades", TRADE_COLUMNS),
    "silver.position": ("positions", "持仓", "Positions", POSITION_COLUMNS),
}


def write_pages(settings: Settings, days: Iterable[date]) -> list[Path]:
    """Write the pages of these trade dates and the list of all; the days' pages are returned.

    Raises NotPublishedError before the first publication.
    """
    root = settings.reports / "surveillance"
    written = []
    for day in sorted(set(days)):
        pages = dict(pages_of(day))
        for name, text in pages.items():
            _put(root / str(day) / name, text)
        written.append(root / str(day) / "index.html")
    listed = sorted((p.parent.name for p in root.glob("????-??-??/index.html")), reverse=True)
    _put(root / "index.html", _render("index.html.j2", days=listed))
    return written


def refresh(settings: Settings, interval: str) -> None:
    """Write the pages of a date anew when it has any: something was recorded about it."""
    if (settings.reports / "surveillance" / interval / "index.html").exists():
        write_pages(settings, [date.fromisoformat(interval)])


def outdated(settings: Settings, ledgers: Ledgers, days: Iterable[date]) -> set[date]:
    """Dates with a page that is older than the last event or disposition of one of its alerts."""
    wanted = {str(day): day for day in days}
    periods = {period_of(day) for day in wanted}
    newest: dict[str, datetime] = {}
    for event in ledgers.read(ALERT, periods=periods):
        newest[event.interval] = max(event.at, newest.get(event.interval, event.at))
    for done in ledgers.read(DISPOSITION, periods=periods):
        at = done.recorded_at
        newest[done.interval] = max(at, newest.get(done.interval, at))
    pages = {day: settings.reports / "surveillance" / day / "index.html" for day in wanted}
    return {
        wanted[day]
        for day, at in newest.items()
        if day in wanted and pages[day].exists()
        and datetime.fromtimestamp(pages[day].stat().st_mtime, UTC) < at
    }  # fmt: skip


def pages_of(day: date) -> Iterator[tuple[str, str]]:
    """Name and text of every page of a date, its alerts' first."""
    alerts = surveil.alerts(day, day)
    past = [row for row in surveil.every_alert(day, day) if row["state"] != "CURRENT"]
    for alert_id in sorted({row["alert_id"] for row in (*alerts, *past)}):
        yield f"{alert_id}.html", alert_page(day, alert_id)
    yield "index.html", day_page(day, alerts, past)


def day_page(day: date, alerts: list[surveil.Row], past: list[surveil.Row]) -> str:
    """The page of one trade date."""
    here = f"FROM gold.surveillance_day WHERE trade_date = DATE '{day}'"
    figures = surveil.ask(
        "SELECT *, exempt_hedging + exempt_market_making + exempt_fak + exempt_fok + "
        f"exempt_reported AS exempt {here} QUALIFY result IN ('REACHED', 'UNDECIDED', 'NEAR') OR "
        f"row_number() OVER (ORDER BY threshold_share DESC NULLS LAST, rule_id, subject_id, "
        f"contract_id) <= {MOST} ORDER BY threshold_share DESC NULLS LAST, rule_id, subject_id, "
        "contract_id"
    )
    contracts = surveil.ask(
        "SELECT contract_id, max(missing_rows) AS missing_rows, max(unplaced_rows) AS unplaced, "
        f"count(*) FILTER (result = 'UNDECIDED') AS undecided {here} AND contract_id <> 'ALL' "
        "GROUP BY contract_id ORDER BY missing_rows DESC, contract_id"
    )
    return _render(
        "day.html.j2",
        day=day,
        state=surveil.state(day),
        counts=[
            (row["result"], row["n"])
            for row in surveil.ask(f"SELECT result, count(*) AS n {here} GROUP BY 1 ORDER BY 1")
        ],
        alerts=alerts,
        past=past,
        complete=sum(not row["missing_rows"] for row in contracts),
        incomplete=[row for row in contracts if row["missing_rows"]],
        unplaced=max((row["unplaced"] for row in contracts), default=0),
        figures=figures,
        most=MOST,
        in_all=surveil.ask(f"SELECT count(*) AS n {here}")[0]["n"],
        fees=surveil.ask(f"SELECT * {here} AND message_fee > 0 ORDER BY message_fee DESC"),
    )


def alert_page(day: date, alert_id: str) -> str:
    """The page of one alert; of a withdrawn one its history and dispositions."""
    found = surveil.explain(alert_id, every=True)
    alert = found["alert"]
    more: dict[str, Any] = {}
    if alert:
        rule, figures = found["rule"], found["figures"]
        more = {
            "rule": rule,
            "exemptions": [
                (name, figures[f"exempt_{name.lower()}"]) for name in rule["exemptions"]
            ],
            "earlier": found["earlier"],
            "chart": _chart(alert, found["acts"]),
            "tables": _tables(found),
        }
    return _render(
        "alert.html.j2",
        day=day,
        alert_id=alert_id,
        alert=alert,
        last=alert or found["history"][-1],
        history=found["history"],
        dispositions=found["dispositions"],
        **more,
    )


def _tables(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was counted, then what else the subject did in the contract."""
    other, in_all, rows = surveil.beside(found["alert"], MOST_ROWS)
    return [
        _listed(found["table"], found["acts_in_all"], found["acts"][:MOST_ROWS]),
        _listed(other, in_all, rows),
    ]


def _listed(table: str, in_all: int, acts: list[surveil.Row]) -> dict[str, Any]:
    key, zh, en, columns = SHOWN[table]
    rows = [
        {"exempt": act["exempt"], "cells": [_cell(act, column) for column in columns]}
        for act in acts
    ]
    return {"id": key, "zh": zh, "en": en, "columns": columns, "rows": rows, "in_all": in_all}


def _cell(act: Mapping[str, Any], column: Column) -> str:
    value = act.get(column.name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是 yes" if value else ""
    if isinstance(value, datetime):
        return f"{value + timedelta(hours=8):%m-%d %H:%M:%S.%f}"[:-3]
    return f"{value.normalize():f}" if column.name == "price" else str(value)


def _chart(alert: surveil.Row, acts: list[surveil.Row]) -> Any:
    """Prices of the contract, with the subject's acts; nothing for a rule over all contracts."""
    if alert["contract_id"] == "ALL":
        return ""
    bars = surveil.ask(
        "WITH t AS (SELECT trade_time, price, ntile("
        f"{BARS}) OVER (ORDER BY trade_time, trade_id) AS bar FROM silver.trade WHERE side = 'B' "
        f"AND trade_date = DATE '{alert['trade_date']}' AND contract_id = "
        f"{surveil.quoted(alert['contract_id'])}) SELECT min(trade_time) AS at, min(price) AS low, "
        "max(price) AS high, arg_max(price, trade_time) AS last FROM t GROUP BY bar ORDER BY bar"
    )
    priced = [act for act in acts if act.get("price") is not None]
    step = max(len(priced) // MOST_MARKS, 1)
    marks = [
        Mark(
            act.get("event_time") or act["trade_time"],
            act["price"],
            act["side"],
            f"{act.get('event_type', 'TRADE')} {act.get('order_id') or act.get('trade_id')} "
            f"{act['side']} {act['lots']} @ {act['price'].normalize():f}",
        )
        for act in priced[::step]
    ]
    return price_chart([Bar(b["at"], b["low"], b["high"], b["last"]) for b in bars], marks)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["beijing"] = lambda at: (
        f"{at.astimezone(UTC) + timedelta(hours=8):%Y-%m-%d %H:%M}"
    )
    return environment


@cache
def _words() -> dict[str, tuple[str, str]]:
    """Code -> Chinese and English, from the standard's code lists and our own events."""
    from contracts.catalogue import load_catalogue

    lists = load_catalogue().code_lists
    names = (
        "surveillance_result", "surveillance_exemption", "alert_state", "rule_nature",
        "subject_kind",
    )  # fmt: skip
    codes = {v.code: (v.title_zh, v.title) for name in names for v in lists[name].values}
    return codes | TITLES | EVENTS


def _render(template: str, **values: Any) -> str:
    from markupsafe import Markup

    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    published = surveil.ask("SELECT publication_id FROM _meta.publication")[0]["publication_id"]
    return _environment().get_template(template).render(
        script=Markup(script),  # our own file, and its digest is in the page's policy
        script_hash=digest,
        words=lambda code: _words().get(code, (code, code)),
        publication=published,
        **values,
    )  # fmt: skip


def _put(path: Path, text: str) -> None:
    """Write beside, then rename over; nobody but the owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
