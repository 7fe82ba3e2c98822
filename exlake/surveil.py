"""Surveillance questions, answered from the published file of the surveillance audience.

Nothing here starts Spark or reads the lake itself: an officer sees exactly what was published.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from contracts.errors import TerminalError
from contracts.rule_book import GROUP_STATES
from pipelines.surveillance.counting import OWN_CANCEL

if TYPE_CHECKING:
    from contracts.rule_book import BookRule

AUDIENCE = "surveillance"
ALERT = re.compile(r"A[0-9a-f]{20}")
SHOWN = 50
"""Orders and trades that ``explain`` shows at most; it always says how many there are."""
Row = dict[str, Any]

OWN_ACT = f"(event_type = 'NEW' OR ({OWN_CANCEL}))"
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


class UnknownAlertError(TerminalError):
    """Raised when no published alert has this id."""

    code = "unknown-alert"

    def __init__(self, alert_id: str) -> None:
        super().__init__(
            f"no published alert has the id {alert_id!r}.",
            next_step="`exlake surveil list` shows the ids; a correction may have withdrawn it.",
        )


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


def alerts(first: date, last: date) -> list[Row]:
    """Published alerts of a range of trade dates, newest first."""
    return ask(
        f"SELECT * FROM gold.surveillance_alert WHERE trade_date BETWEEN DATE '{first}' "
        f"AND DATE '{last}' ORDER BY trade_date DESC, rule_id, subject_id, contract_id"
    )


def rule_on(rule_id: str, on: date) -> BookRule:
    """The version of a rule in force on a date. Raises UnknownBookRuleError."""
    from contracts.rule_book import load_rule_book

    book = load_rule_book()
    for rule in book.on(on):
        if rule.rule_id == rule_id:
            return rule
    raise UnknownBookRuleError(rule_id, tuple(sorted({r.rule_id for r in book.on(on)})))


def explain(alert_id: str) -> Row:
    """One alert with the rule's text, its figures, the exemptions considered, and what the subject
    did: rows of published orders, trades or positions, marked ``exempt`` or not.

    Raises UnknownAlertError.
    """
    if not ALERT.fullmatch(alert_id):
        raise UnknownAlertError(alert_id)
    found = ask(f"SELECT * FROM gold.surveillance_alert WHERE alert_id = '{alert_id}'")
    if not found:
        raise UnknownAlertError(alert_id)
    alert = found[0]
    rule = rule_on(alert["rule_id"], alert["trade_date"])
    same = (
        f"trade_date = DATE '{alert['trade_date']}' AND rule_id = '{rule.rule_id}' AND "
        f"subject_kind = '{alert['subject_kind']}' AND subject_id = {_quoted(alert['subject_id'])} "
        f"AND contract_id = {_quoted(alert['contract_id'])}"
    )
    acts = _acts(alert, rule)
    return {
        "alert": alert,
        "rule": rule.model_dump(mode="json"),
        "figures": ask(f"SELECT * FROM gold.surveillance_day WHERE {same}")[0],
        "exemptions": ask(f"SELECT * FROM gold.surveillance_exemption WHERE {same}"),
        "acts_in_all": len(acts),
        "acts": acts[:SHOWN],
    }


def _acts(alert: Row, rule: BookRule) -> list[Row]:
    table, which = SORTS[rule.metric]
    if rule.metric == "large_cancels":
        which += f" AND lots >= {rule.min_lots}"
    contract = (
        f"exchange = '{rule.exchange}'"
        if alert["contract_id"] == "ALL"
        else f"contract_id = {_quoted(alert['contract_id'])}"
    )
    clients = f"SELECT {_quoted(alert['subject_id'])}"
    if alert["subject_kind"] == "GROUP":
        clients = (
            f"SELECT client_id FROM silver.control_group WHERE group_id = "
            f"{_quoted(alert['subject_id'])} AND known_to IS NULL AND valid_from <= "
            f"DATE '{alert['trade_date']}' AND (valid_to IS NULL OR valid_to > "
            f"DATE '{alert['trade_date']}') AND status IN {GROUP_STATES!r}"
        )
    pair = ""
    if rule.metric == "self_trades":
        pair = "QUALIFY count(*) OVER (PARTITION BY trade_id) = 2"
    exempt = ["false"]
    exempt += ["hedge_flag = 'H'"] if "HEDGING" in rule.exemptions else []
    exempt += ["hedge_flag = 'M'"] if "MARKET_MAKING" in rule.exemptions else []
    if table == "silver.order_event":
        exempt += [f"order_type = '{kind}'" for kind in rule.exemptions if kind in ("FAK", "FOK")]
    order = {"silver.trade": "trade_id, side", "silver.order_event": "event_id"}.get(
        table, "client_id, position_side"
    )
    return ask(
        f"SELECT *, {' OR '.join(exempt)} AS exempt FROM {table} WHERE trade_date = "
        f"DATE '{alert['trade_date']}' AND {contract} AND client_id IN ({clients}) AND {which} "
        f"{pair} ORDER BY {order}"
    )


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


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
