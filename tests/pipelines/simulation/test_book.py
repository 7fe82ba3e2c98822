"""The compiled book against a naive one: price-time priority, never crossed, auction rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.simulation import codes
from pipelines.simulation.book import match

LOW, HIGH, OPENS, CLOSES = 90, 110, 1_000, 10_000_000


@dataclass(frozen=True)
class Sent:
    """One limit order at an absolute price, by one of four clients, maybe cancelled later."""

    time: int
    side: int
    lots: int
    price: int
    client: int
    kind: int
    lives: int | None


orders = st.lists(
    st.builds(
        Sent,
        time=st.integers(0, 40_000),
        side=st.integers(0, 1),
        lots=st.integers(1, 9),
        price=st.integers(LOW + 4, HIGH - 4),
        client=st.integers(0, 3),
        kind=st.sampled_from([codes.LIMIT] * 6 + [codes.FAK, codes.FOK]),
        lives=st.none() | st.integers(1, 20_000),
    ),
    min_size=1,
    max_size=60,
)


def replay(sent: list[Sent]):
    """Run the compiled book."""
    sent = [
        Sent(s.time, s.side, s.lots, s.price, s.client,
             codes.LIMIT if s.time < OPENS else s.kind, s.lives)
        for s in sorted(sent, key=lambda s: s.time)
    ]  # fmt: skip
    count = len(sent)
    actions = [(s.time, 0, i) for i, s in enumerate(sent)]
    actions += [(s.time + s.lives, 1, i) for i, s in enumerate(sent) if s.lives is not None]
    actions.sort(key=lambda a: (a[0], a[1], a[2]))

    def column(values, dtype):
        return np.array(list(values), dtype)

    zero = np.zeros(count, np.int8)
    result = match(
        column((a[0] for a in actions), np.int64), column((a[2] for a in actions), np.int32),
        column((a[1] for a in actions), np.int8), column((s.side for s in sent), np.int8),
        column((s.lots for s in sent), np.int32), column((s.kind for s in sent), np.int8),
        np.full(count, codes.ABSOLUTE, np.int8), column((s.price for s in sent), np.int32),
        np.full(count, 100, np.int32), zero, np.zeros(count, bool),
        column((s.client for s in sent), np.int32), column((s.client for s in sent), np.int32),
        np.full(count, -1, np.int64), np.zeros((4, 2), np.int32), LOW, HIGH, OPENS, CLOSES, 0, 100,
        50,
    )  # fmt: skip
    return sent, actions, result


def naive(  # noqa: C901 - one plain page to read beside the compiled one
    sent: list[Sent], actions: list[tuple[int, int, int]]
) -> list[tuple[int, int, int, int]]:
    """The same day with sorted lists: trades as (price, lots, buy order, sell order)."""
    rest: dict[int, int] = {}
    book: tuple[list[int], list[int]] = ([], [])
    trades: list[tuple[int, int, int, int]] = []

    def line(side: int) -> list[int]:
        better = -1 if side == 0 else 1
        book[side].sort(key=lambda i: (better * sent[i].price, i))
        return book[side]

    def drop(i: int) -> None:
        book[sent[i].side].remove(i)
        rest[i] = 0

    def fill(price: int, taker: int, maker: int) -> None:
        lots = min(rest[taker], rest[maker])
        buy, sell = (taker, maker) if sent[taker].side == 0 else (maker, taker)
        trades.append((price, lots, buy, sell))
        for i in (taker, maker):
            rest[i] -= lots
            if rest[i] == 0 and i in book[sent[i].side]:
                book[sent[i].side].remove(i)

    def uncross() -> None:
        bids, asks = list(book[0]), list(book[1])
        if not bids or not asks:
            return
        best = []
        low, high = min(sent[i].price for i in asks), max(sent[i].price for i in bids)
        for p in range(low, high + 1):
            demand = sum(rest[i] for i in bids if sent[i].price >= p)
            supply = sum(rest[i] for i in asks if sent[i].price <= p)
            best.append((-min(demand, supply), abs(demand - supply), abs(p - 100), p))
        if not best:
            return
        price = min(best)[3]
        while True:
            bids = [i for i in line(0) if sent[i].price >= price]
            asks = [i for i in line(1) if sent[i].price <= price]
            if not bids or not asks:
                return
            fill(price, bids[0], asks[0])

    opened = False
    for time, cancel, i in actions:
        if not opened and time >= OPENS:
            opened = True
            uncross()
        if cancel:
            if i in book[sent[i].side]:
                drop(i)
            continue
        order = sent[i]
        rest[i] = order.lots
        ok = [m for m in line(1 - order.side)
              if (sent[m].price <= order.price if order.side == 0
                  else sent[m].price >= order.price)]  # fmt: skip
        if not opened:  # own orders that this one could meet are taken back on entry
            for m in ok:
                if sent[m].client == order.client:
                    drop(m)
        else:
            if order.kind == codes.FOK and sum(rest[m] for m in ok) < order.lots:
                continue
            for m in ok:
                if rest[i] == 0:
                    break
                if sent[m].client == order.client and order.kind != codes.FOK:
                    drop(m)
                else:
                    fill(sent[m].price, i, m)
        if rest[i] and order.kind == codes.LIMIT:
            book[order.side].append(i)
    if not opened:
        uncross()
    return trades


@given(orders)
@settings(max_examples=150, deadline=None)
def test_trades_equal_the_naive_book(sent: list[Sent]) -> None:
    """Same trades, in the same order, as price-time priority done the slow way."""
    ordered, actions, result = replay(sent)
    got = list(zip(*(r.tolist() for r in (result[9], result[10], result[11], result[12])),
                   strict=True))  # fmt: skip
    assert got == naive(ordered, actions)


def test_an_auction_leaves_no_bid_above_an_ask() -> None:
    """A client who stands on both sides of the auction withdraws on entry: when he withdrew only
    at the match, the price found with his order left others' bids above others' asks."""
    ordered, actions, result = replay(
        [
            Sent(0, 0, 5, 104, 0, codes.LIMIT, None),
            Sent(1, 1, 10, 96, 0, codes.LIMIT, None),
            Sent(2, 0, 5, 103, 1, codes.LIMIT, None),
            Sent(3, 1, 5, 103, 2, codes.LIMIT, None),
            Sent(2_000, 0, 1, 95, 3, codes.LIMIT, None),
        ]
    )
    assert [tuple(trade) for trade in naive(ordered, actions)] == [(100, 5, 2, 1)]
    assert result[9].tolist() == [100]
    assert all(snapshot[8] < snapshot[10] for snapshot in result[13])


@given(orders)
@settings(max_examples=100, deadline=None)
def test_book_is_never_crossed_and_no_trade_violates_a_limit(sent: list[Sent]) -> None:
    """Snapshots show bid below ask; no order trades beyond its price; lots are conserved."""
    ordered, _, result = replay(sent)
    for snapshot in result[13]:
        bid, ask = snapshot[8], snapshot[10]
        assert bid < ask
    filled = np.zeros(len(ordered), int)
    for price, lots, buy, sell in zip(*result[9:13], strict=True):
        assert ordered[sell].price <= price <= ordered[buy].price
        filled[buy] += lots
        filled[sell] += lots
    removed = np.zeros(len(ordered), int)
    np.add.at(removed, result[1][result[2] == codes.CANCEL], result[4][result[2] == codes.CANCEL])
    assert (filled + removed == [s.lots for s in ordered]).all()
    assert not any(filled[i] and filled[i] < s.lots for i, s in enumerate(ordered)
                   if s.kind == codes.FOK)  # fmt: skip
