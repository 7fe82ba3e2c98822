"""Patterns beyond the thresholds: manipulation as the catalogues describe it (DOMAIN section 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from pipelines.simulation import codes
from pipelines.simulation.clock import SECOND
from pipelines.simulation.orders import Orders, join
from pipelines.simulation.people import FUND, PROGRAMME, RETAIL
from pipelines.simulation.rates import Planned
from pipelines.simulation.scene import Case, Scene
from pipelines.simulation.thresholds import (
    accumulate,
    frequent_cancel,
    intraday_open,
    large_cancel,
    matched_pairs,
    over_limit,
    self_trade,
)

MILLI: Final = 1_000


def group_self_trade(scene: Scene) -> Case:
    """Wash trades between the accounts of one controller: sizes match, positions come back."""
    clients = scene.group()[:2]
    contract, count = scene.liquid(16, 46), int(scene.between(24, 8))
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, count))
    lots = np.repeat(scene.rng.integers(2, 12, (count + 1) // 2), 2)[:count]
    lag = int(scene.between(80 * MILLI, 1_200 * MILLI))
    pairs = matched_pairs(scene, contract, clients[0], clients[-1], at, lots, lag=lag, swap=True)
    return Case(scene.label, "group_self_trade", scene.strength, clients, (contract,), (pairs,))


def pre_arranged(scene: Scene) -> Case:
    """Two clients without any tie meet in the same size again and again within milliseconds."""
    first = second = scene.client(RETAIL, FUND)
    for _ in range(20):  # strangers: not one client twice
        second = second if second != first else scene.client(RETAIL, FUND)
    clients = (first, second)
    contract, count = scene.liquid(16, 46), int(scene.between(16, 5))
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, count))
    lots = scene.rng.integers(5, 31, count)
    lag = int(scene.between(8 * MILLI, 400 * MILLI))
    pairs = matched_pairs(scene, contract, *clients, at, lots, lag=lag)
    return Case(scene.label, "pre_arranged", scene.strength, clients, (contract,), (pairs,))


def fund_transfer(scene: Scene) -> Case:
    """Money moved by matched orders: a quiet contract, prices off the market, one side loses."""
    clients = scene.group()[:2]
    contract, rounds = scene.quiet(), int(scene.between(8, 2))
    rate = float(scene.board.commodities[scene.board.commodity[contract]].price_limit_rate)
    away = int(scene.board.prev_settle[contract] * rate * scene.between(0.55, 0.12))
    start = scene.moment(contract, 0.1, 0.6)
    lots = scene.rng.integers(5, 25, rounds)
    batches: list[Orders] = []
    for k in range(rounds):
        at = start + k * 90 * SECOND
        # The winner offers far above the market, then bids far below it; the loser takes both,
        # with lots to spare for whoever quotes in between.
        for leg, side in enumerate((1, 0)):
            when = np.array([at + leg * 20 * SECOND])
            first = scene.orders(
                contract, when, [2 * SECOND], client=clients[-1], side=side, lots=lots[k],
                style=codes.FAIR, distance=away, want=codes.PREFER_CLOSE,
            )  # fmt: skip
            second = scene.orders(
                contract, when + 150 * MILLI, [SECOND], client=clients[0], side=1 - side,
                lots=2 * lots[k], style=codes.SAME_AS, want=codes.PREFER_CLOSE, may_self=True,
            )  # fmt: skip
            pair = join([first, second])
            pair.same_as[1] = 0
            batches.append(pair)
    return Case(
        scene.label, "fund_transfer", scene.strength, clients, (contract,), tuple(batches),
        {"loser": int(clients[0]), "winner": int(clients[-1])},
    )  # fmt: skip


def circular(scene: Scene) -> Case:
    """The same lots go round three or more accounts and come back."""
    group = scene.group(3)
    ring = group if len(group) >= 3 else (*group, scene.client(RETAIL))[:3]
    contract, rounds = scene.quiet(), int(scene.between(6, 2))
    start = scene.moment(contract, 0.1, 0.6)
    batches = []
    for k in range(rounds):
        lots = np.array([int(scene.rng.integers(3, 20))])
        for step, seller in enumerate(ring):
            buyer = ring[(step + 1) % len(ring)]
            at = np.array([start + (k * 240 + step * 15) * SECOND])
            batches.append(_sale(scene, contract, seller, buyer, at, lots))
    return Case(scene.label, "circular", scene.strength, ring, (contract,), tuple(batches))


def spoofing(scene: Scene) -> Case:
    """Large orders without intent on one side, a real trade on the other, then withdrawal."""
    contract, client = scene.liquid(), scene.client(PROGRAMME, FUND)
    rounds, unit = int(scene.between(30, 6)), int(scene.busy.unit[contract])
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, rounds))
    side = scene.rng.integers(0, 2, rounds).astype(np.int8)
    bait = scene.orders(
        contract, at, scene.rng.integers(2 * SECOND, 5 * SECOND, rounds), client=client,
        side=side, lots=scene.rng.integers(40, int(scene.between(300, 80)), rounds),
        style=codes.PASSIVE, distance=scene.rng.integers(1, 5, rounds) * unit,
    )  # fmt: skip
    real = scene.orders(
        contract, at + scene.rng.integers(400 * MILLI, 1_500 * MILLI, rounds), 3 * SECOND,
        client=client, side=1 - side, lots=scene.rng.integers(1, 6, rounds),
        style=codes.AGGRESSIVE, distance=unit, want=codes.PREFER_CLOSE,
    )  # fmt: skip
    return Case(scene.label, "spoofing", scene.strength, (client,), (contract,), (bait, real))


def layering(scene: Scene) -> Case:
    """Four to twelve orders on consecutive levels 14 ms apart, a trade on the other side 10 ms
    after the last, all withdrawn some 600 ms later (the test injections of the literature)."""
    contract, client = scene.liquid(), scene.client(PROGRAMME)
    rounds, layers = int(scene.between(12, 3)), int(scene.between(12, 4))
    unit = int(scene.busy.unit[contract])
    batches = []
    for start in scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, rounds):
        side = int(scene.rng.integers(0, 2))
        at = start + np.arange(layers) * 14 * MILLI
        life = at[-1] + 620 * MILLI - at
        stack = scene.orders(
            contract, at, life, client=client, side=side, lots=scene.rng.integers(8, 30, layers),
            style=codes.PASSIVE, distance=np.arange(layers) * unit + unit,
        )  # fmt: skip
        trade = scene.orders(
            contract, at[-1:] + 10 * MILLI, 2 * SECOND, client=client, side=1 - side,
            lots=int(scene.rng.integers(4, 12)), style=codes.AGGRESSIVE, distance=unit,
            want=codes.PREFER_CLOSE,
        )  # fmt: skip
        batches += [stack, trade]
    return Case(scene.label, "layering", scene.strength, (client,), (contract,), tuple(batches))


def quote_stuffing(scene: Scene) -> Case:
    """Bursts of 50 to 200 orders at some 9 a millisecond, each withdrawn within milliseconds."""
    contract, client = scene.liquid(), scene.client(PROGRAMME)
    bursts, size = int(scene.between(8, 3)), int(scene.between(200, 50))
    unit = int(scene.busy.unit[contract])
    batches = []
    for start in scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, bursts):
        at = start + np.arange(size) * 111
        batches.append(
            scene.orders(
                contract,
                at,
                scene.rng.integers(1 * MILLI, 6 * MILLI, size),
                client=client,
                side=scene.rng.integers(0, 2, size),
                lots=1,
                style=codes.PASSIVE,
                distance=scene.rng.integers(3, 12, size) * unit,
            )
        )
    return Case(
        scene.label, "quote_stuffing", scene.strength, (client,), (contract,), tuple(batches)
    )


def momentum_ignition(scene: Scene) -> Case:
    """A burst of buying moves the price; what was bought is sold into the reaction."""
    contract, client = scene.liquid(), scene.client(PROGRAMME, FUND)
    count, unit = int(scene.between(60, 15)), int(scene.busy.unit[contract])
    start, side = scene.moment(contract), int(scene.rng.integers(0, 2))
    push = scene.orders(
        contract, start + np.sort(scene.rng.integers(0, 4 * SECOND, count)), 2 * SECOND,
        client=client, side=side, lots=scene.rng.integers(4, 16, count),
        style=codes.AGGRESSIVE, distance=4 * unit, want=codes.OPEN,
    )  # fmt: skip
    leave = scene.orders(
        contract, start + 8 * SECOND + np.sort(scene.rng.integers(0, 60 * SECOND, count)),
        20 * SECOND, client=client, side=1 - side, lots=scene.rng.integers(4, 16, count),
        style=codes.AGGRESSIVE, distance=unit, want=codes.PREFER_CLOSE,
    )  # fmt: skip
    return Case(
        scene.label, "momentum_ignition", scene.strength, (client,), (contract,), (push, leave)
    )


def marking_close(scene: Scene) -> Case:
    """One-sided aggressive orders in the last two minutes."""
    contract, client = scene.liquid(4, 40), scene.client(FUND, RETAIL)
    count, end = int(scene.between(40, 10)), scene.trading_time(contract)
    at = np.sort(end - scene.rng.integers(SECOND, int(scene.between(60, 150)) * SECOND, count))
    orders = scene.orders(
        contract, at, client=client, side=int(scene.rng.integers(0, 2)),
        lots=scene.rng.integers(3, 12, count), style=codes.AGGRESSIVE,
        distance=3 * int(scene.busy.unit[contract]), want=codes.OPEN,
    )  # fmt: skip
    return Case(scene.label, "marking_close", scene.strength, (client,), (contract,), (orders,))


def programme_unreported(scene: Scene) -> Case:
    """A programme that nobody reported: at least ten bursts of ten messages within a second."""
    silent = np.flatnonzero((scene.people.client_type == PROGRAMME) & ~scene.people.reported)
    client = int(scene.rng.choice(silent)) if len(silent) else scene.client(RETAIL)
    contract, bursts = scene.liquid(), int(scene.between(40, 11))
    starts = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, bursts))
    at = (starts[:, None] + np.sort(scene.rng.integers(0, 800 * MILLI, (bursts, 7)))).ravel()
    orders = scene.orders(
        contract, at, scene.rng.integers(20 * MILLI, 150 * MILLI, len(at)), client=client,
        side=scene.rng.integers(0, 2, len(at)), lots=1, style=codes.PASSIVE,
        distance=scene.rng.integers(1, 6, len(at)) * int(scene.busy.unit[contract]),
    )  # fmt: skip
    return Case(
        scene.label, "programme_unreported", scene.strength, (client,), (contract,), (orders,)
    )


def squeeze(scene: Scene) -> Case:
    """Accounts of one controller gather a large share of a small contract's open interest."""
    clients, contract = scene.group(2), scene.quiet()
    interest = max(int(scene.board.prev_open_interest[contract]), 40)
    lots = int(interest * scene.between(0.9, 0.3))
    orders = accumulate(scene, contract, clients, lots, 0)
    return Case(scene.label, "squeeze", scene.strength, clients, (contract,), orders)


