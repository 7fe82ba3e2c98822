"""Clearing of one trade date: positions, fees, profit, margin and settlement prices.

Everything is counted in ticks, lots and 0.01 CNY, so that every sum ties exactly. Profit is
marked to market: what was held since yesterday is measured from the previous settlement price,
what was opened today from its own price (first in, first out).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulation.board import Board, limit_rate
from pipelines.simulation.holdings import NOTHING_HELD, Held
from pipelines.simulation.market import MarketDay
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT, HEDGE

FEE_SCALE = 10_000_000
MARGIN_SCALE = 1_000_000
_ABOVE_LIMIT: Final = Decimal("0.02")
"""After a limit day margins are at least the next date's limit and this (SHFE risk rules, generally
known)."""


@dataclass(frozen=True)
class Margins:
    """Margin rates of the date's settlement per contract, in millionths of the value."""

    spec: NDArray[np.int64]
    hedge: NDArray[np.int64]


@dataclass(frozen=True)
class Legs:
    """Two rows per trade in trade order, buy first; fee in 0.01 CNY."""

    trade: NDArray[np.int64]
    order: NDArray[np.int64]
    contract: NDArray[np.int32]
    account: NDArray[np.int32]
    side: NDArray[np.int8]
    offset: NDArray[np.int8]
    price: NDArray[np.int64]
    lots: NDArray[np.int64]
    fee: NDArray[np.int64]


@dataclass(frozen=True)
class Forced:
    """Positions reduced by force at a limit price (ticks), from what was held since yesterday."""

    contract: NDArray[np.int32]
    account: NDArray[np.int32]
    side: NDArray[np.int8]
    lots: NDArray[np.int64]
    price: NDArray[np.int64]

    @staticmethod
    def nothing() -> Forced:
        """No forced reduction, as on nearly every date."""
        none = NOTHING_HELD
        return Forced(none.contract, none.account, none.side, none.lots, none.lots)


@dataclass(frozen=True)
class Book:
    """Positions of the date: one row per contract, account and side (0 long, 1 short).

    ``leaving`` holds the columns transfer_in, transfer_out, delivery, expiry, forced.
    """

    contract: NDArray[np.int32]
    account: NDArray[np.int32]
    side: NDArray[np.int8]
    prev: NDArray[np.int64]
    opened: NDArray[np.int64]
    closed: NDArray[np.int64]
    leaving: NDArray[np.int64]
    lots: NDArray[np.int64]
    margin: NDArray[np.int64]
    close_profit: NDArray[np.int64]
    holding_profit: NDArray[np.int64]
    fee: NDArray[np.int64]
    delivery_payment: NDArray[np.int64]


def settlement_prices(board: Board, stats: NDArray[np.int64]) -> NDArray[np.int64]:
    """Volume-weighted mean price of the day, to the nearest tick (half up), in ticks.

    A contract without trades moves with the nearest earlier month that traded (or the nearest
    later one), in proportion, within its price limits; on a day without any it keeps its price.
    """
    volume, turnover = stats[:, 4], stats[:, 5]
    mean = (2 * turnover + volume) // np.maximum(2 * volume, 1)
    settle = np.where(volume > 0, mean, board.prev_settle)
    for index in np.flatnonzero(volume == 0):
        same = np.flatnonzero((board.commodity == board.commodity[index]) & (volume > 0))
        if not len(same):
            continue
        earlier = same[same < index]
        guide = int(earlier[-1]) if len(earlier) else int(same[0])
        moved = Decimal(int(board.prev_settle[index])) * int(settle[guide])
        level = int((moved / int(board.prev_settle[guide])).to_integral_value())
        settle[index] = min(max(level, int(board.low[index])), int(board.high[index]))
    return settle


