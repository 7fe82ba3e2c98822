"""Surveillance questions, answered from the published file of the surveillance audience.

Nothing here starts Spark or reads the lake itself: an officer sees exactly what was published.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from contracts.errors import TerminalError
from contracts.rule_book import GROUP_STATES, load_rule_book
from exlake.surveillance.dispositions import UnknownAlertError, desk
from pipelines.engine.ledgers import ALERT, DISPOSITION
from pipelines.surveillance.bursts import SECOND
from pipelines.surveillance.counting import OWN_ACT, OWN_CANCEL

if TYPE_CHECKING:
    from contracts.rule_book import BookRule, RuleBook
    from pipelines.engine.ledgers import Ledgers
    from pipelines.engine.rows import DispositionRow

    Dispositions = dict[str, list[DispositionRow]]

AUDIENCE = "surveillance"
ALERT_ID = re.compile(r"A[0-9a-f]{20}")
SHOWN = 50
"""Orders and trades that ``explain`` shows at most; it always says how many there are."""
Row = dict[str, Any]

SORTS = {
    "self_trades": ("silver.trade", "true"),
    "open_lots": ("silver.trade", "\"offset\" = 'O'"),
    "cancels": ("silver.order_event", OWN_CANCEL),
    "large_cancels": ("silver.order_event", OWN_CANCEL),
    "bursts": ("silver.order_event", OWN_ACT),
    "messages": ("silver.order_event", OWN_ACT),
    "position_lots": ("silver.position", "lots > 0"),
}
"""Metric -> where its acts are published, and which rows they are."""


class UnknownBookRuleError(TerminalError):
    """Raised when the rule book has no rule of this name."""

    code = "unknown-book-rule"

    def __init__(self, rule_id: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"the rule book has no rule {rule_id!r}.",
            next_step=f"use one of: {', '.join(known)}.",
        )


def ask(query: str) -> list[Row]:
    """Rows of one query over the audience's file. Raises the errors of ``catalog.query``."""
    from catalog.query import run_query
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    found = run_query(settings, catalogue, query, audience=AUDIENCE, limit=100_000)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def day(on: date, *, near: bool = True) -> list[Row]:
    """Figures of a trade date, nearest to their threshold first; ``near``: only those near it,
    reached or undecided."""
    kept = "AND result IN ('REACHED', 'NEAR', 'UNDECIDED')" if near else ""
    return ask(
        f"SELECT * FROM gold.surveillance_day WHERE trade_date = DATE '{on}' {kept} "
        "ORDER BY threshold_share DESC NULLS LAST, rule_id, subject_id, contract_id"
    )


def state(on: date) -> str:
    """The state of a date's figures (see ``_meta.interval``), ``not published`` without any."""
    found = ask(
        "SELECT state FROM _meta.interval WHERE product = 'gold.surveillance_day' "
        f"AND interval = '{on}'"
    )
    return str(found[0]["state"]) if found else "not published"


def alerts(first: date, last: date) -> list[Row]:
    """Published alerts of a range of trade dates, newest first, with what stands in the ledgers:
    ``disposition`` (the newest closing), ``notes`` (how many there are), ``changed_since``."""
    found = ask(
        f"SELECT * FROM gold.surveillance_alert WHERE trade_date BETWEEN DATE '{first}' "
        f"AND DATE '{last}' ORDER BY trade_date DESC, rule_id, subject_id, contract_id"
    )
    rows, of = desk(_ledgers(), _months(first, last))
    standing = {row["alert_id"]: row for row in rows if row["state"] == "CURRENT"}
    return [row | _standing(row["alert_id"], standing, of) for row in found]


def every_alert(first: date, last: date) -> list[Row]:
    """Every state that an alert of these dates ever had, from the ledger: also what a correction
    changed (SUPERSEDED) or took away (WITHDRAWN), and what did it."""
    rows, of = desk(_ledgers(), _months(first, last))
    between = (str(first), str(last))
    return [
        row | {"notes": len(of.get(row["alert_id"], []))}
        for row in rows
        if between[0] <= row["trade_date"] <= between[1]
    ]


def _standing(alert_id: str, standing: dict[str, Row], of: Dispositions) -> Row:
    row = standing.get(alert_id, {})
    return {
        "disposition": row.get("disposition"),
        "changed_since": row.get("changed_since", False),
        "because": row.get("because", []),
        "notes": len(of.get(alert_id, [])),
    }


def _ledgers() -> Ledgers:
    from pipelines.engine.ledgers import Ledgers
    from pipelines.engine.settings import load_settings

    settings = load_settings()
    return Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)


