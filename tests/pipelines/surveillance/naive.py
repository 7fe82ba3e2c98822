"""An independent counter: plain Python over delivered rows, written from the rules' texts.

It shares nothing with the jobs: no SQL, no rule book, no silver table. Thresholds stand here as
numbers. Rows are text, as delivered and clean; one trade date.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]
Delivered = Callable[[str], Iterable[Row]]
"""Dataset -> its delivered rows, oldest date first."""
Subject = tuple[str, str, str]
"""(rule without exchange, subject, contract)."""
Found = dict[Subject, int]
KILLING = {"FAK", "FOK"}
FREE = {"H", "M"}
FIXED = {"self_trade": 5, "frequent_cancel": 500, "large_cancel": 50, "programme_report": 10}
NEARER = {
    "MONTH_BEFORE": {
        "cu": 3000, "al": 3000, "zn": 2400, "pb": 1800, "ni": 1800, "sn": 600, "rb": 4500,
        "wr": 1800, "hc": 9000, "ss": 1800, "ru": 150, "bu": 1500, "au": 2700, "ag": 2700,
        "sp": 900, "fu": 500,
    },
    "DELIVERY": {
        "cu": 1000, "al": 1000, "zn": 800, "pb": 600, "ni": 600, "sn": 200, "rb": 900, "wr": 360,
        "hc": 1800, "ss": 360, "ru": 50, "bu": 500, "au": 900, "ag": 900, "sp": 300,
    },
}  # fmt: skip
"""SHFE's position limits near delivery, where there is a number."""


def files(inbox: Path, upto: date) -> Delivered:
    """The rows of a drop folder's files up to a date."""

    def rows(dataset: str) -> Iterable[Row]:
        for file in sorted(inbox.glob(f"*/*/{dataset}_2*.csv.gz")):
            if file.parent.name <= f"{upto:%Y%m%d}":
                with gzip.open(file, "rt", encoding="utf-8") as text:
                    yield from csv.DictReader(text)

    return rows


def in_force(rows: Iterable[Row], keys: tuple[str, ...], day: date) -> list[Row]:
    """The newest row per key that is valid on the day; deleted ones are gone."""
    newest: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(row[k] for k in keys)
        valid = row["valid_from"] <= f"{day:%Y%m%d}"
        if valid and row["valid_from"] >= newest.get(key, row)["valid_from"]:
            newest[key] = row
    return [row for row in newest.values() if row["change_type"] != "D"]


def of_day(given: Delivered, dataset: str, day: date) -> list[Row]:
    """A dataset's rows of one trade date."""
    return [row for row in given(dataset) if row["trade_date"] == f"{day:%Y%m%d}"]


def count(given: Delivered, day: date) -> Found:
    """Every figure above zero of every rule that can alert."""
    of: dict[str, set[str]] = defaultdict(set)
    for tie in in_force(given("control_group"), ("group_id", "client_id"), day):
        if tie["status"] in ("REPORTED", "CONFIRMED"):
            of[tie["client_id"]].add(tie["group_id"])
    found: Found = Counter()
    events = of_day(given, "order_event", day)
    _cancels(events, of, found)
    _bursts(events, of, _reported(given, day), found)
    kinds = {e["order_id"]: e["order_type"] for e in events}
    _trades(of_day(given, "trade", day), of, kinds, found)
    _positions(given, day, of, found)
    return {key: n for key, n in found.items() if n}


def _reported(given: Delivered, day: date) -> set[str]:
    return {
        c["client_id"]
        for c in in_force(given("client"), ("client_id",), day)
        if c["programme_reported"] in ("1", "Y", "true")
    }


def _message(e: Row) -> bool:
    return e["event_type"] == "NEW" or (
        e["event_type"] == "CANCEL" and e["reason"] != "SESSION_END"
    )


def _cancels(events: list[Row], of: dict[str, set[str]], found: Found) -> None:
    for e in events:
        if e["event_type"] != "CANCEL" or e["reason"] == "SESSION_END":
            continue
        if e["hedge_flag"] in FREE or e["order_type"] in KILLING:
            continue
        for who in {e["client_id"]} | of[e["client_id"]]:
            found["frequent_cancel", who, e["contract_id"]] += 1
            if int(e["lots"]) >= 300:
                found["large_cancel", who, e["contract_id"]] += 1


def _bursts(events: list[Row], of: dict[str, set[str]], reported: set[str], found: Found) -> None:
    """Seconds, from one message to before the same moment a second later, that hold ten."""
    moments: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for e in events:
        if _message(e) and e["client_id"] not in reported:
            for who in {e["client_id"]} | of[e["client_id"]]:
                moments[e["exchange"], who].append(datetime.fromisoformat(e["event_time"]))
    for (_, who), times in moments.items():
        times.sort()
        first = 0
        while first < len(times):
            end = bisect_left(times, times[first] + timedelta(seconds=1))
            if end - first >= 10:
                found["programme_report", who, "ALL"] += 1
                first = end
            else:
                first += 1


