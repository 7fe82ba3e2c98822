"""Contracts of a commodity: which delivery months are listed, from when to when."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.commodity import Commodity

Month = int
"""A month counted from year 0: year * 12 + month - 1."""


@dataclass(frozen=True)
class FuturesContract:
    """One contract; all dates are trade dates of the exchange."""

    contract_id: str
    commodity_id: str
    exchange: str
    delivery_month: str
    list_date: date
    last_trade_date: date
    delivery_start_date: date
    delivery_end_date: date


def listed_contracts(commodity: Commodity, day: date) -> tuple[FuturesContract, ...]:
    """Return the commodity's contracts tradable on ``day``, nearest delivery first."""
    return _listed(
        commodity.commodity_id,
        commodity.exchange,
        commodity.listing_rule,
        commodity.last_trade_rule,
        day,
    )


@cache
def _listed(
    commodity_id: str, exchange: str, listing_rule: str, last_rule: str, day: date
) -> tuple[FuturesContract, ...]:
    front = _front(listing_rule, last_rule, day)
    return tuple(
        _contract(commodity_id, exchange, listing_rule, last_rule, month)
        for month in _months(listing_rule, front)
    )


@cache
def _contract(
    commodity_id: str, exchange: str, listing_rule: str, last_rule: str, month: Month
) -> FuturesContract:
    last = _last_trade_date(last_rule, month)
    return FuturesContract(
        contract_id=f"{commodity_id}{month // 12 % 100:02d}{month % 12 + 1:02d}",
        commodity_id=commodity_id,
        exchange=exchange,
        delivery_month=f"{month // 12}{month % 12 + 1:02d}",
        list_date=_list_date(listing_rule, last_rule, month),
        last_trade_date=last,
        delivery_start_date=_shift(last, 1),
        delivery_end_date=_shift(last, 5),
    )


def _front(listing_rule: str, last_rule: str, day: date) -> Month:
    month = day.year * 12 + day.month - 1
    while not _in_cycle(listing_rule, month) or _last_trade_date(last_rule, month) < day:
        month += 1
    return month


def _in_cycle(rule: str, month: Month) -> bool:
    number = month % 12 + 1
    if rule == "RUBBER":
        return number not in (2, 12)
    if rule == "EVEN6":
        return number % 2 == 0
    return True


def _months(rule: str, front: Month) -> list[Month]:
    if rule == "GOLD":
        far = [m for m in range(front, front + 13) if (m % 12 + 1) % 2 == 0]
        return sorted({front, front + 1, front + 2, *far})
    if rule == "CRUDE":
        quarters = [m for m in range(front + 12, front + 36) if (m % 12 + 1) % 3 == 0]
        return [*range(front, front + 12), *quarters[:8]]
    if rule == "TWO_YEARS":
        quarters = [m for m in range(front + 12, front + 24) if (m % 12 + 1) % 3 == 0]
        return [*range(front, front + 12), *quarters]
    if rule == "EVEN6":
        return [front + 2 * step for step in range(6)]
    return [m for m in range(front, front + 12) if _in_cycle(rule, m)]


@cache
def _list_date(listing_rule: str, last_rule: str, month: Month) -> date:
    front = month
    while month in _months(listing_rule, front):
        front -= 1
        while not _in_cycle(listing_rule, front):
            front -= 1
    return _shift(_last_trade_date(last_rule, front), 1)


@cache
def _last_trade_date(rule: str, month: Month) -> date:
    first = date(month // 12, month % 12 + 1, 1)
    if rule == "PREV_MONTH_END":
        return _on_or_before(first - timedelta(1))
    if rule == "LAST_MONDAY":
        following = month + 1
        last = date(following // 12, following % 12 + 1, 1) - timedelta(1)
        monday = last - timedelta(last.weekday())
        while not _is_trade_date(monday):
            monday -= timedelta(7)
        return monday
    day = first.replace(day=15)
    while not _is_trade_date(day):
        day += timedelta(1)
    return day


def _is_trade_date(day: date) -> bool:
    """Beyond the calendar's coverage every weekday counts, until its holidays are announced."""
    calendar = TradingCalendar.default()
    if calendar.trade_dates[0] <= day <= calendar.last_day:
        return calendar.is_trade_date(day)
    return day.weekday() < 5


def _on_or_before(day: date) -> date:
    while not _is_trade_date(day):
        day -= timedelta(1)
    return day


def _shift(day: date, days: int) -> date:
    calendar = TradingCalendar.default()
    dates = calendar.trade_dates
    at = bisect_left(dates, day) + days
    if day >= dates[0] and at < len(dates):
        return dates[at]
    while days:
        day += timedelta(1)
        days -= int(_is_trade_date(day))
    return day