def _months(first: date, last: date) -> list[str] | None:
    """The months of a range; None (all) for a range of many years."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    if count > 240:
        return None
    months = (first.year * 12 + first.month - 1 + n for n in range(count))
    return [f"{n // 12}-{n % 12 + 1:02}" for n in months]


def rule_on(rule_id: str, on: date) -> BookRule:
    """The version of a rule in force on a date. Raises UnknownBookRuleError."""
    book = _book()
    for rule in book.on(on):
        if rule.rule_id == rule_id:
            return rule
    raise UnknownBookRuleError(rule_id, tuple(sorted({r.rule_id for r in book.on(on)})))


@cache
def _book() -> RuleBook:
    return load_rule_book()


def explain(alert_id: str, *, every: bool = False) -> Row:
    """One alert with the rule's text, its figures, the exemptions considered, and what the subject
    did: rows of published orders, trades or positions, marked ``exempt`` or not (``every``: all
    of them, not the first ``SHOWN``), its history and dispositions.

    ``alert`` is None, and only history and dispositions are there, when it was withdrawn. Raises
    UnknownAlertError.
    """
    if not ALERT_ID.fullmatch(alert_id):
        raise UnknownAlertError(alert_id)
    found = ask(f"SELECT * FROM gold.surveillance_alert WHERE alert_id = '{alert_id}'")
    history = [vars(r) for r in _ledgers().read(ALERT, where={"alert_id": [alert_id]})]
    done = [vars(r) for r in _ledgers().read(DISPOSITION, where={"alert_id": [alert_id]})]
    if not found:
        if not history:
            raise UnknownAlertError(alert_id)
        return {"alert": None, "history": history, "dispositions": done}
    alert = found[0]
    rule = rule_on(alert["rule_id"], alert["trade_date"])
    same = (
        f"trade_date = DATE '{alert['trade_date']}' AND rule_id = '{rule.rule_id}' AND "
        f"subject_kind = '{alert['subject_kind']}' AND subject_id = {quoted(alert['subject_id'])} "
        f"AND contract_id = {quoted(alert['contract_id'])}"
    )
    acts = _acts(alert, rule)
    return {
        "alert": alert,
        "rule": rule.model_dump(mode="json"),
        "figures": ask(f"SELECT * FROM gold.surveillance_day WHERE {same}")[0],
        "exemptions": ask(f"SELECT * FROM gold.surveillance_exemption WHERE {same}"),
        "earlier": _earlier(alert),
        "table": SORTS[rule.metric][0],
        "acts_in_all": len(acts),
        "acts": acts if every else acts[:SHOWN],
        "history": history,
        "dispositions": done,
    }


def _earlier(alert: Row) -> list[Row]:
    """The earlier occurrences that the alert counts: dates, contracts and figures."""
    return ask(
        "SELECT trade_date, contract_id, figure, threshold FROM gold.surveillance_day "
        f"WHERE rule_id = {quoted(alert['rule_id'])} AND result = 'REACHED' AND "
        f"subject_kind = {quoted(alert['subject_kind'])} AND "
        f"subject_id = {quoted(alert['subject_id'])} AND trade_date < "
        f"DATE '{alert['trade_date']}' AND trade_date >= DATE '{_window_from(alert)}' "
        "ORDER BY trade_date DESC, contract_id"
    )


def _window_from(alert: Row) -> date:
    from pipelines.engine.calendar import TradingCalendar

    return TradingCalendar.default().previous(alert["trade_date"], alert["window_days"])


def _of_subject(alert: Row, rule: BookRule) -> str:
    """SQL condition: rows of the subject's clients in the alert's contract, on its date."""
    contract = (
        f"exchange = '{rule.exchange}'"
        if alert["contract_id"] == "ALL"
        else f"contract_id = {quoted(alert['contract_id'])}"
    )
    clients = f"SELECT {quoted(alert['subject_id'])}"
    if alert["subject_kind"] == "GROUP":
        clients = (
            f"SELECT client_id FROM silver.control_group WHERE group_id = "
            f"{quoted(alert['subject_id'])} AND known_to IS NULL AND valid_from <= "
            f"DATE '{alert['trade_date']}' AND (valid_to IS NULL OR valid_to > "
            f"DATE '{alert['trade_date']}') AND status IN {GROUP_STATES!r}"
        )
    on = f"trade_date = DATE '{alert['trade_date']}'"
    return f"{on} AND {contract} AND client_id IN ({clients})"


def beside(alert: Row, limit: int) -> tuple[str, int, list[Row]]:
    """What else the subject did there: its trades, or its orders where trades are counted; the
    table, how many rows there are, and the first ``limit`` of them."""
    rule = rule_on(alert["rule_id"], alert["trade_date"])
    counted, _ = SORTS[rule.metric]
    table, order = ("silver.trade", "trade_time, trade_id, side")
    if counted == table:
        table, order = ("silver.order_event", "event_time, event_id")
    here = f"FROM {table} WHERE {_of_subject(alert, rule)}"
    rows = ask(f"SELECT *, false AS exempt {here} ORDER BY {order} LIMIT {limit}")
    return table, int(ask(f"SELECT count(*) AS n {here}")[0]["n"]), rows


def _acts(alert: Row, rule: BookRule) -> list[Row]:
    table, which = SORTS[rule.metric]
    if rule.metric == "large_cancels":
        which += f" AND lots >= {rule.min_lots}"
    pair = ""
    exempt = ["false"]
    exempt += ["hedge_flag = 'H'"] if "HEDGING" in rule.exemptions else []
    exempt += ["hedge_flag = 'M'"] if "MARKET_MAKING" in rule.exemptions else []
    kinds = [f"'{kind}'" for kind in rule.exemptions if kind in ("FAK", "FOK")]
    on = f"trade_date = DATE '{alert['trade_date']}'"
    if table == "silver.order_event" and kinds:
        exempt.append(f"order_type IN ({', '.join(kinds)})")
    if rule.metric == "self_trades":
        pair = "QUALIFY count(*) OVER (PARTITION BY trade_id) = 2"
        # A trade is exempt when either leg is.
        flags = " OR ".join(exempt)
        exempt = [f"bool_or({flags}) OVER (PARTITION BY trade_id)"]
        if kinds:
            exempt.append(
                f"trade_id IN (SELECT trade_id FROM silver.order_event WHERE {on} AND "
                f"event_type = 'FILL' AND order_type IN ({', '.join(kinds)}))"
            )
    if "REPORTED" in rule.exemptions:
        exempt.append(
            "client_id IN (SELECT client_id FROM silver.client WHERE known_to IS NULL AND "
            f"programme_reported AND valid_from <= DATE '{alert['trade_date']}' AND "
            f"(valid_to IS NULL OR valid_to > DATE '{alert['trade_date']}'))"
        )
    order = {"silver.trade": "trade_id, side", "silver.order_event": "event_id"}.get(
        table, "client_id, position_side"
    )
    found = ask(
        f"SELECT *, {' OR '.join(exempt)} AS exempt FROM {table} WHERE "
        f"{_of_subject(alert, rule)} AND {which} {pair} ORDER BY {order}"
    )
    return in_bursts(found, rule.burst_messages) if rule.burst_messages else found


def in_bursts(acts: list[Row], least: int) -> list[Row]:
    """The acts of busy windows (see ``pipelines.surveillance.bursts``): what the figure counts.

    Exempt acts are left out first: they fill no window.
    """
    rows = sorted((a for a in acts if not a["exempt"]), key=lambda a: a["event_time"])
    times = [row["event_time"] for row in rows]
    kept: list[Row] = []
    first = 0
    while first < len(rows):
        end = bisect_left(times, times[first] + timedelta(microseconds=SECOND))
        if end - first >= least:
            kept += rows[first:end]
            first = end
        else:
            first += 1
    return kept


def what_if(rule_id: str, threshold: int, first: date, last: date) -> list[Row]:
    """What another threshold would have found: findings per trade date now and then, and whom it
    adds or drops. Figures are those published; exemptions and counting stay as they are.

    Raises UnknownBookRuleError.
    """
    rule = rule_on(rule_id, last)
    reached = threshold + (rule.op == ">")
    return ask(
        "SELECT trade_date, count(*) FILTER (result = 'REACHED') AS now, "
        f"count(*) FILTER (figure >= {reached}) AS then, "
        "coalesce(string_agg(subject_id || ' ' || contract_id || ' ' || figure, '; ' "
        f"ORDER BY figure DESC) FILTER (figure >= {reached} AND result <> 'REACHED'), '') AS added,"
        " coalesce(string_agg(subject_id || ' ' || contract_id || ' ' || figure, '; ' "
        f"ORDER BY figure DESC) FILTER (figure < {reached} AND result = 'REACHED'), '') AS dropped "
        f"FROM gold.surveillance_day WHERE rule_id = '{rule.rule_id}' AND trade_date BETWEEN "
        f"DATE '{first}' AND DATE '{last}' GROUP BY trade_date ORDER BY trade_date"
    )


def quoted(text: str) -> str:
    """Text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"
