"""Ordinary order flow: who sends what, when, and how near to the market."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation import codes
from pipelines.simulation.board import Board
from pipelines.simulation.clock import SECOND, Sessions
from pipelines.simulation.holdings import Held
from pipelines.simulation.orders import (
    ACCOUNTS_PER_CLIENT,
    ARBITRAGE,
    HEDGE,
    MARKET_MAKING,
    NO_CANCEL,
    Orders,
    join,
    make_orders,
)
from pipelines.simulation.people import CORPORATE, FUND, MARKET_MAKER, PROGRAMME, People
from pipelines.simulation.scale import Scale

# By client type: retail, corporate, fund, programme, market maker (all are assumptions, tuned
# so that the market's cancel ratio and order sizes are of a real market's order).
_PASSIVE: Final = np.array([0.60, 0.70, 0.68, 0.78, 0.0])
_AGGRESSIVE: Final = np.array([0.95, 0.97, 0.96, 0.96, 0.0])
_MEDIAN_LOTS: Final = np.array([1.1, 7.0, 5.0, 2.0, 6.0])
_CANCELS: Final = np.array([0.60, 0.50, 0.65, 0.95, 0.99])
_MEDIAN_LIFE: Final = np.array([240.0, 600.0, 90.0, 2.5, 25.0])
_CLOSES: Final = np.array([0.30, 0.28, 0.30, 0.45, 0.90])
_CLOSERS: Final = 0.36
"""Share of the orders that somebody sends to close what he holds since yesterday."""
_NEAR_END: Final = 15
"""Trade dates before a contract's last one in which most holders only close."""
_FAK: Final = np.array([0.01, 0.01, 0.05, 0.10, 0.0])
_FOK: Final = np.array([0.0, 0.01, 0.02, 0.03, 0.0])
_MARKET: Final = np.array([0.03, 0.005, 0.005, 0.005, 0.0])
_TOUCH: Final = 0.75
"""Share of the passive orders of a main contract that quote at the fair price. Real main contracts
show a spread of one tick (CTP recording of 2022-02-18: median 1 in the twelve busiest but one)."""
_MAIN: Final = (14, 24)
"""Ranks by activity up to which a contract is a main one, and from which it is none."""
_AUCTION_SHARE: Final = 0.015
_CHILD_SHARE: Final = 0.74
_SEGMENT_INTENSITY: Final = {4: (1.1, 1.5, 1.05, 1.1), 3: (1.5, 1.05, 1.1)}


Profile = Callable[[NDArray[np.float64]], NDArray[np.int64]]


@dataclass(frozen=True)
class Activity:
    """How a day's orders spread over contracts: probability, and the price unit in ticks.

    ``touch`` is the share of passive orders that quote at the fair price, high in main contracts.
    ``profiles`` maps a commodity's index to its real volume profile, where one is known.
    """

    share: NDArray[np.float64]
    unit: NDArray[np.int64]
    touch: NDArray[np.float64]
    profiles: Mapping[int, Profile] = field(default_factory=dict)


def activity(board: Board) -> Activity:
    """Return each contract's share of the day's orders and its distance unit.

    The share falls off on both sides of the commodity's main month; the unit is about a
    quarter of the price's one-minute standard deviation, at least one tick.
    """
    share = np.empty(len(board))
    unit = np.empty(len(board), np.int64)
    for i in range(len(board)):
        commodity = board.commodities[board.commodity[i]]
        away = abs(int(board.maturity[i]) - commodity.front_peak)
        expiring = board.contracts[i].last_trade_date == board.trade_date
        share[i] = commodity.activity * max(np.exp(-1.15 * away), 0.0008)
        share[i] *= 0.3 if expiring else 1.0
        daily = commodity.daily_volatility * float(board.prev_settle[i])
        unit[i] = max(1, round(0.25 * daily / np.sqrt(555.0)))
    rank = np.empty(len(board))
    rank[np.argsort(-share, kind="stable")] = np.arange(len(board))
    touch = _TOUCH * np.clip((_MAIN[1] - rank) / (_MAIN[1] - _MAIN[0]), 0.0, 1.0)
    return Activity(share / share.sum(), unit, touch)


