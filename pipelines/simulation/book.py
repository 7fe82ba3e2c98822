"""The limit-order book of one contract: call auction, then price-time priority.

Compiled by numba (cached); one call replays one contract's whole trade date. Prices are ticks,
lots are lots, times are microseconds on the trade date's clock. Orders state how they choose
their price relative to the book (``style``), so that an order flow generated beforehand still
reacts to the market it meets.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

# Order types.
LIMIT: Final = 0
MARKET: Final = 1
FAK: Final = 2
FOK: Final = 3
# Event types.
NEW: Final = 0
FILL: Final = 1
CANCEL: Final = 2
REJECT: Final = 3
# Price styles: behind the own side's best, around the fair price, through the other side's
# best, at an absolute tick, at another order's price.
PASSIVE: Final = 0
FAIR: Final = 1
AGGRESSIVE: Final = 2
ABSOLUTE: Final = 3
SAME_AS: Final = 4
# Reasons of cancels and rejects.
NONE: Final = 0
CLIENT: Final = 1
FAK_REST: Final = 2
FOK_KILL: Final = 3
SESSION_END: Final = 4
PRICE_LIMIT: Final = 5
FUNDS: Final = 6
POSITION: Final = 7
NO_MARKET: Final = 8
# What an order wants to do with the client's position.
OPEN: Final = 0
PREFER_CLOSE: Final = 1
MUST_CLOSE: Final = 2
NO_FUNDS: Final = 3

TICK_INTERVAL: Final = 500_000
_COMPILE: Final[dict[str, Any]] = {"cache": True, "nogil": True}


@njit(**_COMPILE)
def match(
    act_time, act_order, act_cancel,
    side, lots, order_type, style, distance, fair, want, may_self, account, client, same_as,
    yesterday, low, high, auction_to, closes_at, prev_open_interest, prev_settle,
    reach,
):  # fmt: skip
    """Replay one contract's actions in time order.

    ``act_*`` give the actions (time, order, 1 = cancel); the arrays after them describe orders.
    ``yesterday[account, 0|1]`` holds long and short lots at the start; ``low``/``high`` are
    the limit prices. Returns the events, the trades, the half-second snapshots, and per order
    its price, its offset (0 open, 1 close, 2 close today) and its lots as accepted.
    """
    n_actions = len(act_time)
    n_orders = len(side)
    levels = high - low + 1
    head = np.full((2, levels), -1, np.int32)
    tail = np.full((2, levels), -1, np.int32)
    level_lots = np.zeros((2, levels), np.int64)
    best = np.empty(2, np.int64)  # best bid (0) and ask (1) as level indices
    best[0] = -1
    best[1] = levels
    after = np.full(n_orders, -1, np.int32)
    before = np.full(n_orders, -1, np.int32)
    rest = np.zeros(n_orders, np.int32)
    price = np.full(n_orders, -1, np.int32)
    offset = np.zeros(n_orders, np.int8)
    sent = lots.copy()
    live = np.zeros(n_orders, np.bool_)
    held = np.zeros((2, yesterday.shape[0], 2), np.int32)  # free lots: of yesterday, of today
    held[0] = yesterday
    cap = 4 * n_orders + 8
    ev_time = np.empty(cap, np.int64)
    ev_order = np.empty(cap, np.int32)
    ev_type = np.empty(cap, np.int8)
    ev_price = np.empty(cap, np.int32)
    ev_lots = np.empty(cap, np.int32)
    ev_rest = np.empty(cap, np.int32)
    ev_trade = np.full(cap, -1, np.int32)
    ev_reason = np.zeros(cap, np.int8)
    tr_time = np.empty(n_orders + 8, np.int64)
    tr_price = np.empty(n_orders + 8, np.int32)
    tr_lots = np.empty(n_orders + 8, np.int32)
    tr_buy = np.empty(n_orders + 8, np.int32)
    tr_sell = np.empty(n_orders + 8, np.int32)
    ticks = np.empty((n_actions + 2, 12), np.int64)
    counts = np.zeros(3, np.int64)  # events, trades, ticks
    # last, open, high, low, volume, turnover in ticks, open interest
    stats = np.zeros(7, np.int64)
    stats[0] = -1
    stats[1] = -1
    stats[6] = prev_open_interest
    in_auction = True
    bucket = np.int64(-1)
    changed = False

    for a in range(n_actions + 1):
        if a < n_actions:
            now = act_time[a]
        else:
            now = closes_at
        if in_auction and (now >= auction_to or a == n_actions):
            in_auction = False
            _uncross(
                auction_to, low, head, tail, level_lots, best, after, before, rest, live, side,
                client, account, offset, price, held, may_self, prev_settle,
                ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                tr_time, tr_price, tr_lots, tr_buy, tr_sell, counts, stats,
            )  # fmt: skip
            changed = changed or counts[1] > 0
            bucket = auction_to // TICK_INTERVAL
        this_bucket = now // TICK_INTERVAL
        if not in_auction and changed and this_bucket != bucket:
            k = counts[2]
            ticks[k, 0] = (bucket + 1) * TICK_INTERVAL
            for j in range(7):
                ticks[k, 1 + j] = stats[j]
            ticks[k, 8] = best[0]
            ticks[k, 9] = level_lots[0, best[0]] if best[0] >= 0 else 0
            ticks[k, 10] = best[1]
            ticks[k, 11] = level_lots[1, best[1]] if best[1] < levels else 0
            counts[2] += 1
            changed = False
        bucket = this_bucket
        if a == n_actions:
            break
        o = act_order[a]
        s = side[o]
        if act_cancel[a] == 1:
            if live[o]:
                _remove(o, low, head, tail, level_lots, best, after, before, rest, live, side,
                        price, account, offset, held)  # fmt: skip
                _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                       counts, now, o, CANCEL, price[o], rest[o], 0, -1, CLIENT)  # fmt: skip
                rest[o] = 0
                changed = True
            continue

        # The limit price (a level index until written back in ticks).
        kind = order_type[o]
        sign = 1 if s == 0 else -1
        own = best[s]
        other = best[1 - s]
        has_own = 0 <= own < levels
        has_other = 0 <= other < levels
        fair_level = fair[o] - low
        if kind == MARKET:
            level = levels - 1 if s == 0 else 0
        elif style[o] == PASSIVE:
            anchor = own if has_own else fair_level - sign * 2
            level = anchor - sign * distance[o]
            level = min(level, fair_level + reach) if s == 0 else max(level, fair_level - reach)
            if not in_auction and has_other:  # never crosses
                level = min(level, other - 1) if s == 0 else max(level, other + 1)
            level = min(max(level, 0), levels - 1)
        elif style[o] == AGGRESSIVE:
            anchor = other if has_other else fair_level
            level = anchor + sign * distance[o]
            if s == 0:  # nobody chases a price far from what the contract is worth
                level = min(level, fair_level + reach)
            else:
                level = max(level, fair_level - reach)
            level = min(max(level, 0), levels - 1)
        elif style[o] == FAIR:
            level = min(max(fair_level - sign * distance[o], 0), levels - 1)
        elif style[o] == SAME_AS and same_as[o] >= 0 and price[same_as[o]] >= 0:
            level = np.int64(price[same_as[o]]) - low
        elif style[o] == SAME_AS:
            level = fair_level
        else:
            level = distance[o] - low
        price[o] = level + low

        # Offset by the client's free position, then the checks that reject.
        reason = NONE
        if level < 0 or level >= levels:
            reason = PRICE_LIMIT
        elif want[o] == NO_FUNDS:
            reason = FUNDS
        elif want[o] != OPEN:
            closes = 1 - s  # a buy closes short lots
            if held[0, account[o], closes] > 0:
                offset[o] = 1
                sent[o] = min(sent[o], held[0, account[o], closes])
            elif held[1, account[o], closes] > 0:
                offset[o] = 2
                sent[o] = min(sent[o], held[1, account[o], closes])
            elif want[o] == MUST_CLOSE:
                offset[o] = 1
                reason = POSITION
        if reason != NONE:
            _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                   counts, now, o, REJECT, price[o], sent[o], 0, -1, reason)  # fmt: skip
            continue
        if offset[o] > 0:
            held[offset[o] - 1, account[o], 1 - s] -= sent[o]
        rest[o] = sent[o]
        live[o] = True
        _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
               counts, now, o, NEW, price[o], sent[o], sent[o], -1, NONE)  # fmt: skip
        changed = True

        if not in_auction:
            matches = True
            if kind == FOK:
                matches = _available(s, level, level_lots, best, levels) >= rest[o]
            while matches and rest[o] > 0:
                other = best[1 - s]
                if s == 0:
                    if other >= levels or other > level:
                        break
                elif other < 0 or other < level:
                    break
                maker = head[1 - s, other]
                if client[maker] == client[o] and not may_self[o] and kind != FOK:
                    # The client's own software takes its resting order back first.
                    _remove(maker, low, head, tail, level_lots, best, after, before, rest, live,
                            side, price, account, offset, held)  # fmt: skip
                    _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade,
                           ev_reason, counts, now, maker, CANCEL, price[maker], rest[maker], 0,
                           -1, CLIENT)  # fmt: skip
                    rest[maker] = 0
                    continue
                quantity = min(rest[o], rest[maker])
                _trade(
                    now, price[maker], quantity, o, maker, head, tail, level_lots, best, after,
                    before, rest, live, side, price, low, account, offset, held, ev_time,
                    ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                    tr_time, tr_price, tr_lots, tr_buy, tr_sell, counts, stats, True,
                )  # fmt: skip
            if rest[o] > 0 and kind != LIMIT:
                reason = FAK_REST
                if kind == FOK:
                    reason = FOK_KILL
                elif kind == MARKET:
                    reason = NO_MARKET
                live[o] = False
                if offset[o] > 0:
                    held[offset[o] - 1, account[o], 1 - s] += rest[o]
                _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                       counts, now, o, CANCEL, price[o], rest[o], 0, -1, reason)  # fmt: skip
                rest[o] = 0
        if rest[o] == 0:
            live[o] = False
        else:
            _insert(o, s, level, head, tail, level_lots, best, after, before, rest)

    for o in range(n_orders):  # what still rests when the day ends
        if live[o]:
            _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                   counts, closes_at, o, CANCEL, price[o], rest[o], 0, -1, SESSION_END)  # fmt: skip
    n, m, k = counts
    return (
        ev_time[:n], ev_order[:n], ev_type[:n], ev_price[:n], ev_lots[:n], ev_rest[:n],
        ev_trade[:n], ev_reason[:n], tr_time[:m], tr_price[:m], tr_lots[:m], tr_buy[:m],
        tr_sell[:m], ticks[:k], price, offset, sent, stats,
    )  # fmt: skip


@njit(**_COMPILE)
def _event(
    ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason, counts,
    now, order, kind, price, lots, rest, trade, reason,
):  # fmt: skip
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


@njit(**_COMPILE)
def _insert(o, s, level, head, tail, level_lots, best, after, before, rest):
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


@njit(**_COMPILE)
def _unlink(o, s, level, head, tail, level_lots, best, after, before):
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


@njit(**_COMPILE)
def _remove(
    o, low, head, tail, level_lots, best, after, before, rest, live, side, price, account,
    offset, held,
):  # fmt: skip
    s = side[o]
    level = price[o] - low
    level_lots[s, level] -= rest[o]
    live[o] = False
    if offset[o] > 0:
        held[offset[o] - 1, account[o], 1 - s] += rest[o]
    _unlink(o, s, level, head, tail, level_lots, best, after, before)


@njit(**_COMPILE)
def _available(s, level, level_lots, best, levels):
    total = np.int64(0)
    if s == 0:
        for k in range(best[1], min(level, levels - 1) + 1):
            total += level_lots[1, k]
    else:
        for k in range(best[0], level - 1, -1):
            total += level_lots[0, k]
    return total


@njit(**_COMPILE)
def _trade(
    now, at, quantity, taker, maker, head, tail, level_lots, best, after, before, rest, live,
    side, price, low, account, offset, held, ev_time, ev_order, ev_type, ev_price, ev_lots,
    ev_rest, ev_trade, ev_reason, tr_time, tr_price, tr_lots, tr_buy, tr_sell, counts, stats,
    taker_is_new,
):  # fmt: skip
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
                _unlink(o, s, level, head, tail, level_lots, best, after, before)
        _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
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


@njit(**_COMPILE)
def _uncross(
    now, low, head, tail, level_lots, best, after, before, rest, live, side, client, account,
    offset, price, held, may_self, prev_settle, ev_time, ev_order, ev_type, ev_price, ev_lots,
    ev_rest, ev_trade, ev_reason, tr_time, tr_price, tr_lots, tr_buy, tr_sell, counts, stats,
):  # fmt: skip
    """Match the auction at the one price of most volume (then least surplus, then nearest to
    the previous settlement price), bids and asks each in price-time priority."""
    levels = level_lots.shape[1]
    if best[0] < 0 or best[1] >= levels or best[0] < best[1]:
        return
    demand = np.zeros(levels, np.int64)
    running = np.int64(0)
    for k in range(best[0], best[1] - 1, -1):
        running += level_lots[0, k]
        demand[k] = running
    supply = np.int64(0)
    at = np.int64(-1)
    most = np.int64(-1)
    surplus = np.int64(0)
    gap = np.int64(0)
    for k in range(best[1], best[0] + 1):
        supply += level_lots[1, k]
        volume = min(supply, demand[k])
        left = abs(supply - demand[k])
        far = abs(k + low - prev_settle)
        if volume > most or (
            volume == most and (left < surplus or (left == surplus and far < gap))
        ):
            at, most, surplus, gap = k, volume, left, far
    while best[0] >= at and best[1] <= at:
        bid = head[0, best[0]]
        ask = head[1, best[1]]
        if client[bid] == client[ask] and not may_self[bid]:
            _remove(ask, low, head, tail, level_lots, best, after, before, rest, live, side,
                    price, account, offset, held)  # fmt: skip
            _event(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                   counts, now, ask, CANCEL, price[ask], rest[ask], 0, -1, CLIENT)  # fmt: skip
            rest[ask] = 0
            continue
        _trade(
            now, at + low, min(rest[bid], rest[ask]), bid, ask, head, tail, level_lots, best,
            after, before, rest, live, side, price, low, account, offset, held, ev_time,
            ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason, tr_time,
            tr_price, tr_lots, tr_buy, tr_sell, counts, stats, False,
        )  # fmt: skip
