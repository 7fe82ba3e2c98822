"""Contracts locked at their price limit day after day, and the forced reduction that follows.

After three trade dates in a row locked in one direction, losing positions that asked to get out
are matched with winning ones at the limit price, outside trading and without a fee (SHFE risk
rules, as generally known: the losers' share is drawn here, because no order says who asked). On
the second and third date the limit is wider (``board.limit_rate``), and margins rise with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation import codes
from pipelines.simulation.board import Board, limit_rate
from pipelines.simulation.clearing import Book, Forced
from pipelines.simulation.clock import Sessions
from pipelines.simulation.commodity import Commodity
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT, HEDGE, Orders
from pipelines.simulation.people import People
from pipelines.simulation.prices import Path
from pipelines.simulation.seeds import stream

DATES_TO_FORCE: Final = 3
_EVERY: Final = 80
"""One staged run of limit days in this many trade dates (assumption: rarer than it was once)."""
_FIRST: Final = 5
"""The first run begins on the world's fifth trade date, so that a fortnight holds one."""
_QUIET: Final = ("pb", "ad", "bc", "nr")
_JOIN: Final = 0.6
"""Share of orders against the move that turn round on a locked day (assumption)."""


@dataclass(frozen=True)
class Lock:
    """A commodity whose contracts are held at their limit today; ``sign`` 1 is up."""

    commodity_id: str
    sign: int


def staged_lock(seed: int, number: int) -> Lock | None:
    """Return what is locked on the world's ``number``-th trade date (counted from 1)."""
    cycle, place = divmod(number - 1, _EVERY)
    rng = stream(seed, None, f"limit-lock-{cycle}")
    start = _FIRST - 1 if cycle == 0 else int(rng.integers(0, _EVERY - DATES_TO_FORCE))
    lock = Lock(_QUIET[int(rng.integers(len(_QUIET)))], int(rng.choice([-1, 1])))
    return lock if start <= place < start + DATES_TO_FORCE else None


def locked_path(lock: Lock, commodity: Commodity, hours: Sessions) -> Path:
    """Return the fair price of a locked day: beyond the widest limit from open to close."""
    level = lock.sign * 1.5 * float(limit_rate(commodity, DATES_TO_FORCE - 1))
    return Path(np.array([0.0, float(hours.trading_time)]), np.array([level, level]))


def lock_orders(
    rng: np.random.Generator, board: Board, orders: Orders, lock: Lock | None
) -> Orders:
    """Return the day's flow with everybody at the limit in what is locked.

    Most who would have stood against the move join it; all ordinary orders name the limit
    price, so that the queue on one side is not worked off. Staged cases stay as they are.
    """
    if lock is None:
        return orders
    of = np.array([c.commodity_id == lock.commodity_id for c in board.commodities])
    rows = np.flatnonzero(of[board.commodity[orders.contract]] & (orders.label < 0))
    limit = (board.high if lock.sign > 0 else board.low)[orders.contract[rows]]
    style, distance, side = orders.style.copy(), orders.distance.copy(), orders.side.copy()
    style[rows], distance[rows] = codes.ABSOLUTE, limit
    with_it = 0 if lock.sign > 0 else 1
    free = (orders.want[rows] == codes.OPEN) | (orders.want[rows] == codes.PREFER_CLOSE)
    side[rows[free & (rng.random(len(rows)) < _JOIN)]] = with_it
    return replace(orders, style=style, distance=distance, side=side)


def lock_streak(board: Board, stats: NDArray[np.int64], before: dict[str, int]) -> NDArray[np.int8]:
    """Return per contract how many trade dates in a row it closed at one limit, signed.

    A contract without a trade is not locked: nobody met its limit.
    """
    close, volume = stats[:, 0], stats[:, 4]
    sign = np.where(close == board.high, 1, np.where(close == board.low, -1, 0))
    sign = np.where(volume > 0, sign, 0)
    known = np.array([before.get(name, 0) for name in board.contract_id], np.int64)
    same = np.sign(known) == sign
    return np.where(sign == 0, 0, np.where(same, known + sign, sign)).astype(np.int8)


def draw_forced(
    rng: np.random.Generator,
    board: Board,
    people: People,
    positions: Book,
    streak: NDArray[np.int8],
) -> Forced:
    """Return the positions reduced by force today, long lots equal to short lots per contract.

    On each contract locked for the third date (or a multiple of it) in a row that does not end
    today. Losers ask for 40 to 100 % of what they brought from yesterday; winners give in
    proportion to theirs, speculation before hedging.
    """
    rows: list[NDArray[np.int64]] = []
    lots: list[NDArray[np.int64]] = []
    prices: list[NDArray[np.int64]] = []
    for index in np.flatnonzero((streak != 0) & (streak % DATES_TO_FORCE == 0)):
        if board.contracts[index].last_trade_date == board.trade_date:
            continue
        own = np.flatnonzero(positions.contract == index)
        kept = positions.prev[own] - positions.closed[own] - positions.leaving[own, 1]
        able = np.minimum(np.maximum(kept, 0), positions.lots[own])
        wins = positions.side[own] == (0 if streak[index] > 0 else 1)
        hedged = positions.account[own] % ACCOUNTS_PER_CLIENT == HEDGE
        losing = np.flatnonzero(~wins & ~hedged & (able > 0))
        asked = np.zeros(len(own), np.int64)
        share = rng.uniform(0.4, 1.0, len(losing))
        asked[losing] = np.maximum((able[losing] * share).astype(np.int64), 1)
        first = np.where(wins & ~hedged, able, 0)
        then = np.where(wins & hedged, able, 0)
        matched = min(int(asked.sum()), int(first.sum() + then.sum()))
        if matched == 0:
            continue
        given = _share_out(first, min(matched, int(first.sum())))
        given += _share_out(then, matched - int(given.sum()))
        given += _share_out(asked, matched)
        touched = np.flatnonzero(given)
        rows.append(own[touched])
        lots.append(given[touched])
        limit = board.high[index] if streak[index] > 0 else board.low[index]
        prices.append(np.full(len(touched), limit, np.int64))
    if not rows:
        return Forced.nothing()
    at = np.concatenate(rows)
    return Forced(
        contract=positions.contract[at],
        account=positions.account[at],
        side=positions.side[at],
        lots=np.concatenate(lots),
        price=np.concatenate(prices),
    )


def forced_records(
    board: Board, people: People, forced: Forced, streak: NDArray[np.int8]
) -> list[dict[str, Any]]:
    """Return the truth about each contract's forced reduction."""
    records = []
    for index in np.unique(forced.contract):
        rows = forced.contract == index
        long = rows & (forced.side == 0)
        who = np.unique(forced.account[rows] // ACCOUNTS_PER_CLIENT)
        records.append(
            {
                "kind": "forced_reduction",
                "contract_id": board.contracts[index].contract_id,
                "direction": "UP" if streak[index] > 0 else "DOWN",
                "limit_dates": abs(int(streak[index])),
                "price_hundredths": int(forced.price[rows][0] * board.hundredths[index]),
                "lots": int(forced.lots[long].sum()),
                "clients": [str(people.client_id[c]) for c in who],
            }
        )
    return records


def _share_out(weights: NDArray[np.int64], lots: int) -> NDArray[np.int64]:
    """Split ``lots`` in proportion to the weights, whole lots, nobody above its weight."""
    total = int(weights.sum())
    if total == 0 or lots == 0:
        return np.zeros(len(weights), np.int64)
    return np.diff(np.cumsum(weights) * lots // total, prepend=0)
