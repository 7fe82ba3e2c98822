"""Deliveries of the trading system: order events, trades and terminal logins."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.simulation import codes
from pipelines.simulation.board import Board
from pipelines.simulation.clearing import Legs
from pipelines.simulation.clock import SECOND, day_offset, epoch_of_clock
from pipelines.simulation.deliveries import (
    Outgoing,
    constant,
    hundredths,
    parts_delivery,
    table,
    table_delivery,
    text,
    wall_time,
    whole,
)
from pipelines.simulation.market import MarketDay
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT, HEDGE_FLAGS
from pipelines.simulation.people import People

SIDES: Final = ("B", "S")
OFFSETS: Final = ("O", "C", "T")
ORDER_TYPES: Final = ("LIMIT", "MARKET", "FAK", "FOK")
EVENT_TYPES: Final = ("NEW", "FILL", "CANCEL", "REJECT")
SESSION_NAMES: Final = ("NIGHT", "DAY")
REASONS: Final = (
    "", "CLIENT", "FAK", "FOK", "SESSION_END", "LIMIT", "FUNDS", "POSITION", "NO_MARKET",
)  # fmt: skip


def order_event_table(
    board: Board, day: MarketDay, people: People, device: NDArray[np.int32], rows: slice
) -> pa.Table:
    """Return a range of the date's order events; ``device``: terminal by client and session.

    A rejected order has REJECT as its only event. Orders still resting when the day session
    ends are cancelled then (SESSION_END).
    """
    events, orders = day.events, day.orders
    order, kind = events.order[rows], events.kind[rows]
    time, trade = events.time[rows], events.trade[rows]
    client = orders.client[order]
    contract = orders.contract[order]
    entered = session_of(board, orders.time[order])
    market = (orders.order_type[order] == codes.MARKET) & (kind != codes.FILL)
    members = [m.member_id for m in people.members]
    return table(
        {
            "event_id": whole(np.arange(rows.start + 1, rows.start + len(order) + 1)),
            "event_time": wall_time(time, epoch_of_clock(board.trade_date)),
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", len(order)),
            "exchange": _exchange(board, contract),
            "contract_id": text(board.contract_id, contract),
            "order_id": whole(day.number[order]),
            "member_id": text(members, people.member[client]),
            "client_id": text(people.client_id, client),
            "side": text(SIDES, orders.side[order]),
            "offset": text(OFFSETS, day.offset[order]),
            "hedge_flag": text(HEDGE_FLAGS, orders.hedge[order]),
            "order_type": text(ORDER_TYPES, orders.order_type[order]),
            "event_type": text(EVENT_TYPES, kind),
            "price": hundredths(events.price[rows] * board.hundredths[contract], market),
            "lots": whole(events.lots[rows]),
            "remaining_lots": whole(events.rest[rows]),
            "trade_id": whole(trade + 1, trade < 0),
            "reason": text(REASONS, events.reason[rows]),
            "session": text(SESSION_NAMES, session_of(board, time)),
            "terminal_id": text(people.terminals.terminal_id, device[client, entered]),
        }
    )


def trade_table(board: Board, day: MarketDay, legs: Legs, people: People, rows: slice) -> pa.Table:
    """Return a range of the legs of the date's trades, buy first."""
    legs = Legs(**{f.name: getattr(legs, f.name)[rows] for f in fields(Legs)})
    client = legs.account // ACCOUNTS_PER_CLIENT
    time = day.trades.time[legs.trade]
    members = [m.member_id for m in people.members]
    return table(
        {
            "trade_id": whole(legs.trade + 1),
            "trade_time": wall_time(time, epoch_of_clock(board.trade_date)),
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", len(time)),
            "exchange": _exchange(board, legs.contract),
            "contract_id": text(board.contract_id, legs.contract),
            "order_id": whole(day.number[legs.order]),
            "member_id": text(members, people.member[client]),
            "client_id": text(people.client_id, client),
            "side": text(SIDES, legs.side),
            "offset": text(OFFSETS, legs.offset),
            "hedge_flag": text(HEDGE_FLAGS, legs.account % ACCOUNTS_PER_CLIENT),
            "price": hundredths(legs.price * board.hundredths[legs.contract]),
            "lots": whole(legs.lots),
            "fee": hundredths(legs.fee),
            "session": text(SESSION_NAMES, session_of(board, time)),
        }
    )


