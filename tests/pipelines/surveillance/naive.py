"""An independent counter: plain Python over the delivered files, written from the rules' texts.

It shares nothing with the jobs: no SQL, no rule book, no silver table. Thresholds stand here as
numbers. Clean deliveries only; one trade date.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

Row = dict[str, str]
Found = dict[tuple[str, str, str], int]
"""(rule without exchange, subject, contract) -> figure."""
KILLING = {"FAK", "FOK"}
FREE = {"H", "M"}


def rows(inbox: Path, dataset: str, upto: date) -> Iterator[Row]:
    """Delivered rows of a dataset, oldest date first."""
    for file in sorted(inbox.glob(f"*/*/{dataset}_2*.csv.gz")):
        if file.parent.name <= f"{upto:%Y%m%d}":
            with gzip.open(file, "rt", encoding="utf-8") as text:
                yield from csv.DictReader(text)


def in_force(inbox: Path, dataset: str, keys: tuple[str, ...], day: date) -> list[Row]:
    """The newest row per key that is valid on the day; deleted ones are gone."""
    newest: dict[tuple[str, ...], Row] = {}
    for row in rows(inbox, dataset, day):
        key = tuple(row[k] for k in keys)
        valid = row["valid_from"] <= f"{day:%Y%m%d}"
        if valid and row["valid_from"] >= newest.get(key, row)["valid_from"]:
            newest[key] = row
    return [row for row in newest.values() if row["change_type"] != "D"]


def count(inbox: Path, day: date) -> Found:
    """Every figure above zero of self-trades, cancels, large cancels, opens, positions, bursts."""
    of: dict[str, set[str]] = defaultdict(set)
    for tie in in_force(inbox, "control_group", ("group_id", "client_id"), day):
        if tie["status"] in ("REPORTED", "CONFIRMED"):
            of[tie["client_id"]].add(tie["group_id"])
    found: Found = Counter()
    events = [r for r in rows(inbox, "order_event", day) if r["trade_date"] == f"{day:%Y%m%d}"]
    _cancels(events, of, found)
    _bursts(events, of, _reported(inbox, day), found)
    kinds = {e["order_id"]: e["order_type"] for e in events}
    _trades(inbox, day, of, kinds, found)
    _positions(inbox, day, of, found)
    return {key: n for key, n in found.items() if n}


def _reported(inbox: Path, day: date) -> set[str]:
    return {
        c["client_id"]
        for c in in_force(inbox, "client", ("client_id",), day)
        if c["programme_reported"] in ("1", "Y", "true")
    }


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
        sent = e["event_type"] == "CANCEL" and e["reason"] != "SESSION_END"
        if (sent or e["event_type"] == "NEW") and e["client_id"] not in reported:
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
    inbox: Path, day: date, of: dict[str, set[str]], kinds: dict[str, str], found: Found
) -> None:
    legs: dict[str, list[Row]] = defaultdict(list)
    for t in rows(inbox, "trade", day):
        if t["trade_date"] != f"{day:%Y%m%d}":
            continue
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


def _positions(inbox: Path, day: date, of: dict[str, set[str]], found: Found) -> None:
    held: Counter[tuple[str, str, str]] = Counter()
    for p in rows(inbox, "position", day):
        if p["trade_date"] == f"{day:%Y%m%d}" and p["hedge_flag"] not in FREE:
            for who in {p["client_id"]} | of[p["client_id"]]:
                held[who, p["contract_id"], p["position_side"]] += int(p["lots"])
    for (who, contract, _), lots in held.items():
        key = ("large_trader", who, contract)
        found[key] = max(found[key], lots)


def findings(inbox: Path, day: date, figures: Found) -> set[tuple[str, str, str]]:
    """Which of those figures reach their threshold, by the exchange's numbers written out here."""
    fixed = {"self_trade": 5, "frequent_cancel": 500, "large_cancel": 50, "programme_report": 10}
    limits = {c["commodity_id"]: c for c in in_force(inbox, "commodity", ("commodity_id",), day)}
    reached = set()
    for (rule, who, contract), figure in figures.items():
        commodity = limits.get(contract.rstrip("0123456789"), {})
        if rule in fixed:
            smallest = fixed[rule]
        elif rule == "intraday_open":
            smallest = int(commodity["intraday_open_limit"] or 10**12) + 1
        else:
            smallest = int(commodity["position_limit_general"] or 10**12)
        if figure >= smallest:
            reached.add((rule, who, contract))
    return reached
