"""Quote requests: clients ask the market makers for prices of contracts where few stand.

They count as messages beside orders and cancels (SHFE message fee), so they are delivered, but
they never meet the book.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clock import SECOND, epoch_of_clock
from pipelines.simulation.deliveries import (
    Outgoing,
    constant,
    table,
    table_delivery,
    text,
    wall_time,
    whole,
)
from pipelines.simulation.flow import Activity
from pipelines.simulation.market import MarketDay
from pipelines.simulation.people import MARKET_MAKER, People
from pipelines.simulation.trading_files import SESSION_NAMES, session_of

_SHARE: Final = 0.004
"""Requests per order of the day (assumption: no figure is published)."""
_QUIET: Final = 0.35
"""The share of a commodity's contracts, the least active, that are asked for."""


@dataclass(frozen=True)
class QuoteRequests:
    """A date's requests in time order (microseconds on the trade date's clock)."""

    time: NDArray[np.int64]
    client: NDArray[np.int32]
    contract: NDArray[np.int64]


def draw_quote_requests(
    rng: np.random.Generator, board: Board, day: MarketDay, busy: Activity, people: People
) -> QuoteRequests:
    """Draw the date's quote requests.

    Each comes within a second after an order of the same client in another contract of the same
    commodity, so that the client was logged in and the market was open.
    """
    orders = day.orders
    asking = np.flatnonzero(people.client_type[orders.client] != MARKET_MAKER)
    count = min(int(rng.poisson(len(orders) * _SHARE)), len(asking))
    chosen = rng.choice(asking, count, replace=False)
    quiet = _quiet_contracts(rng, board, busy, board.commodity[orders.contract[chosen]])
    time = orders.time[chosen] + rng.integers(1_000, SECOND, count)
    line = np.lexsort((chosen, time))
    return QuoteRequests(time[line], orders.client[chosen][line], quiet[line])


def quote_request_delivery(board: Board, asked: QuoteRequests, people: People) -> Outgoing:
    """Return the delivery of the date's quote requests."""
    count, client, contract = len(asked.time), asked.client, asked.contract
    requests = table(
        {
            "request_id": whole(np.arange(1, count + 1)),
            "request_time": wall_time(asked.time, epoch_of_clock(board.trade_date)),
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", count),
            "exchange": text([c.exchange for c in board.contracts], contract),
            "contract_id": text(board.contract_id, contract),
            "member_id": text([m.member_id for m in people.members], people.member[client]),
            "client_id": text(people.client_id, client),
            "session": text(SESSION_NAMES, session_of(board, asked.time)),
        }
    )
    return table_delivery("trading", "quote_request", board.trade_date, requests, "15:38")


def _quiet_contracts(
    rng: np.random.Generator, board: Board, busy: Activity, commodity: np.ndarray
) -> np.ndarray:
    """Return for each row one of its commodity's least active contracts."""
    line = np.lexsort((busy.share, board.commodity))
    first = np.searchsorted(board.commodity[line], np.arange(len(board.commodities)))
    listed = np.bincount(board.commodity, minlength=len(board.commodities))
    pool = np.maximum((listed * _QUIET).astype(np.int64), 1)
    turn = (rng.random(len(commodity)) * pool[commodity]).astype(np.int64)
    found: np.ndarray = line[first[commodity] + turn]
    return found