def margin_rates(board: Board, streak: NDArray[np.int8]) -> Margins:
    """Return the date's margin rates: the commodity's, raised where the next limit is wider."""
    specs = [board.commodities[i] for i in board.commodity]
    raised = [
        limit_rate(c, int(n)) + _ABOVE_LIMIT if abs(int(n)) % 3 else Decimal(0)
        for c, n in zip(specs, streak, strict=True)
    ]
    pairs = list(zip(specs, raised, strict=True))
    return Margins(
        spec=np.array([int(max(c.spec_margin_rate, r) * MARGIN_SCALE) for c, r in pairs], np.int64),
        hedge=np.array(
            [int(max(c.hedge_margin_rate, r) * MARGIN_SCALE) for c, r in pairs], np.int64
        ),
    )


def make_legs(board: Board, day: MarketDay) -> Legs:
    """Return both legs of each trade with their fees."""
    trades, orders = day.trades, day.orders
    count = len(trades.time)
    order = np.empty(2 * count, np.int64)
    order[0::2], order[1::2] = trades.buy, trades.sell
    contract = np.repeat(trades.contract, 2)
    price = np.repeat(trades.price, 2)
    lots = np.repeat(trades.lots, 2)
    offset = day.offset[order]
    specs = [board.commodities[i] for i in board.commodity]
    rate = np.array([int(c.fee_rate * FEE_SCALE) for c in specs], np.int64)[contract]
    per_lot = np.array([int(c.fee_per_lot * 100) for c in specs], np.int64)[contract]
    factor = np.array([int(c.close_today_fee_factor * 100) for c in specs], np.int64)[contract]
    turnover = price * lots * board.cents[contract]
    fee = (turnover * rate + FEE_SCALE // 2) // FEE_SCALE + per_lot * lots
    fee = np.where(offset == 2, (fee * factor + 50) // 100, fee)
    side = np.tile(np.array([0, 1], np.int8), count)
    return Legs(
        trade=np.repeat(np.arange(count), 2),
        order=order,
        contract=contract,
        account=orders.account[order],
        side=side,
        offset=offset,
        price=price,
        lots=lots,
        fee=fee,
    )


def clear(
    board: Board,
    held: Held,
    legs: Legs,
    settle: NDArray[np.int64],
    margins: Margins,
    clients: int,
    transfers: Held | None = None,
    forced: Forced | None = None,
) -> Book:
    """Return the positions at the end of the date.

    ``transfers`` are lots that move between accounts at the settlement price (negative lots
    leave); ``forced`` leaves at its own price. Contracts whose last trade date this is end: whole
    delivery units are delivered, the rest expires, both settled at the settlement price.
    """
    accounts = clients * ACCOUNTS_PER_CLIENT
    leg_side = np.where(legs.offset == 0, legs.side, 1 - legs.side).astype(np.int8)
    moved = transfers or NOTHING_HELD
    cut = forced or Forced.nothing()
    code_held = _code(held.contract, held.account, held.side, accounts)
    code_leg = _code(legs.contract, legs.account, leg_side, accounts)
    code_moved = _code(moved.contract, moved.account, moved.side, accounts)
    codes = np.unique(np.concatenate([code_held, code_leg, code_moved]))
    at_held, at_leg = np.searchsorted(codes, code_held), np.searchsorted(codes, code_leg)
    at_moved = np.searchsorted(codes, code_moved)
    at_cut = np.searchsorted(codes, _code(cut.contract, cut.account, cut.side, accounts))
    rows = len(codes)
    side = (codes % 2).astype(np.int8)
    account = (codes // 2 % accounts).astype(np.int32)
    contract = (codes // 2 // accounts).astype(np.int32)
    prev = _sum(at_held, held.lots, rows)
    opens = legs.offset == 0
    opened = _sum(at_leg, np.where(opens, legs.lots, 0), rows)
    closed = _sum(at_leg, np.where(opens, 0, legs.lots), rows)
    sign = np.where(side == 0, 1, -1)
    value = board.cents[contract]

    # Total profit by row, then the part realised by closing (first in, first out for today's).
    signed = np.where(legs.side == 0, 1, -1) * legs.lots
    total = _sum(at_leg, signed * (settle[legs.contract] - legs.price), rows)
    total += sign * prev * (settle - board.prev_settle)[contract]
    line = np.argsort(at_leg, kind="stable")
    realised = _first_in_first_out(
        at_leg[line], legs.offset[line], legs.price[line], legs.lots[line],
        board.prev_settle[legs.contract[line]], rows,
    )  # fmt: skip
    # What is cut leaves at the limit price instead of the settlement price.
    total[at_cut] += sign[at_cut] * cut.lots * (cut.price - settle[cut.contract])
    realised[at_cut] += cut.lots * (cut.price - board.prev_settle[cut.contract])
    close_profit = sign * realised * value
    holding_profit = total * value - close_profit

    leaving = np.zeros((rows, 5), np.int64)
    leaving[:, 0] = _sum(at_moved, np.maximum(moved.lots, 0), rows)
    leaving[:, 1] = _sum(at_moved, np.maximum(-moved.lots, 0), rows)
    leaving[at_cut, 4] = cut.lots
    lots = prev + opened - closed + leaving[:, 0] - leaving[:, 1] - leaving[:, 4]
    ending = np.array([c.last_trade_date == board.trade_date for c in board.contracts])
    for index in np.flatnonzero(ending):
        unit = board.commodities[board.commodity[index]].delivery_unit_lots
        cash = board.commodities[board.commodity[index]].last_trade_rule == "LAST_MONDAY"
        _deliver(np.flatnonzero(contract == index), side, lots, leaving, 0 if cash else unit)
    lots = lots - leaving[:, 2] - leaving[:, 3]
    payment = -sign * leaving[:, 2] * settle[contract] * value
    hedged = account % ACCOUNTS_PER_CLIENT == HEDGE
    margin = (
        lots
        * settle[contract]
        * value
        * np.where(hedged, margins.hedge[contract], margins.spec[contract])
    )
    return Book(
        contract=contract,
        account=account,
        side=side,
        prev=prev,
        opened=opened,
        closed=closed,
        leaving=leaving,
        lots=lots,
        margin=(margin + MARGIN_SCALE // 2) // MARGIN_SCALE,
        close_profit=close_profit,
        holding_profit=holding_profit,
        fee=_sum(at_leg, legs.fee, rows),
        delivery_payment=payment,
    )


def _deliver(
    rows: NDArray[np.int64],
    side: NDArray[np.int8],
    lots: NDArray[np.int64],
    leaving: NDArray[np.int64],
    unit: int,
) -> None:
    """Split an ending contract's lots into delivered units and what expires, both sides alike."""
    whole = lots[rows] // unit * unit if unit else np.zeros(len(rows), np.int64)
    both = min(int(whole[side[rows] == 0].sum()), int(whole[side[rows] == 1].sum()))
    for of in (0, 1):
        mine = np.flatnonzero(side[rows] == of)
        room = np.minimum(np.cumsum(whole[mine]), both)
        leaving[rows[mine], 2] = np.diff(room, prepend=0)
    leaving[rows, 3] = lots[rows] - leaving[rows, 2]


def _code(
    contract: NDArray[np.int32],
    account: NDArray[np.int32],
    side: NDArray[np.int8],
    accounts: int,
) -> NDArray[np.int64]:
    return (contract.astype(np.int64) * accounts + account) * 2 + side


def _sum(at: NDArray[np.int64], values: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    out = np.zeros(rows, np.int64)
    np.add.at(out, at, values)
    return out


@njit(cache=True)
def _first_in_first_out(row, offset, price, lots, prev_settle, rows):  # type: ignore[no-untyped-def]
    """Sum (close price - reference) x lots per position row; legs sorted by row, then time."""
    realised = np.zeros(rows, np.int64)
    left = lots.copy()
    pointer = 0
    for i in range(len(row)):
        if i == 0 or row[i] != row[i - 1]:
            pointer = i
        if offset[i] == 1:
            realised[row[i]] += (price[i] - prev_settle[i]) * lots[i]
        elif offset[i] == 2:
            need = lots[i]
            while need > 0:
                while offset[pointer] != 0 or left[pointer] == 0:
                    pointer += 1
                take = min(need, left[pointer])
                realised[row[i]] += (price[i] - price[pointer]) * take
                left[pointer] -= take
                need -= take
    return realised
