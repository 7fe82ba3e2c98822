# Compiled code: numba infers the types, so the functions carry none.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: C901
"""The limit-order book of one contract: call auction, then price-time priority.

Compiled by numba (cached); one call replays one contract's whole trade date. Prices are ticks,
lots are lots, times are microseconds on the trade date's clock. Orders state how they choose
their price relative to the book (``style``), so that an order flow generated beforehand still
reacts to the market it meets.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from pipelines.simulation.codes import (
    AGGRESSIVE,
    CANCEL,
    CLIENT,
    CLOSE_EITHER,
    FAIR,
    FAK_REST,
    FOK,
    FOK_KILL,
    FUNDS,
    LIMIT,
    MARKET,
    MUST_CLOSE,
    NEW,
    NO_FUNDS,
    NO_MARKET,
    NONE,
    OPEN,
    PASSIVE,
    POSITION,
    PRICE_LIMIT,
    REJECT,
    SAME_AS,
    SESSION_END,
    TOUCH,
)
from pipelines.simulation.queues import (
    COMPILE,
    execute,
    insert_order,
    lots_within,
    record,
    remove_order,
)

TICK_INTERVAL: Final = 500_000


@njit(**COMPILE)
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
    its price, its offset (0 open, 1 close, 2 close today), its lots as accepted, the statistics
    (see ``MarketDay``) and its side.
    """
    n_actions = len(act_time)
    n_orders = len(side)
    side = side.copy()
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
        now = act_time[a] if a < n_actions else closes_at
        if in_auction and (now >= auction_to or a == n_actions):
            in_auction = False
            _uncross(
                auction_to, low, head, tail, level_lots, best, after, before, rest, live, side,
                account, offset, price, held, prev_settle,
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
        if want[o] == CLOSE_EITHER and act_cancel[a] == 0:
            mine = account[o]
            if held[0, mine, 1 - s] + held[1, mine, 1 - s] == 0 and (
                held[0, mine, s] + held[1, mine, s] > 0
            ):
                s = 1 - s
                side[o] = s
        if act_cancel[a] == 1:
            if live[o]:
                remove_order(o, low, head, tail, level_lots, best, after, before, rest, live, side,
                        price, account, offset, held)  # fmt: skip
                record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
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
            # Nobody chases a price far from what the contract is worth.
            level = min(level, fair_level + reach) if s == 0 else max(level, fair_level - reach)
            level = min(max(level, 0), levels - 1)
        elif style[o] == TOUCH:  # who quotes here keeps the spread at a tick
            level = fair_level + s - sign * distance[o]
            if has_other:  # never crosses
                level = min(level, other - 1) if s == 0 else max(level, other + 1)
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
            record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                   counts, now, o, REJECT, price[o], sent[o], 0, -1, reason)  # fmt: skip
            continue
        if offset[o] > 0:
            held[offset[o] - 1, account[o], 1 - s] -= sent[o]
        rest[o] = sent[o]
        live[o] = True
        record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
               counts, now, o, NEW, price[o], sent[o], sent[o], -1, NONE)  # fmt: skip
        changed = True

        if in_auction:
            # The client's own software takes back what this order could meet in the auction.
            k = best[1 - s]
            while not may_self[o] and 0 <= k < levels and sign * (level - k) >= 0:
                m = head[1 - s, k]
                k += sign
                while m >= 0:
                    own_order = m
                    m = after[m]
                    if client[own_order] != client[o]:
                        continue
                    remove_order(own_order, low, head, tail, level_lots, best, after, before, rest,
                                 live, side, price, account, offset, held)  # fmt: skip
                    record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade,
                           ev_reason, counts, now, own_order, CANCEL, price[own_order],
                           rest[own_order], 0, -1, CLIENT)  # fmt: skip
                    rest[own_order] = 0
        else:
            matches = True
            if kind == FOK:
                matches = lots_within(s, level, level_lots, best, levels) >= rest[o]
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
                    remove_order(maker, low, head, tail, level_lots, best, after, before, rest,
                                 live, side, price, account, offset, held)  # fmt: skip
                    record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade,
                           ev_reason, counts, now, maker, CANCEL, price[maker], rest[maker], 0,
                           -1, CLIENT)  # fmt: skip
                    rest[maker] = 0
                    continue
                quantity = min(rest[o], rest[maker])
                execute(
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
                record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                       counts, now, o, CANCEL, price[o], rest[o], 0, -1, reason)  # fmt: skip
                rest[o] = 0
        if rest[o] == 0:
            live[o] = False
        else:
            insert_order(o, s, level, head, tail, level_lots, best, after, before, rest)

    for o in range(n_orders):  # what still rests when the day ends
        if live[o]:
            record(ev_time, ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason,
                   counts, closes_at, o, CANCEL, price[o], rest[o], 0, -1, SESSION_END)  # fmt: skip
    n, m, k = counts
    return (
        ev_time[:n], ev_order[:n], ev_type[:n], ev_price[:n], ev_lots[:n], ev_rest[:n],
        ev_trade[:n], ev_reason[:n], tr_time[:m], tr_price[:m], tr_lots[:m], tr_buy[:m],
        tr_sell[:m], ticks[:k], price, offset, sent, stats, side,
    )  # fmt: skip


@njit(**COMPILE)
def _uncross(
    now, low, head, tail, level_lots, best, after, before, rest, live, side, account,
    offset, price, held, prev_settle, ev_time, ev_order, ev_type, ev_price, ev_lots,
    ev_rest, ev_trade, ev_reason, tr_time, tr_price, tr_lots, tr_buy, tr_sell, counts, stats,
):  # fmt: skip
    """Match the auction at the one price of most volume (then least surplus, then nearest to
    the previous settlement price), bids and asks each in price-time priority.

    Nobody's orders are taken back here: that would leave a bid above an ask, because the price
    was found with them. Who must not trade with himself withdrew on entry.
    """
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
            at, most, surplus, gap = np.int64(k), volume, left, far
    while best[0] >= at and best[1] <= at:
        bid = head[0, best[0]]
        ask = head[1, best[1]]
        execute(
            now, at + low, min(rest[bid], rest[ask]), bid, ask, head, tail, level_lots, best,
            after, before, rest, live, side, price, low, account, offset, held, ev_time,
            ev_order, ev_type, ev_price, ev_lots, ev_rest, ev_trade, ev_reason, tr_time,
            tr_price, tr_lots, tr_buy, tr_sell, counts, stats, False,
        )  # fmt: skip