def draw_orders(
    rng: np.random.Generator,
    board: Board,
    people: People,
    scale: Scale,
    trade_date: date,
    busy: Activity,
    held: Held,
) -> Orders:
    """Draw the ordinary orders of one trade date, given the positions held at its start."""
    night = any(s.has_night for s in board.sessions)
    total = int(scale.orders * np.exp(rng.normal(0.0, 0.07)) * (1.0 if night else 0.72))
    counts = rng.multinomial(total, busy.share)
    contract = np.repeat(np.arange(len(board), dtype=np.int32), counts)
    client = _clients(rng, board, people, counts, trade_date)
    closer, from_row = _closers(rng, board, people, counts, held)
    client = np.where(closer, held.account[from_row] // ACCOUNTS_PER_CLIENT, client)
    client = client.astype(np.int32)
    kind = people.client_type[client]
    count = len(contract)
    trading, clock, bound = _times(rng, board, counts, busy.profiles)
    auction = rng.random(count) < _AUCTION_SHARE
    maker = kind == MARKET_MAKER

    roll = rng.random(count)
    style = np.where(roll < _PASSIVE[kind], codes.PASSIVE, codes.AGGRESSIVE)
    style = np.where(roll > _AGGRESSIVE[kind], codes.FAIR, style).astype(np.int8)
    unit = busy.unit[contract]
    depth = np.floor(rng.pareto(1.4, count) * 1.2 * unit)
    distance = np.minimum(depth, 60 * unit) - (rng.random(count) < 0.12)
    distance = np.where(style == codes.AGGRESSIVE, rng.integers(0, 3, count), distance)
    around = np.round(rng.normal(0.6, 1.2, count) * unit * 3)
    quoted = np.round((0.8 + rng.gamma(2.0, 0.8, count)) * unit)
    distance = np.where(style == codes.FAIR, np.where(maker, quoted, around), distance)

    roll = rng.random(count)
    order_type = np.zeros(count, np.int8)
    edge = _FAK[kind]
    order_type[roll < edge] = codes.FAK
    order_type[(roll >= edge) & (roll < edge + _FOK[kind])] = codes.FOK
    edge = edge + _FOK[kind]
    order_type[(roll >= edge) & (roll < edge + _MARKET[kind])] = codes.MARKET
    order_type[auction] = codes.LIMIT
    style = np.where(order_type > 0, codes.AGGRESSIVE, style)
    style = np.where(auction & ~maker & (style != codes.FAIR), codes.FAIR, style)
    distance = np.where(order_type > 0, rng.integers(0, 3, count), distance)

    touch = (style == codes.PASSIVE) & (rng.random(count) < busy.touch[contract])
    style = np.where(touch, codes.TOUCH, style).astype(np.int8)
    distance = np.where(touch, 0, distance)

    lean = np.tanh(rng.normal(0.0, 0.35, people.clients))[client]
    side = (rng.random(count) > 0.5 + 0.3 * lean).astype(np.int8)
    lots = order_lots(rng, _MEDIAN_LOTS[kind])
    side = np.where(closer, 1 - held.side[from_row], side).astype(np.int8)
    lots = np.where(closer, np.minimum(lots, held.lots[from_row]), lots).astype(np.int32)
    ending = _near_end(board)[contract]
    closes = rng.random(count) < np.where(ending, 0.93, _CLOSES[kind])
    want = np.where(closes, np.where(maker, codes.PREFER_CLOSE, codes.CLOSE_EITHER), codes.OPEN)
    want = np.where(closer, codes.PREFER_CLOSE, want).astype(np.int8)
    odd = rng.random(count)
    want[odd < 0.0022] = codes.NO_FUNDS
    want[(odd >= 0.0022) & (odd < 0.0036)] = codes.MUST_CLOSE
    outside = (odd > 0.9975) & (order_type == codes.LIMIT)
    want[outside] = codes.OPEN
    limit = np.where(side == 0, board.high[contract], board.low[contract])
    beyond = limit + np.where(side == 0, 1, -1) * rng.integers(1, 40, count)
    style = np.where(outside, codes.ABSOLUTE, style).astype(np.int8)
    distance = np.where(outside, beyond, distance)

    hedge = np.zeros(count, np.int8)
    hedge[(kind == CORPORATE) & (rng.random(count) < 0.85)] = HEDGE
    hedge[(kind == FUND) & (rng.random(count) < 0.06)] = ARBITRAGE
    hedge[maker] = MARKET_MAKING
    hedge = np.where(closer, held.account[from_row] % ACCOUNTS_PER_CLIENT, hedge).astype(np.int8)
    life = _MEDIAN_LIFE[kind] * np.exp(rng.normal(0.0, 1.3, count))
    ends = trading + (life * SECOND).astype(np.int64) + 1000
    cancels = (rng.random(count) < _CANCELS[kind]) & (ends < bound) & (order_type == codes.LIMIT)
    cancel = np.where(cancels, _clock(board, contract, ends), NO_CANCEL)
    time = np.where(auction, _auction_time(rng, board, contract), clock)
    rank = _rank_within(contract, client, people.clients)
    size = people.group_size[client]
    # Who cancels for a living keeps below the exchange's threshold of 500 a contract (a group
    # counts as one client): beyond 450 cancels the programme sends FAK orders, which are exempt.
    sent = _rank_within(contract, client, people.clients, cancels)
    spent = cancels & ~maker & (sent * size >= 450)
    cancel = np.where(spent, NO_CANCEL, cancel)
    order_type[spent] = codes.FAK
    style[spent] = codes.AGGRESSIVE
    distance = np.where(spent, 0, distance)
    careless = (rng.random(count) < np.where(kind == PROGRAMME, 0.004, 0.0015)) & (rank < 400)
    orders = make_orders(
        count,
        contract=contract,
        client=client,
        hedge=hedge,
        side=side,
        lots=lots,
        order_type=order_type,
        style=style,
        distance=distance,
        want=want,
        may_self=careless,
        trading=np.where(auction, 0, trading),
        time=time,
        cancel=cancel,
    )
    # Clients and groups keep below the lots that a notice lets them open in a day, and below the
    # position limit.
    each = board.commodity[contract]
    daily = np.array([c.intraday_open_limit or 10**9 for c in board.commodities])[each]
    opened = _rank_within(contract, client, people.clients, np.where(hedge == 0, lots, 0)) + lots
    opens = (hedge == 0) & (want != codes.PREFER_CLOSE) & ~closer
    reached = opened + _held_lots(people, contract, client, held)
    over = opens & (
        (opened * size > 0.6 * daily) | (reached * size > 0.85 * board.client_limit[contract])
    )
    kept = np.flatnonzero(~over)
    return _two_sided(orders.take(kept), maker[kept], rng)


def _closers(
    rng: np.random.Generator,
    board: Board,
    people: People,
    counts: NDArray[np.int64],
    held: Held,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Choose the orders that close a held position, and the position of each (by its lots).

    In a contract near its last date nearly every order does: who cannot deliver goes.
    """
    total = int(counts.sum())
    if not len(held.lots):
        return np.zeros(total, bool), np.zeros(total, np.int64)
    line = np.argsort(held.contract, kind="stable")
    kind = people.client_type[held.account[line] // ACCOUNTS_PER_CLIENT]
    edges = np.cumsum(np.where(kind == MARKET_MAKER, 0.0, held.lots[line]))
    edges = np.concatenate([[0.0], edges])
    start = np.searchsorted(held.contract[line], np.arange(len(board)))
    end = np.searchsorted(held.contract[line], np.arange(len(board)), side="right")
    contract = np.repeat(np.arange(len(board)), counts)
    low, high = edges[start[contract]], edges[end[contract]]
    drawn = low + rng.random(total) * (high - low)
    row = np.clip(np.searchsorted(edges, drawn, side="right") - 1, 0, len(line) - 1)
    share = np.where(_near_end(board), 0.9, _CLOSERS)[contract]
    return (rng.random(total) < share) & (high > low), line[row]


def _near_end(board: Board) -> NDArray[np.bool_]:
    left = [(c.last_trade_date - board.trade_date).days for c in board.contracts]
    return np.array(left) <= _NEAR_END * 7 // 5


def _rank_within(
    contract: NDArray[np.int32],
    client: NDArray[np.int32],
    clients: int,
    of: NDArray[Any] | None = None,
) -> NDArray[np.int64]:
    """Return how much of ``of`` (a mask, or lots; default: orders) came before each order among
    its client's orders in the contract."""
    key = contract.astype(np.int64) * clients + client
    line = np.argsort(key, kind="stable")
    counted = np.ones(len(key), np.int64) if of is None else of[line].astype(np.int64)
    running = np.cumsum(counted) - counted
    starts = np.ones(len(key), bool)
    starts[1:] = key[line][1:] != key[line][:-1]
    base = np.maximum.accumulate(np.where(starts, running, 0))
    rank = np.empty(len(key), np.int64)
    rank[line] = running - base
    return rank


def _held_lots(
    people: People, contract: NDArray[np.int32], client: NDArray[np.int32], held: Held
) -> NDArray[np.int64]:
    """Return the speculative lots, both sides, that each order's client holds in its contract."""
    plain = held.account % ACCOUNTS_PER_CLIENT == 0
    owner = (held.account // ACCOUNTS_PER_CLIENT)[plain]
    keys = held.contract[plain].astype(np.int64) * people.clients + owner
    code, at = np.unique(keys, return_inverse=True)
    if not len(code):
        return np.zeros(len(contract), np.int64)
    total = np.bincount(at, weights=held.lots[plain]).astype(np.int64)
    wanted = contract.astype(np.int64) * people.clients + client
    place = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
    return np.where(code[place] == wanted, total[place], 0)


def _two_sided(orders: Orders, maker: NDArray[np.bool_], rng: np.random.Generator) -> Orders:
    """Market makers quote both sides: half of their orders become the other half's ask."""
    rows = np.flatnonzero(maker & (orders.style == codes.FAIR) & (orders.want <= 1))
    kept = np.ones(len(orders), bool)
    bids = rows[rng.random(len(rows)) < 0.5]
    kept[np.setdiff1d(rows, bids)] = False
    asks = orders.take(bids)
    orders.side[bids] = 0
    asks.side[:] = 1
    return join([orders.take(np.flatnonzero(kept)), asks])


def _clients(
    rng: np.random.Generator,
    board: Board,
    people: People,
    counts: NDArray[np.int64],
    trade_date: date,
) -> NDArray[np.int32]:
    present = people.opened <= trade_date.toordinal()
    parts = []
    for index in range(len(board.commodities)):
        number = int(counts[board.commodity == index].sum())
        weight = people.weight * people.affinity[:, index] * present
        edges = np.cumsum(weight)
        drawn = np.searchsorted(edges, rng.random(number) * edges[-1], side="right")
        parts.append(np.minimum(drawn, people.clients - 1).astype(np.int32))
    return np.concatenate(parts)


def _times(
    rng: np.random.Generator,
    board: Board,
    counts: NDArray[np.int64],
    profiles: Mapping[int, Profile],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return trading time, clock and the day's length in trading time, per order."""
    trading, clock, bound = [], [], []
    for index, day in enumerate(board.sessions):
        own = counts[board.commodity == index]
        number = int(own.sum())
        profile = profiles.get(index)
        at = profile(rng.random(number)) if profile else _session_times(rng, day, number)
        # A share of the orders follows one of the contract's other orders within microseconds to
        # a minute, some of which draw many: arrivals cluster, and their gaps have a heavy tail.
        first = np.repeat(np.cumsum(own) - own, own)
        roots = np.repeat(np.ceil(own * (1.0 - _CHILD_SHARE)).astype(np.int64), own)
        place = np.arange(number) - first
        parent = first + (rng.random(number) ** 2.0 * roots).astype(np.int64)
        at = np.where(place < roots, at, at[parent] + delays(rng, number))
        at = np.minimum(at, day.trading_time - 1)
        trading.append(at)
        clock.append(day.clock(at))
        bound.append(np.full(number, day.trading_time, np.int64))
    return np.concatenate(trading), np.concatenate(clock), np.concatenate(bound)


def delays(rng: np.random.Generator, number: int) -> NDArray[np.int64]:
    """Return how long after the order it follows each of so many orders comes."""
    after = np.minimum(rng.pareto(0.42, number) * 0.0006, 60.0) * SECOND
    return after.astype(np.int64)


def _session_times(rng: np.random.Generator, day: Sessions, number: int) -> NDArray[np.int64]:
    weights = day.lengths * np.array(_SEGMENT_INTENSITY[len(day.lengths)])
    segment = rng.choice(len(day.lengths), size=number, p=weights / weights.sum())
    draw = rng.random(number)
    inside = np.where(rng.random(number) < 0.68, draw**1.4, 1.0 - draw**1.5)
    before = np.cumsum(day.lengths) - day.lengths
    return (before[segment] + inside * day.lengths[segment]).astype(np.int64)


def _clock(
    board: Board, contract: NDArray[np.int32], trading: NDArray[np.int64]
) -> NDArray[np.int64]:
    out = np.empty(len(contract), np.int64)
    of = board.commodity[contract]
    for index, day in enumerate(board.sessions):
        rows = slice(int(np.searchsorted(of, index)), int(np.searchsorted(of, index + 1)))
        out[rows] = day.clock(trading[rows])
    return out


def _auction_time(
    rng: np.random.Generator, board: Board, contract: NDArray[np.int32]
) -> NDArray[np.int64]:
    opens = np.array([s.auction_from for s in board.sessions])[board.commodity[contract]]
    return opens + (rng.random(len(contract)) * 239 * SECOND).astype(np.int64)


def order_lots(rng: np.random.Generator, median: NDArray[np.float64]) -> NDArray[np.int32]:
    """Order sizes: log-normal with a fat tail, people like round numbers, at most 500."""
    lots = median * np.exp(rng.normal(0.0, 1.15, len(median)))
    lots = np.maximum(np.round(lots), 1)
    round_to = np.where(lots >= 50, 10, np.where(lots >= 10, 5, 1))
    tidy = rng.random(len(lots)) < 0.6
    lots = np.where(tidy, np.maximum(np.round(lots / round_to), 1) * round_to, lots)
    return np.minimum(lots, 500).astype(np.int32)