def wrong_order(scene: Scene) -> Case:
    """A slip of the finger: one market order of a hundred times the size meant."""
    contract, client = scene.liquid(), scene.client(RETAIL)
    orders = scene.orders(
        contract, np.array([scene.moment(contract)]), client=client,
        side=int(scene.rng.integers(0, 2)), lots=int(scene.between(500, 100)),
        order_type=codes.MARKET, style=codes.AGGRESSIVE,
    )  # fmt: skip
    return Case(scene.label, "wrong_order", scene.strength, (client,), (contract,), (orders,))


STAGED: Final[dict[str, Callable[[Scene], Case]]] = {
    f.__name__: f
    for f in (
        self_trade,
        frequent_cancel,
        large_cancel,
        over_limit,
        intraday_open,
        group_self_trade,
        pre_arranged,
        fund_transfer,
        circular,
        spoofing,
        layering,
        quote_stuffing,
        momentum_ignition,
        marking_close,
        programme_unreported,
        squeeze,
        wrong_order,
    )
}


CAMOUFLAGE: Final = 1_000_000
"""Orders that hide a case carry its label plus this."""
_MOST_CAMOUFLAGE: Final = 60


def stage(plan: tuple[Planned, ...], scene_of: Callable[[int, float], Scene]) -> tuple[Case, ...]:
    """Stage every planned case; ``scene_of`` makes a scene for a label and a strength."""
    cases = []
    for label, planned in enumerate(plan):
        scene = scene_of(label, planned.strength)
        case = STAGED[planned.name](scene)
        cases.append(replace(case, orders=(*case.orders, _camouflage(scene, case))))
    return tuple(cases)