def devices(rng: np.random.Generator, people: People) -> NDArray[np.int32]:
    """Return the terminal that each client uses in the night and in the day session."""
    second = rng.random((people.clients, 2)) < 0.12
    return np.where(second, people.terminal[:, 1:2], people.terminal[:, 0:1]).astype(np.int32)


def login_table(
    rng: np.random.Generator,
    board: Board,
    day: MarketDay,
    people: People,
    device: NDArray[np.int32],
) -> pa.Table:
    """Return one login per client and session in which it sent orders (a few only look in)."""
    session = session_of(board, day.orders.time)
    midnight = day_offset(board.trade_date)
    opens = np.array([20 * 3600 * SECOND, midnight + 8 * 3600 * SECOND])
    clients, sessions, first, last = [], [], [], []
    for of in (0, 1):
        rows = np.flatnonzero(session == of)
        if of == 0 and not any(s.has_night for s in board.sessions):
            continue
        who = day.orders.client[rows]
        begin = np.full(people.clients, np.iinfo(np.int64).max)
        end = np.zeros(people.clients, np.int64)
        np.minimum.at(begin, who, day.orders.time[rows])
        np.maximum.at(end, who, day.orders.time[rows])
        idle = (end == 0) & (rng.random(people.clients) < 0.12)
        idle &= people.opened <= board.trade_date.toordinal()
        begin[idle] = opens[of] + rng.integers(3600, 7200, int(idle.sum())) * SECOND
        end[idle] = begin[idle] + rng.integers(60, 3600, int(idle.sum())) * SECOND
        active = np.flatnonzero(end > 0)
        early = (rng.exponential(400.0, len(active)) * SECOND).astype(np.int64) + SECOND
        late = (rng.exponential(900.0, len(active)) * SECOND).astype(np.int64) + SECOND
        clients.append(active)
        sessions.append(np.full(len(active), of))
        first.append(np.maximum(begin[active] - early, opens[of]))
        last.append(end[active] + late)
    client, of_session = np.concatenate(clients), np.concatenate(sessions)
    begin, end = np.concatenate(first), np.concatenate(last)
    line = np.argsort(begin, kind="stable")
    client, of_session, begin, end = client[line], of_session[line], begin[line], end[line]
    used = device[client, of_session]
    terminals, epoch = people.terminals, epoch_of_clock(board.trade_date)
    return table(
        {
            "login_id": whole(np.arange(1, len(line) + 1)),
            "client_id": text(people.client_id, client),
            "member_id": text([m.member_id for m in people.members], people.member[client]),
            "login_time": wall_time(begin, epoch),
            "logout_time": wall_time(end, epoch),
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", len(line)),
            "public_ip": text(terminals.public_ip, used),
            "mac_hash": text(terminals.mac_hash, used),
            "disk_hash": text(terminals.disk_hash, used),
            "app_id": text(terminals.app_id, used),
            "terminal_id": text(terminals.terminal_id, used),
            "terminal_kind": text(terminals.kind, used),
        }
    )


def session_of(board: Board, clock: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return 0 for the night session and 1 for the day session."""
    morning = day_offset(board.trade_date) + 8 * 3600 * SECOND
    return (clock >= morning).astype(np.int8)


def trading_deliveries(
    rng: np.random.Generator, board: Board, day: MarketDay, legs: Legs, people: People
) -> list[Outgoing]:
    """Return the trading system's three files of the date."""
    device = devices(rng, people)
    logins = login_table(rng, board, day, people, device)
    at = board.trade_date

    def events(start: int, end: int) -> pa.Table:
        return order_event_table(board, day, people, device, slice(start, end))

    def trades(start: int, end: int) -> pa.Table:
        return trade_table(board, day, legs, people, slice(start, end))

    return [
        parts_delivery("trading", "order_event", at, events, len(day.events.time), "15:35"),
        parts_delivery("trading", "trade", at, trades, len(legs.trade), "15:36"),
        table_delivery("trading", "login", at, logins, "15:40"),
    ]


def _exchange(board: Board, contract: NDArray[np.int32]) -> pa.Array:
    ine = np.array([c.exchange == "INE" for c in board.commodities])[board.commodity]
    return text(("SHFE", "INE"), ine[contract].astype(np.int8))
