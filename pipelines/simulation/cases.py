"""The truth about a date's misconduct: what was staged, and what the thresholds would count.

Written from the market itself and the true control groups, not from the delivered files, so
that a surveillance job can be measured against it. Nothing downstream reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation import codes
from pipelines.simulation.board import Board
from pipelines.simulation.clearing import Book
from pipelines.simulation.market import MarketDay
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT, HEDGE, MARKET_MAKING
from pipelines.simulation.patterns import CAMOUFLAGE
from pipelines.simulation.people import People
from pipelines.simulation.scene import Case

LIMITS: Final = {"self_trade": 5, "frequent_cancel": 500, "large_cancel": 50}
LARGE_LOTS: Final = 300


def staged_records(
    board: Board, day: MarketDay, people: People, cases: tuple[Case, ...]
) -> list[dict[str, Any]]:
    """Return one record per staged case with the delivered order and trade numbers."""
    orders, trades = day.orders, day.trades
    buy, sell = orders.label[trades.buy], orders.label[trades.sell]
    records = []
    for case in cases:
        rows = np.flatnonzero(orders.label == case.label)
        hiding = np.flatnonzero(orders.label == case.label + CAMOUFLAGE)
        among = np.flatnonzero((buy == case.label) & (sell == case.label))
        detail = {
            k: str(people.client_id[v]) if k in ("loser", "winner") else v
            for k, v in case.detail.items()
        }
        records.append(
            {
                "kind": "misconduct",
                "class": case.name,
                "strength": case.strength,
                "clients": [str(people.client_id[c]) for c in dict.fromkeys(case.clients)],
                "contracts": [board.contracts[c].contract_id for c in case.contracts],
                "order_ids": [int(n) for n in np.sort(day.number[rows])],
                "camouflage_order_ids": [int(n) for n in np.sort(day.number[hiding])],
                "matched_trade_ids": [int(t) + 1 for t in among],
                "matched_lots": int(trades.lots[among].sum()),
                **detail,
            }
        )
    return records


def threshold_records(
    board: Board, day: MarketDay, people: People, cases: tuple[Case, ...], positions: Book
) -> list[dict[str, Any]]:
    """Return every case that the thresholds count, staged or not.

    Per client and per true control group (which counts as one client), per contract. Hedging,
    market-making, FAK and FOK orders are exempt; cancels are those that a client sent. Lots
    opened (both sides) count against the notice's limit of the date, lots held at its end (the
    larger side) against the general position limit; hedging is exempt from both.
    """
    orders = day.orders
    exempt = np.isin(orders.hedge, (HEDGE, MARKET_MAKING)) | (orders.order_type >= codes.FAK)
    group = np.full(people.clients, -1, np.int64)
    for number, g in enumerate(people.groups):
        group[list(g.clients)] = number
    staged = {(c, k) for case in cases for c in case.clients for k in case.contracts}
    records = []
    own = np.arange(people.clients, dtype=np.int64)
    for unit, key in (("client", own), ("group", np.where(group >= 0, group, -1))):
        counted = (*_counted(day, exempt, key), *_lots(day, positions, key))
        for name, contract, who, count in counted:
            if count < _limit(board, contract, name):
                continue
            if unit == "client":
                clients: tuple[int, ...] = (who,)
                # What a whole group did is told once, as the group's case.
                if group[who] >= 0:
                    continue
            else:
                clients = people.groups[who].clients
            records.append(
                {
                    "kind": "threshold_case",
                    "class": name,
                    "unit": unit,
                    "clients": [str(people.client_id[c]) for c in clients],
                    "contract_id": board.contracts[contract].contract_id,
                    "count": count,
                    "staged": any((c, contract) in staged for c in clients),
                }
            )
    return records


def _limit(board: Board, contract: int, name: str) -> int:
    """The smallest count that is a case; for lots, one more than what is allowed."""
    if name in LIMITS:
        return LIMITS[name]
    commodity = board.commodities[int(board.commodity[contract])]
    if name == "intraday_open":
        return (commodity.intraday_open_limit or 10**9) + 1
    return commodity.position_limit_general + 1


def _lots(
    day: MarketDay, positions: Book, key: NDArray[np.int64]
) -> Iterator[tuple[str, int, int, int]]:
    orders, trades = day.orders, day.trades
    legs = np.concatenate([trades.buy, trades.sell])
    lots = np.concatenate([trades.lots, trades.lots])
    plain = (day.offset[legs] == 0) & ~np.isin(orders.hedge[legs], (HEDGE, MARKET_MAKING))
    who = key[orders.client[legs]]
    chosen = plain & (who >= 0)
    contract = orders.contract[legs]
    yield from _weighed("intraday_open", contract[chosen], who[chosen], lots[chosen])
    hedge = positions.account % ACCOUNTS_PER_CLIENT
    who = key[positions.account // ACCOUNTS_PER_CLIENT]
    larger: dict[tuple[int, int], int] = {}
    for side in (0, 1):
        rows = (positions.side == side) & (who >= 0) & ~np.isin(hedge, (HEDGE, MARKET_MAKING))
        own = _weighed("over_limit", positions.contract[rows], who[rows], positions.lots[rows])
        for _, c, w, n in own:
            larger[c, w] = max(larger.get((c, w), 0), n)
    for (c, w), n in sorted(larger.items()):
        yield "over_limit", c, w, n


def _weighed(
    name: str, contract: NDArray[np.int32], who: NDArray[np.int64], lots: NDArray[np.int64]
) -> Iterator[tuple[str, int, int, int]]:
    code, at = np.unique(contract.astype(np.int64) * 10_000_000 + who, return_inverse=True)
    total = np.bincount(at, weights=lots, minlength=len(code)).astype(np.int64)
    for c, n in zip(code, total, strict=True):
        yield name, int(c // 10_000_000), int(c % 10_000_000), int(n)


def _counted(
    day: MarketDay, exempt: NDArray[np.bool_], key: NDArray[np.int64]
) -> Iterator[tuple[str, int, int, int]]:
    orders, trades, events = day.orders, day.trades, day.events
    buyer, seller = key[orders.client[trades.buy]], key[orders.client[trades.sell]]
    same = (buyer == seller) & (buyer >= 0)
    same &= ~exempt[trades.buy] & ~exempt[trades.sell]
    yield from _tally("self_trade", trades.contract[same], buyer[same])
    cancels = (events.kind == codes.CANCEL) & (events.reason == codes.CLIENT)
    cancels &= ~exempt[events.order]
    order = events.order[cancels]
    who = key[orders.client[order]]
    yield from _tally("frequent_cancel", orders.contract[order][who >= 0], who[who >= 0])
    large = (events.lots[cancels] >= LARGE_LOTS) & (who >= 0)
    yield from _tally("large_cancel", orders.contract[order][large], who[large])


def _tally(
    name: str, contract: NDArray[np.int32], who: NDArray[np.int64]
) -> Iterator[tuple[str, int, int, int]]:
    code, count = np.unique(contract.astype(np.int64) * 10_000_000 + who, return_counts=True)
    for c, n in zip(code, count, strict=True):
        yield name, int(c // 10_000_000), int(c % 10_000_000), int(n)
