"""A trade date of the whole exchange: every contract's book replayed, then put in one order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.book import match
from pipelines.simulation.flow import Activity
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT, NO_CANCEL, Orders, by_contract
from pipelines.simulation.prices import Path

_THREADS = 2


@dataclass(frozen=True)
class Events:
    """Order events of the day in time order; ``order`` indexes the sorted orders."""

    time: NDArray[np.int64]
    order: NDArray[np.int64]
    kind: NDArray[np.int8]
    price: NDArray[np.int32]
    lots: NDArray[np.int32]
    rest: NDArray[np.int32]
    trade: NDArray[np.int64]
    reason: NDArray[np.int8]


@dataclass(frozen=True)
class Trades:
    """Trades of the day in time order; ``buy`` and ``sell`` index the sorted orders."""

    time: NDArray[np.int64]
    contract: NDArray[np.int32]
    price: NDArray[np.int64]
    lots: NDArray[np.int64]
    buy: NDArray[np.int64]
    sell: NDArray[np.int64]


@dataclass(frozen=True)
class Snapshots:
    """Half-second market snapshots by contract, prices in ticks (-1: none)."""

    contract: NDArray[np.int32]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class MarketDay:
    """The outcome of matching. ``price``, ``offset`` and ``sent`` are per sorted order;
    ``stats`` per contract: last, open, high, low, volume, turnover (ticks x lots), open interest.
    """

    orders: Orders
    price: NDArray[np.int32]
    offset: NDArray[np.int8]
    sent: NDArray[np.int32]
    number: NDArray[np.int64]
    events: Events
    trades: Trades
    snapshots: Snapshots
    stats: NDArray[np.int64]


def fair_prices(board: Board, orders: Orders, paths: tuple[Path, ...]) -> NDArray[np.int32]:
    """Return the fair price in ticks of each order's contract when it is sent, within limits."""
    fair = np.empty(len(orders), np.float64)
    of = board.commodity[orders.contract]
    for index, path in enumerate(paths):
        rows = np.flatnonzero(of == index)
        fair[rows] = np.exp(path.read(orders.trading[rows]))
    ticks = np.rint(fair * board.prev_settle[orders.contract])
    low, high = board.low[orders.contract], board.high[orders.contract]
    return np.clip(ticks, low, high).astype(np.int32)


def run_market(
    board: Board,
    flow: Orders,
    paths: tuple[Path, ...],
    busy: Activity,
    owner: NDArray[np.int32],
    held: dict[int, tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]]],
) -> MarketDay:
    """Match a day's order flow.

    ``owner`` says per client who controls it: an owner's orders do not meet each other unless
    they may (``may_self``). ``held`` gives per contract index the accounts, sides and lots held
    at the start. Contracts are independent, so they run on two threads and are joined in the
    board's order: the result does not depend on the number of cores.
    """
    orders, starts = by_contract(flow, len(board))
    fair = fair_prices(board, orders, paths)
    accounts = len(owner) * ACCOUNTS_PER_CLIENT
    controller = owner[orders.client]
    account = orders.account

    def replay(index: int) -> Any:
        rows = slice(int(starts[index]), int(starts[index + 1]))
        count = rows.stop - rows.start
        if count == 0:
            return None
        cancels = np.flatnonzero(orders.cancel[rows] < NO_CANCEL)
        when = np.concatenate([orders.time[rows], orders.cancel[rows][cancels]])
        which = np.concatenate([np.arange(count), cancels]).astype(np.int32)
        is_cancel = np.zeros(len(when), np.int8)
        is_cancel[count:] = 1
        line = np.argsort(when, kind="stable")
        position = np.zeros((accounts, 2), np.int32)
        if index in held:
            who, side, lots = held[index]
            position[who, side] = lots
        same = orders.same_as[rows]
        day = board.sessions[board.commodity[index]]
        return match(
            when[line], which[line], is_cancel[line],
            orders.side[rows], orders.lots[rows], orders.order_type[rows], orders.style[rows],
            orders.distance[rows], fair[rows], orders.want[rows], orders.may_self[rows],
            account[rows], controller[rows], np.where(same >= 0, same - rows.start, -1),
            position, int(board.low[index]), int(board.high[index]), day.auction_to,
            day.closes_at, int(board.prev_open_interest[index]), int(board.prev_settle[index]),
            int(busy.unit[index]) * 25,
        )  # fmt: skip

    with ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(replay, range(len(board))))
    return _assemble(board, orders, starts, results)


def _assemble(
    board: Board, orders: Orders, starts: NDArray[np.int64], results: list[Any]
) -> MarketDay:
    traded = [i for i, r in enumerate(results) if r is not None]
    used = [results[i] for i in traded]

    def column(position: int, dtype: type, shift: NDArray[np.int64] | None = None) -> Any:
        parts = [r[position] for r in used]
        if shift is not None:
            parts = [p.astype(np.int64) + s for p, s in zip(parts, shift, strict=True)]
        return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)

    first = starts[traded]
    trade_counts = np.array([len(r[8]) for r in used], dtype=np.int64)
    trade_base = np.cumsum(trade_counts) - trade_counts
    contract = np.repeat(np.array(traded, dtype=np.int32), trade_counts)
    time = column(8, np.int64)
    rank = np.argsort(time, kind="stable")
    trade_number = np.empty(len(rank), np.int64)
    trade_number[rank] = np.arange(len(rank))
    trades = Trades(
        time=time[rank],
        contract=contract[rank],
        price=column(9, np.int64)[rank],
        lots=column(10, np.int64)[rank],
        buy=column(11, np.int64, first)[rank],
        sell=column(12, np.int64, first)[rank],
    )
    time = column(0, np.int64)
    line = np.argsort(time, kind="stable")
    own_trade = np.concatenate(
        [np.where(r[6] >= 0, r[6] + base, -1) for r, base in zip(used, trade_base, strict=True)]
        or [np.zeros(0, np.int64)]
    )[line]
    events = Events(
        time=time[line],
        order=column(1, np.int64, first)[line],
        kind=column(2, np.int8)[line],
        price=column(3, np.int32)[line],
        lots=column(4, np.int32)[line],
        rest=column(5, np.int32)[line],
        trade=np.where(own_trade >= 0, trade_number[own_trade], -1)
        if len(trade_number)
        else own_trade,
        reason=column(7, np.int8)[line],
    )
    stats = np.zeros((len(board), 7), np.int64)
    stats[:, :2] = -1
    stats[:, 6] = board.prev_open_interest
    for index, result in zip(traded, used, strict=True):
        stats[index] = result[17]
    ticks = [r[13] for r in used]
    snapshots = Snapshots(
        contract=np.repeat(np.array(traded, np.int32), [len(t) for t in ticks]),
        columns=np.concatenate(ticks) if ticks else np.zeros((0, 12), np.int64),
    )
    entry = (events.kind == 0) | (events.kind == 3)
    number = np.empty(len(orders), np.int64)
    number[events.order[entry]] = np.arange(1, int(entry.sum()) + 1)
    return MarketDay(
        orders=replace(orders, side=column(18, np.int8)),
        price=column(14, np.int32),
        offset=column(15, np.int8),
        sent=column(16, np.int32),
        number=number,
        events=events,
        trades=trades,
        snapshots=snapshots,
        stats=stats,
    )
