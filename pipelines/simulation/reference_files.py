"""Deliveries of the reference system: the calendar and the changes of each dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.board import Board
from pipelines.simulation.commodity import Commodity, changed_on, commodities_on
from pipelines.simulation.deliveries import Outgoing, table_delivery
from pipelines.simulation.groups import ControlGroup
from pipelines.simulation.listing import FuturesContract
from pipelines.simulation.people import CLIENT_TYPES, Member, People, digest
from pipelines.simulation.position_limits import (
    PositionLimit,
    position_limits_from,
    position_limits_on,
)
from pipelines.simulation.seeds import stream

_REGION_ROADS = ("示例路", "虚构街", "假想巷", "模型大道")
_CALENDAR_COLUMNS = (
    "calendar_date", "is_trade_date", "has_night_session", "prev_trade_date", "next_trade_date",
)  # fmt: skip
_COMMODITY_COLUMNS = (
    "commodity_id", "exchange", "name_zh", "name_en", "category", "multiplier", "quote_unit",
    "tick_size", "price_limit_rate", "spec_margin_rate", "hedge_margin_rate", "fee_rate",
    "fee_per_lot", "close_today_fee_factor", "night_session_end", "delivery_unit_lots",
    "position_limit_general", "intraday_open_limit", "change_type", "valid_from",
)  # fmt: skip
_LIMIT_COLUMNS = (
    "commodity_id", "holder_type", "phase", "open_interest_from", "limit_lots", "limit_share",
    "change_type", "valid_from",
)  # fmt: skip
_CONTRACT_COLUMNS = (
    "contract_id", "commodity_id", "exchange", "delivery_month", "list_date", "last_trade_date",
    "delivery_start_date", "delivery_end_date", "multiplier", "tick_size", "listing_price",
    "change_type", "valid_from",
)  # fmt: skip
_MEMBER_COLUMNS = (
    "member_id", "name_zh", "name_en", "short_name", "member_type", "clearing_type", "status",
    "joined_date", "change_type", "valid_from",
)  # fmt: skip
_CLIENT_COLUMNS = (
    "client_id", "member_id", "client_type", "name", "status", "open_date", "identity_hash",
    "phone", "address", "order_placer_id", "fund_mover_id", "programme_reported", "change_type",
    "valid_from",
)  # fmt: skip
_GROUP_COLUMNS = ("group_id", "client_id", "relation", "status", "change_type", "valid_from")
_INQUIRY = ((0, "SUSPECTED", "A"), (2, "INQUIRY", "U"), (4, "CONFIRMED", "U"))
Row = tuple[str, ...]


def calendar_rows(trade_date: date) -> list[Row]:
    """Return every day of the trade date's year and the year before."""
    calendar = TradingCalendar.default()
    day = date(trade_date.year - 1, 1, 1)
    rows: list[Row] = []
    while day.year <= trade_date.year:
        trades = calendar.is_trade_date(day)
        night = trades and calendar.has_night_session(day)
        following = "" if day >= calendar.trade_dates[-1] else _day(calendar.next(day))
        rows.append(
            (_day(day), str(int(trades)), str(int(night)), _day(calendar.previous(day)), following)
        )
        day += timedelta(1)
    return rows


def commodity_rows(trade_date: date, *, first_day: bool) -> list[Row]:
    """Return all specifications on the first day, later those that begin to hold."""
    chosen = commodities_on(trade_date) if first_day else changed_on(trade_date)
    return [_commodity(c, "A" if first_day else "U") for c in chosen]


def position_limit_rows(trade_date: date, *, first_day: bool) -> list[Row]:
    """Return all position limits on the first day, later those that begin to hold."""
    chosen = position_limits_on(trade_date) if first_day else position_limits_from(trade_date)
    return [_position_limit(limit, "A" if first_day else "U") for limit in chosen]


def contract_rows(board: Board, known: frozenset[str]) -> list[Row]:
    """Return the contracts not known yet: all on the first day, later the newly listed."""
    return [
        _contract(contract, board.commodities[board.commodity[i]], int(board.prev_settle[i]))
        for i, contract in enumerate(board.contracts)
        if contract.contract_id not in known
    ]


def member_rows(people: People, number: int, day: date) -> list[Row]:
    """Return all members on the first day; on the second one member becomes a general clearer.

    ``number`` counts the world's trade dates from 1.
    """
    if number == 1:
        return [_member(m, "A", m.joined_date) for m in people.members]
    if number == 2:
        return [_member(replace(people.members[4], clearing_type="GENERAL"), "U", day)]
    return []


def client_rows(
    people: People, trade_date: date, contact: NDArray[np.int32], changed: Sequence[int],
    *, first_day: bool,
) -> list[Row]:  # fmt: skip
    """Return all clients on the first day, later new ones (A) and changed telephones (U)."""
    today = trade_date.toordinal()
    new = people.opened <= today if first_day else people.opened == today
    rows = [_client(people, int(i), int(contact[i]), "A", None) for i in np.flatnonzero(new)]
    return rows + [_client(people, i, int(contact[i]), "U", trade_date) for i in changed]


def control_group_rows(
    people: People, start: date, trade_date: date, *, first_day: bool
) -> list[Row]:
    """Return the exchange's list of control groups as far as it changes on the date.

    Reported groups stand on it from the first day. Every third unreported one is found out in
    time: suspected, asked two trade dates later, confirmed after four. The others never appear.
    """
    rows: list[Row] = []
    if first_day:
        for group in people.groups:
            if group.reported:
                since = date.fromordinal(int(people.opened[list(group.clients)].max()))
                rows += _group(people, group, "REPORTED", "A", since)
    passed = len(TradingCalendar.default().between(start, trade_date)) - 1
    hidden = [g for g in people.groups if not g.reported]
    for number, group in enumerate(hidden[::3]):
        for after, status, change in _INQUIRY:
            if passed == 1 + 2 * number + after:
                rows += _group(people, group, status, change, trade_date)
    return rows


