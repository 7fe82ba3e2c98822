"""Fees for messages: what clients pay for orders, cancels and quote requests beyond the free ones.

Rates are the exchanges' rule books of the trade date (``contracts/rulebook``, metric
``messages``, each with its source). An exchange whose book has no such rule charges nothing: today
SHFE charges, INE does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contracts.rule_book import Fee, RuleBook
from pipelines.simulation import codes
from pipelines.simulation.board import Board
from pipelines.simulation.market import MarketDay
from pipelines.simulation.people import People
from pipelines.simulation.quote_requests import QuoteRequests

_FINE: Final = 10_000
"""Prices, ratios and factors are counted in ten-thousandths, so that nothing is rounded early."""


@dataclass(frozen=True)
class MessageBill:
    """One row per contract and client with a message; ``fee`` in 0.01 CNY.

    ``messages`` are orders the exchange accepted, cancels (not those at the session's end) and
    quote requests; ``filled`` are the orders with any fill.
    """

    contract: NDArray[np.int32]
    client: NDArray[np.int32]
    messages: NDArray[np.int64]
    filled: NDArray[np.int64]
    fee: NDArray[np.int64]

    def by_client(self, clients: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return every client's messages and fee over all contracts."""
        messages, fee = np.zeros(clients, np.int64), np.zeros(clients, np.int64)
        np.add.at(messages, self.client, self.messages)
        np.add.at(fee, self.client, self.fee)
        return messages, fee

    def records(self, board: Board, people: People) -> list[dict[str, Any]]:
        """Return the truth about who was charged for which contract."""
        return [
            {
                "kind": "message_fee",
                "client_id": str(people.client_id[self.client[i]]),
                "contract_id": board.contracts[self.contract[i]].contract_id,
                "messages": int(self.messages[i]),
                "filled_orders": int(self.filled[i]),
                "fee_cents": int(self.fee[i]),
            }
            for i in np.flatnonzero(self.fee)
        ]


def bill_messages(
    board: Board, day: MarketDay, asked: QuoteRequests, people: People, book: RuleBook
) -> MessageBill:
    """Count every client's messages per contract and price them by the date's rules."""
    orders, events = day.orders, day.events
    cells = len(board) * people.clients
    key = orders.contract.astype(np.int64) * people.clients + orders.client
    own = (events.kind == codes.CANCEL) & (events.reason != codes.SESSION_END)
    counts = np.bincount(key[events.order[own | (events.kind == codes.NEW)]], minlength=cells)
    asks = asked.contract.astype(np.int64) * people.clients + asked.client
    counts += np.bincount(asks, minlength=cells)
    met = np.zeros(len(orders), bool)
    met[day.trades.buy] = True
    met[day.trades.sell] = True
    fills = np.bincount(key[met], minlength=cells)
    cell = np.flatnonzero(counts)
    contract, messages, filled = cell // people.clients, counts[cell], fills[cell]
    fee = np.zeros(len(cell), np.int64)
    exchange = np.array([c.exchange for c in board.contracts])[contract]
    for name, rate in fees_on(book, board.trade_date).items():
        rows = exchange == name
        fee[rows] = message_fee(rate, messages[rows], filled[rows])
    return MessageBill(
        contract=contract.astype(np.int32),
        client=(cell % people.clients).astype(np.int32),
        messages=messages.astype(np.int64),
        filled=filled.astype(np.int64),
        fee=fee,
    )


def fees_on(book: RuleBook, day: date) -> dict[str, Fee]:
    """Return the message fee of each exchange that charges one on a trade date."""
    return {rule.exchange: rule.fee for rule in book.on(day) if rule.fee is not None}


def message_fee(
    rate: Fee, messages: NDArray[np.int64], filled: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the fee in 0.01 CNY (half up) of so many messages in one contract.

    Each band prices the messages that fall into it; where messages / filled orders - 1 does not
    exceed the rule's ratio, the factor applies (SHFE notice, from the night of 2022-08-04).
    """
    total, start = np.zeros(len(messages), np.int64), 0
    for band in rate.bands:
        end = messages if band.upto is None else np.minimum(messages, band.upto)
        total += np.maximum(end - start, 0) * int(band.price * _FINE)
        start = band.upto or start
    most = int((rate.ratio + 1) * _FINE) * np.maximum(filled, 1)
    low = messages * _FINE <= most
    total = total * np.where(low, int(rate.factor_up_to_ratio * _FINE), _FINE)
    cent = _FINE * _FINE // 100
    return (total + cent // 2) // cent