def _camouflage(scene: Scene, case: Case) -> Orders:
    """Ordinary-looking orders that a case's clients send around it, more the better it hides.

    They rest far from the best price and are taken back, in the case's contract when it is a busy
    one, else in a busy one: in a quiet contract they would stand in the case's own way.
    """
    own = sum(len(batch) for batch in case.orders)
    count = min(int((1.0 - case.strength) * 0.5 * own), _MOST_CAMOUFLAGE)
    busiest = np.argsort(-scene.busy.share, kind="stable")[:12]
    shown = [c for c in case.contracts if c in busiest]
    contract = shown[0] if shown else int(scene.rng.choice(busiest))
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, count))
    return replace(scene, label=case.label + CAMOUFLAGE).orders(
        contract, at, scene.rng.integers(20, 200, count) * SECOND,
        client=scene.rng.choice(np.array(case.clients), count),
        side=scene.rng.integers(0, 2, count), lots=scene.rng.integers(1, 6, count),
        style=codes.PASSIVE,
        distance=scene.rng.integers(4, 15, count) * int(scene.busy.unit[contract]),
    )  # fmt: skip


def _sale(
    scene: Scene, contract: int, seller: int, buyer: int, at: np.ndarray, lots: np.ndarray
) -> Orders:
    offer = scene.orders(
        contract, at, 2 * SECOND, client=seller, side=1, lots=lots, style=codes.PASSIVE,
        distance=-1, want=codes.PREFER_CLOSE,
    )  # fmt: skip
    bid = scene.orders(
        contract, at + 200 * MILLI, SECOND, client=buyer, side=0, lots=lots,
        style=codes.SAME_AS, want=codes.PREFER_CLOSE, may_self=True,
    )  # fmt: skip
    pair = join([offer, bid])
    pair.same_as[1] = 0
    return pair
