"""Orders that resemble one another: followers of a controller, and innocent look-alikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.simulation import codes
from pipelines.simulation.board import Board
from pipelines.simulation.clock import SECOND
from pipelines.simulation.flow import Activity
from pipelines.simulation.groups import ControlGroup
from pipelines.simulation.orders import NO_CANCEL, Orders, make_orders
from pipelines.simulation.people import People

_MOST_COPIED = 60


def draw_copies(
    rng: np.random.Generator, board: Board, people: People, ordinary: Orders, busy: Activity
) -> list[Orders]:
    """Return the extra orders of control groups and look-alike sets on one date.

    Followers repeat a share of their leader's orders with a lag and noise in size that grow as
    the group's strength falls; vendors' subscribers and a manager's funds do the same by
    chance of a common signal; TWAP schedules and roll crowds keep a common timetable.
    """
    present = people.opened <= board.trade_date.toordinal()
    batches: list[Orders] = []
    for group in (*people.groups, *people.lookalikes):
        clients = [c for c in group.clients if present[c]]
        if len(clients) < 2:
            continue
        if "COPY" in group.ties or "POSITIONS" in group.ties:
            batches += _follow(rng, board, group, clients, ordinary)
        elif group.kind == "TWAP":
            batches += _timetable(rng, board, clients, busy, every=300)
        elif group.kind == "ROLL_CROWD" and board.trade_date.day % 5 == 0:
            batches += _roll(rng, board, clients, busy)
    return batches


def _follow(
    rng: np.random.Generator, board: Board, group: ControlGroup, clients: list[int],
    ordinary: Orders,
) -> list[Orders]:  # fmt: skip
    own = np.flatnonzero(
        (ordinary.client == clients[0])
        & ((ordinary.style <= codes.AGGRESSIVE) | (ordinary.style == codes.TOUCH))
        & np.isin(ordinary.want, (codes.OPEN, codes.PREFER_CLOSE, codes.CLOSE_EITHER))
    )  # fmt: skip
    if len(own) > _MOST_COPIED:
        own = np.sort(rng.choice(own, _MOST_COPIED, replace=False))
    made = []
    for follower in clients[1:]:
        picked = own[rng.random(len(own)) < 0.3 + 0.65 * group.strength]
        copy = ordinary.take(picked)
        count = len(copy)
        # Coordinated positions without copied orders: same direction, hours apart.
        spread = 1.0 if "COPY" in group.ties else 400.0
        lag = (group.lag * spread * np.exp(rng.normal(0.0, 0.5, count))).astype(np.int64) + 1_000
        trading = copy.trading + lag
        noise = np.exp(rng.normal(0.0, 0.8 * (1.0 - group.strength), count))
        lots = np.clip(np.rint(copy.lots * noise), 1, 500).astype(np.int32)
        keep = trading < _bounds(board, copy) - 10 * SECOND
        copy = replace(copy, trading=trading, lots=lots, client=np.full(count, follower, np.int32))
        made.append(_clocked(board, copy.take(np.flatnonzero(keep))))
    return made


def _timetable(
    rng: np.random.Generator, board: Board, clients: list[int], busy: Activity, every: int
) -> list[Orders]:
    made = []
    contract = int(np.argsort(-busy.share, kind="stable")[int(rng.integers(4, 14))])
    bound = board.sessions[board.commodity[contract]].trading_time
    for client in clients:
        at = np.arange(0, bound - 60 * SECOND, every * SECOND)
        at = at + rng.integers(0, 3 * SECOND, len(at))
        orders = make_orders(
            len(at), contract=contract, client=client, side=int(rng.integers(0, 2)),
            lots=int(rng.integers(1, 5)), style=codes.PASSIVE, want=codes.PREFER_CLOSE,
            trading=at,
        )  # fmt: skip
        made.append(_clocked(board, orders))
    return made


def _roll(
    rng: np.random.Generator, board: Board, clients: list[int], busy: Activity
) -> list[Orders]:
    """Hedgers move from the main month to the next within the same hour of one day."""
    near = int(np.argsort(-busy.share, kind="stable")[int(rng.integers(0, 10))])
    far = min(near + 1, len(board) - 1)
    start = int(board.sessions[board.commodity[near]].trading_time * rng.uniform(0.2, 0.7))
    made = []
    for client in clients:
        at = start + np.sort(rng.integers(0, 3600 * SECOND, 6))
        for contract, side, want in ((near, 1, codes.PREFER_CLOSE), (far, 0, codes.OPEN)):
            orders = make_orders(
                len(at), contract=contract, client=client, side=side, hedge=1,
                lots=rng.integers(2, 15, len(at)), style=codes.AGGRESSIVE, distance=1,
                want=want, trading=at + int(side == 0) * SECOND,
            )  # fmt: skip
            made.append(_clocked(board, orders))
    return made


def _bounds(board: Board, orders: Orders) -> np.ndarray:
    lengths = np.array([s.trading_time for s in board.sessions], np.int64)
    bounds: np.ndarray = lengths[board.commodity[orders.contract]]
    return bounds


def _clocked(board: Board, orders: Orders) -> Orders:
    """Set the clock from trading time; a copied cancel keeps its distance from the order."""
    time = np.empty(len(orders), np.int64)
    of = board.commodity[orders.contract]
    for index in np.unique(of):
        rows = of == index
        day = board.sessions[index]
        time[rows] = day.clock(np.minimum(orders.trading[rows], day.trading_time - SECOND))
    life = np.where(orders.cancel < NO_CANCEL, orders.cancel - orders.time, 0)
    closes = np.array([s.closes_at for s in board.sessions])[of]
    ends = time + life
    cancels = (orders.cancel < NO_CANCEL) & (life > 0) & (ends < closes)
    return replace(orders, time=time, cancel=np.where(cancels, ends, NO_CANCEL))
