"""The contracts traded on one date: limits, references and money per tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil, floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.clock import Sessions, sessions
from pipelines.simulation.commodity import Commodity, commodities_on
from pipelines.simulation.listing import FuturesContract, listed_contracts
from pipelines.simulation.position_limits import client_limits

_WIDER: Final = {1: Decimal("0.03"), 2: Decimal("0.05")}
"""What a limit grows by after one and after two dates at it (SHFE risk rules, generally known)."""


def limit_rate(commodity: Commodity, streak: int) -> Decimal:
    """Return the price limit as a fraction of the previous settlement price.

    ``streak`` counts the dates in a row a contract closed at one limit, signed. After the third
    the positions are reduced by force, and the limit is the ordinary one again.
    """
    return commodity.price_limit_rate + _WIDER.get(abs(streak) % 3, Decimal(0))


@dataclass(frozen=True)
class Quote:
    """What a contract brings from the day before; prices in ticks, close 0 when it never traded.

    ``streak`` counts the dates in a row it closed at one price limit, signed.
    """

    settle: int
    close: int
    open_interest: int
    streak: int = 0


@dataclass(frozen=True)
class Board:
    """All contracts of one trade date in file order; arrays are by contract index, in ticks.

    ``client_limit`` is what a client may hold on one side in the contract's phase, in lots.
    """

    trade_date: date
    commodities: tuple[Commodity, ...]
    contracts: tuple[FuturesContract, ...]
    commodity: NDArray[np.int32]
    prev_settle: NDArray[np.int64]
    prev_close: NDArray[np.int64]
    prev_open_interest: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    cents: NDArray[np.int64]
    hundredths: NDArray[np.int64]
    maturity: NDArray[np.int32]
    client_limit: NDArray[np.int64]
    sessions: tuple[Sessions, ...]

    def __len__(self) -> int:
        return len(self.contracts)

    @property
    def contract_id(self) -> list[str]:
        """Contract ids by index."""
        return [c.contract_id for c in self.contracts]


def make_board(trade_date: date, quotes: Mapping[str, Quote]) -> Board:
    """Return the board of a trade date, given what is known from the day before.

    A contract without a quote is newly listed: its listing price is the settlement price of the
    month before it, or the commodity's reference price when there is none.
    """
    commodities = commodities_on(trade_date)
    contracts: list[FuturesContract] = []
    of_commodity, settle, close, interest, low, high, maturity = [], [], [], [], [], [], []
    for index, commodity in enumerate(commodities):
        reference = round(commodity.reference_price / commodity.tick_size)
        for number, contract in enumerate(listed_contracts(commodity, trade_date)):
            quote = quotes.get(contract.contract_id, Quote(reference, 0, 0))
            reference = quote.settle
            rate = float(limit_rate(commodity, quote.streak))
            contracts.append(contract)
            of_commodity.append(index)
            settle.append(quote.settle)
            close.append(quote.close or quote.settle)
            interest.append(quote.open_interest)
            low.append(ceil(quote.settle * (1 - rate) - 1e-9))
            high.append(floor(quote.settle * (1 + rate) + 1e-9))
            maturity.append(number)
    each = np.array(of_commodity, dtype=np.int32)
    return Board(
        trade_date=trade_date,
        commodities=commodities,
        contracts=tuple(contracts),
        commodity=each,
        prev_settle=np.array(settle, dtype=np.int64),
        prev_close=np.array(close, dtype=np.int64),
        prev_open_interest=np.array(interest, dtype=np.int64),
        low=np.array(low, dtype=np.int64),
        high=np.array(high, dtype=np.int64),
        cents=np.array([c.lot_tick_cents for c in commodities], dtype=np.int64)[each],
        hundredths=np.array([c.tick_hundredths for c in commodities], dtype=np.int64)[each],
        maturity=np.array(maturity, dtype=np.int32),
        client_limit=client_limits(trade_date, commodities, contracts, each),
        sessions=tuple(sessions(trade_date, c.night_session_end) for c in commodities),
    )
