"""Positions moved between two trading codes of one person, at the settlement price."""

from __future__ import annotations

import numpy as np

from pipelines.simulation.board import Board
from pipelines.simulation.clearing import Book
from pipelines.simulation.holdings import NOTHING_HELD, Held
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT
from pipelines.simulation.people import People

_CHANCE = 0.35
_MOST = 2


def draw_transfers(rng: np.random.Generator, board: Board, people: People, positions: Book) -> Held:
    """Return the day's transfers: per moved position a row that leaves (negative lots) and one
    that arrives. On about a third of the dates one or two positions move; nothing moves in a
    contract that ends today."""
    if rng.random() > _CHANCE:
        return NOTHING_HELD
    client = positions.account // ACCOUNTS_PER_CLIENT
    first = people.person[client]
    ending = np.array([c.last_trade_date == board.trade_date for c in board.contracts])
    fit = (first != client) & (positions.lots > 0) & ~ending[positions.contract]
    fit &= people.opened[first] <= board.trade_date.toordinal()
    rows = np.flatnonzero(fit)
    if not len(rows):
        return NOTHING_HELD
    rows = np.sort(rng.choice(rows, min(_MOST, len(rows)), replace=False))
    hedge = positions.account[rows] % ACCOUNTS_PER_CLIENT
    target = (first[rows] * ACCOUNTS_PER_CLIENT + hedge).astype(np.int32)
    lots = np.maximum(positions.lots[rows] // 2, 1)
    return Held(
        contract=np.tile(positions.contract[rows], 2),
        account=np.concatenate([positions.account[rows], target]),
        side=np.tile(positions.side[rows], 2),
        lots=np.concatenate([-lots, lots]),
    )