def _trades(
    trades: list[Row], of: dict[str, set[str]], kinds: dict[str, str], found: Found
) -> None:
    legs: dict[str, list[Row]] = defaultdict(list)
    for t in trades:
        legs[t["trade_id"]].append(t)
        if t["offset"] == "O" and t["hedge_flag"] not in FREE:
            for who in {t["client_id"]} | of[t["client_id"]]:
                found["intraday_open", who, t["contract_id"]] += int(t["lots"])
    for one, other in legs.values():
        if not any(
            x["hedge_flag"] in FREE or kinds[x["order_id"]] in KILLING for x in (one, other)
        ):
            first, second = ({x["client_id"]} | of[x["client_id"]] for x in (one, other))
            for who in first & second:
                found["self_trade", who, one["contract_id"]] += 1


def _positions(given: Delivered, day: date, of: dict[str, set[str]], found: Found) -> None:
    held: Counter[tuple[str, str, str]] = Counter()
    contracts = {c["contract_id"]: c for c in in_force(given("contract"), ("contract_id",), day)}
    for p in of_day(given, "position", day):
        if p["hedge_flag"] not in FREE:
            for who in {p["client_id"]} | of[p["client_id"]]:
                held[who, p["contract_id"], p["position_side"]] += int(p["lots"])
    for (who, contract, _), lots in held.items():
        phase = _phase(contracts[contract]["delivery_month"], day)
        rules = ["large_trader"]
        if phase == "GENERAL" or contracts[contract]["exchange"] == "SHFE":
            rules.append(f"position_limit.{phase.lower()}")
        for rule in rules:
            found[rule, who, contract] = max(found[rule, who, contract], lots)


def _phase(delivery_month: str, day: date) -> str:
    months = int(delivery_month[:4]) * 12 + int(delivery_month[4:]) - day.year * 12 - day.month
    return "DELIVERY" if months <= 0 else "MONTH_BEFORE" if months == 1 else "GENERAL"


def findings(given: Delivered, day: date, figures: Found) -> set[Subject]:
    """Which of those figures reach their threshold, by the exchange's numbers written out here."""
    limits = {c["commodity_id"]: c for c in in_force(given("commodity"), ("commodity_id",), day)}
    contracts = {c["contract_id"]: c for c in in_force(given("contract"), ("contract_id",), day)}
    reached = set()
    for (rule, who, contract), figure in figures.items():
        commodity = "" if contract == "ALL" else contracts[contract]["commodity_id"]
        if rule in FIXED:
            smallest = FIXED[rule]
        elif rule == "intraday_open":
            smallest = int(limits[commodity]["intraday_open_limit"] or 10**12) + 1
        elif rule in ("large_trader", "position_limit.general"):
            limit = int(limits[commodity]["position_limit_general"] or 10**12)
            smallest = limit + (rule != "large_trader")
        else:
            smallest = NEARER[rule.split(".")[1].upper()].get(commodity, 10**12) + 1
        if figure >= smallest:
            reached.add((rule, who, contract))
    return reached


def fees(given: Delivered, day: date) -> dict[tuple[str, str], tuple[int, int, Decimal]]:
    """Messages, orders with any fill and fee per client and contract of SHFE with any message.

    4,000 messages are free, then 0.5 up to 8,000, 2.5 up to 40,000 and 50 yuan each; half of it
    where messages are no more than three times the orders with a fill.
    """
    messages: Counter[tuple[str, str]] = Counter()
    filled: dict[tuple[str, str], set[str]] = defaultdict(set)
    for e in of_day(given, "order_event", day):
        key = e["client_id"], e["contract_id"]
        if e["exchange"] == "SHFE":
            messages[key] += _message(e)
            if e["event_type"] == "FILL":
                filled[key].add(e["order_id"])
    for q in of_day(given, "quote_request", day):
        if q["exchange"] == "SHFE":
            messages[q["client_id"], q["contract_id"]] += 1
    return {
        key: (n, len(filled[key]), _fee(n, max(len(filled[key]), 1)))
        for key, n in messages.items()
        if n
    }


def _fee(messages: int, filled: int) -> Decimal:
    half_yuan = sum(
        price * max(min(messages, end) - start, 0)
        for start, end, price in ((4000, 8000, 1), (8000, 40000, 5), (40000, messages, 100))
    )
    return Decimal(half_yuan) / (4 if messages <= 3 * filled else 2)