def contact_changes(rng: np.random.Generator, people: People, trade_date: date) -> tuple[int, ...]:
    """Return the clients whose telephone changes today (nobody in a group or look-alike set)."""
    tied = {c for g in (*people.groups, *people.lookalikes) for c in g.clients}
    chosen = np.flatnonzero(rng.random(people.clients) < max(0.004, 2 / people.clients))
    present = people.opened < trade_date.toordinal()
    return tuple(int(c) for c in chosen if present[c] and int(c) not in tied)


def reference_deliveries(
    board: Board, people: People, start: date, known: frozenset[str],
    contact: NDArray[np.int32], changed: Sequence[int],
) -> list[Outgoing]:  # fmt: skip
    """Return the reference system's seven files of the date (header only when nothing changed)."""
    day = board.trade_date
    first = day == start
    number = len(TradingCalendar.default().between(start, day))
    clients = client_rows(people, day, contact, changed, first_day=first)
    files: tuple[tuple[str, Sequence[str], list[Row]], ...] = (
        ("calendar", _CALENDAR_COLUMNS, calendar_rows(day)),
        ("commodity", _COMMODITY_COLUMNS, commodity_rows(day, first_day=first)),
        ("position_limit", _LIMIT_COLUMNS, position_limit_rows(day, first_day=first)),
        ("contract", _CONTRACT_COLUMNS, contract_rows(board, known)),
        ("member", _MEMBER_COLUMNS, member_rows(people, number, day)),
        ("client", _CLIENT_COLUMNS, clients),
        ("control_group", _GROUP_COLUMNS, control_group_rows(people, start, day, first_day=first)),
    )
    return [
        table_delivery("reference", name, day, _table(columns, rows), "08:10")
        for name, columns, rows in files
    ]


def _table(columns: Sequence[str], rows: list[Row]) -> pa.Table:
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pa.table(
        {
            name: pa.array(values, pa.string())
            for name, values in zip(columns, by_column, strict=True)
        }
    )


def _commodity(c: Commodity, change: str) -> Row:
    limit = "" if c.intraday_open_limit is None else str(c.intraday_open_limit)
    return (
        c.commodity_id, c.exchange, c.name_zh, c.name_en, c.category, _text(c.multiplier),
        c.quote_unit, _text(c.tick_size), _text(c.price_limit_rate), _text(c.spec_margin_rate),
        _text(c.hedge_margin_rate), _text(c.fee_rate), _text(c.fee_per_lot),
        _text(c.close_today_fee_factor), c.night_session_end, str(c.delivery_unit_lots),
        str(c.position_limit_general), limit, change, _day(c.valid_from),
    )  # fmt: skip


def _position_limit(limit: PositionLimit, change: str) -> Row:
    lots = "" if limit.limit_lots is None else str(limit.limit_lots)
    return (
        limit.commodity_id, limit.holder_type, limit.phase, str(limit.open_interest_from), lots,
        limit.limit_share, change, _day(limit.valid_from),
    )  # fmt: skip


def _contract(contract: FuturesContract, commodity: Commodity, price: int) -> Row:
    return (
        contract.contract_id, contract.commodity_id, contract.exchange, contract.delivery_month,
        _day(contract.list_date), _day(contract.last_trade_date),
        _day(contract.delivery_start_date), _day(contract.delivery_end_date),
        _text(commodity.multiplier), _text(commodity.tick_size),
        _text(price * commodity.tick_size), "A", _day(contract.list_date),
    )  # fmt: skip


def _member(m: Member, change: str, since: date) -> Row:
    return (
        m.member_id, m.name_zh, m.name_en, m.short_name, m.member_type, m.clearing_type, "ACTIVE",
        _day(m.joined_date), change, _day(since),
    )  # fmt: skip


def _client(people: People, i: int, version: int, change: str, since: date | None) -> Row:
    opened = date.fromordinal(int(people.opened[i]))
    road = _REGION_ROADS[int(people.address[i]) % len(_REGION_ROADS)]
    return (
        str(people.client_id[i]), people.members[people.member[i]].member_id,
        CLIENT_TYPES[people.client_type[i]], people.name(i), "ACTIVE", _day(opened),
        digest(f"person{people.person[i]}"), str(int(people.phone[i]) + 1_000_000 * version),
        f"虚构市{road}{int(people.address[i])}号", f"P{int(people.placer[i]):06d}",
        f"F{int(people.mover[i]):06d}", "Y" if people.reported[i] else "N", change,
        _day(since or opened),
    )  # fmt: skip


def _group(people: People, group: ControlGroup, status: str, change: str, since: date) -> list[Row]:
    return [
        (group.group_id, str(people.client_id[c]), group.relation, status, change, _day(since))
        for c in group.clients
    ]


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"


def _text(number: Decimal) -> str:
    return f"{number.normalize():f}"


def contact_version(
    seed: int, trade_date: date, people: People, before: NDArray[np.int32], *, first_day: bool
) -> tuple[NDArray[np.int32], tuple[int, ...]]:
    """Return how often each client's telephone has changed, and whose changes today."""
    if first_day:
        return before, ()
    changed = contact_changes(stream(seed, trade_date, "contacts"), people, trade_date)
    after = before.copy()
    after[list(changed)] += 1
    return after, changed
