# Compiled code: numba infers the types, so the functions carry none.
# mypy: disable-error-code="no-untyped-def"
"""Price levels as linked queues of resting orders: the pieces the order book is made of.

A change here does not invalidate numba's cache of ``book`` by itself (it watches one file):
touch ``book.py`` as well.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from pipelines.simulation.codes import FILL, NONE

COMPILE: Final[dict[str, Any]] = {"cache": True, "nogil": True}


@njit(**COMPILE)
def record(
    ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason, counts,
    now, order, kind, price, lots, rest, trade, reason,
):  # fmt: skip
    """Append one event."""
    n = counts[0]
    ev_time[n] = now
    ev_order[n] = order
    ev_type[n] = kind
    ev_price[n] = price
    ev_lots[n] = lots
    ev_rest[n] = rest
    ev_trade[n] = trade
    ev_reason[n] = reason
    counts[0] = n + 1


@njit(**COMPILE)
def insert_order(o, s, level, head, tail, level_lots, best, after, before, rest):
    """Queue an order behind the others at its level."""
    last = tail[s, level]
    before[o] = last
    after[o] = -1
    if last >= 0:
        after[last] = o
    else:
        head[s, level] = o
    tail[s, level] = o
    level_lots[s, level] += rest[o]
    if s == 0:
        best[0] = max(best[0], level)
    else:
        best[1] = min(best[1], level)


@njit(**COMPILE)
def unlink_order(o, s, level, head, tail, level_lots, best, after, before):
    """Take an order out of its level's queue and move the best price if the level is empty."""
    if before[o] >= 0:
        after[before[o]] = after[o]
    else:
        head[s, level] = after[o]
    if after[o] >= 0:
        before[after[o]] = before[o]
    else:
        tail[s, level] = before[o]
    levels = level_lots.shape[1]
    if s == 0:
        while best[0] >= 0 and level_lots[0, best[0]] == 0:
            best[0] -= 1
    else:
        while best[1] < levels and level_lots[1, best[1]] == 0:
            best[1] += 1


@njit(**COMPILE)
def remove_order(
    o, low, head, tail, level_lots, best, after, before, rest, live, side, price, account,
    offset, held,
):  # fmt: skip
    """Take a resting order out of the book and free the position that it meant to close."""
    s = side[o]
    level = price[o] - low
    level_lots[s, level] -= rest[o]
    live[o] = False
    if offset[o] > 0:
        held[offset[o] - 1, account[o], 1 - s] += rest[o]
    unlink_order(o, s, level, head, tail, level_lots, best, after, before)


@njit(**COMPILE)
def lots_within(s, level, level_lots, best, levels):
    """Return the lots on the other side that a limit at ``level`` can reach."""
    total = np.int64(0)
    if s == 0:
        for k in range(best[1], min(level, levels - 1) + 1):
            total += level_lots[1, k]
    else:
        for k in range(best[0], level - 1, -1):
            total += level_lots[0, k]
    return total


@njit(**COMPILE)
def execute(
    now, at, quantity, taker, maker, head, tail, level_lots, best, after, before, rest, live,
    side, price, low, account, offset, held, ev_time, ev_order, ev_type, ev_price, ev_lots,
    ev_rest, ev_trade, ev_reason, tr_time, tr_price, tr_lots, tr_buy, tr_sell, counts, stats,
    taker_is_new,
):  # fmt: skip
    """Trade ``quantity`` at one price: both orders, the book, positions, statistics, events."""
    trade = counts[1]
    buy = taker if side[taker] == 0 else maker
    sell = maker if side[taker] == 0 else taker
    tr_time[trade] = now
    tr_price[trade] = at
    tr_lots[trade] = quantity
    tr_buy[trade] = buy
    tr_sell[trade] = sell
    counts[1] = trade + 1
    for side_of in range(2):
        o = taker if side_of == 0 else maker
        rest[o] -= quantity
        s = side[o]
        if offset[o] == 0:
            held[1, account[o], s] += quantity
        if side_of == 1 or not taker_is_new:
            level = price[o] - low
            level_lots[s, level] -= quantity
            if rest[o] == 0:
                live[o] = False
                unlink_order(o, s, level, head, tail, level_lots, best, after, before)
        record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
               counts, now, o, FILL, at, quantity, rest[o], trade, NONE)  # fmt: skip
    stats[0] = at
    if stats[1] < 0:
        stats[1] = at
        stats[2] = at
        stats[3] = at
    stats[2] = max(stats[2], at)
    stats[3] = min(stats[3], at)
    stats[4] += quantity
    stats[5] += quantity * np.int64(at)
    if offset[buy] == 0 and offset[sell] == 0:
        stats[6] += quantity
    elif offset[buy] > 0 and offset[sell] > 0:
        stats[6] -= quantity
