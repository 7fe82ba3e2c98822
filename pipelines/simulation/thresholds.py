"""Cases that the exchange's abnormal-trading thresholds are about."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.simulation import codes
from pipelines.simulation.clock import SECOND
from pipelines.simulation.orders import Orders, join
from pipelines.simulation.people import FUND, PROGRAMME, RETAIL
from pipelines.simulation.scene import Case, Scene

_BUSY_WORLD: Final = 200_000
"""Orders a date from which on a world reaches every general position limit."""


def matched_pairs(
    scene: Scene, contract: int, first: int, second: int, at: np.ndarray, lots: np.ndarray,
    *, lag: int, swap: bool = False,
) -> Orders:  # fmt: skip
    """Pairs of orders that meet: one improves the best price, the other takes it ``lag`` later.

    ``swap`` changes the first order's side from pair to pair, so that positions come back.
    """
    count = len(at)
    side = (np.arange(count) % 2 if swap else scene.rng.integers(0, 2, count)).astype(np.int8)
    resting = scene.orders(
        contract, at, np.full(count, 5 * SECOND), client=first, side=side, lots=lots,
        style=codes.PASSIVE, distance=-1, may_self=True, want=codes.PREFER_CLOSE,
    )  # fmt: skip
    taking = scene.orders(
        contract, at + lag, np.full(count, 2 * SECOND), client=second, side=1 - side,
        lots=lots, style=codes.SAME_AS, may_self=True, want=codes.PREFER_CLOSE,
        same_as=np.arange(count),
    )  # fmt: skip
    both = join([resting, taking])
    both.same_as[count:] = np.arange(count)
    both.same_as[:count] = -1
    return both


def self_trade(scene: Scene) -> Case:
    """One client trades with itself at least five times in a contract."""
    contract, client = scene.liquid(16, 46), scene.client(RETAIL, PROGRAMME)
    count = int(scene.between(30, 10))
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 9 // 10, count))
    lots = scene.rng.integers(1, 4, count)
    pairs = matched_pairs(scene, contract, client, client, at, lots, lag=300_000, swap=True)
    return Case(scene.label, "self_trade", scene.strength, (client,), (contract,), (pairs,))


def frequent_cancel(scene: Scene) -> Case:
    """One client cancels five hundred orders or more in a contract."""
    contract, client = scene.liquid(), scene.client(PROGRAMME, RETAIL)
    count = int(scene.between(1_400, 540))
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 19 // 20, count))
    unit = int(scene.busy.unit[contract])
    orders = scene.orders(
        contract, at, (scene.rng.exponential(1.2, count) * SECOND).astype(np.int64) + 50_000,
        client=client, side=scene.rng.integers(0, 2, count),
        lots=scene.rng.integers(1, 4, count), style=codes.PASSIVE,
        distance=scene.rng.integers(2, 9, count) * unit,
    )  # fmt: skip
    return Case(scene.label, "frequent_cancel", scene.strength, (client,), (contract,), (orders,))


def large_cancel(scene: Scene) -> Case:
    """One client cancels fifty orders or more of at least three hundred lots each."""
    contract, client = scene.liquid(), scene.client(FUND, RETAIL)
    count = int(scene.between(90, 54))
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 19 // 20, count))
    unit = int(scene.busy.unit[contract])
    orders = scene.orders(
        contract, at, (scene.rng.exponential(8.0, count) * SECOND).astype(np.int64) + 400_000,
        client=client, side=scene.rng.integers(0, 2, count),
        lots=scene.rng.integers(300, 501, count), style=codes.PASSIVE,
        distance=scene.rng.integers(8, 25, count) * unit,
    )  # fmt: skip
    return Case(scene.label, "large_cancel", scene.strength, (client,), (contract,), (orders,))


def over_limit(scene: Scene) -> Case:
    """A position beyond the general limit, split over the accounts of one controller."""
    # A small world does not trade enough of the second rubber to pass its limit of 1,000 lots.
    contract = scene.of_commodity("ru", "nr" if scene.mean_orders.sum() > _BUSY_WORLD else "ru")
    clients = scene.group(2)
    limit = scene.board.commodities[scene.board.commodity[contract]].position_limit_general
    orders = accumulate(scene, contract, clients, int(limit * scene.between(1.9, 1.45)), 0)
    detail = {"position_limit_general": limit}
    return Case(scene.label, "over_limit", scene.strength, clients, (contract,), orders, detail)


def intraday_open(scene: Scene) -> Case:
    """More lots opened in a day than the exchange's notice allows for one client."""
    limited = [
        c.commodity_id for c in scene.board.commodities if (c.intraday_open_limit or 9999) <= 1000
    ]
    contract, client = scene.of_commodity(*limited), scene.client(RETAIL, FUND)
    limit = scene.board.commodities[scene.board.commodity[contract]].intraday_open_limit or 0
    lots = int(limit * scene.between(2.4, 1.7))
    orders = accumulate(scene, contract, (client,), lots, 0)
    detail = {"intraday_open_limit": limit}
    return Case(
        scene.label, "intraday_open", scene.strength, (client,), (contract,), orders, detail
    )


def accumulate(
    scene: Scene, contract: int, clients: tuple[int, ...], lots: int, side: int
) -> tuple[Orders, ...]:
    """Open ``lots`` on one side over the day in small pieces, spread over accounts."""
    made = []
    for client in clients:
        share = max(lots // len(clients), 1)
        count = max(share // 6, 4)
        at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 19 // 20, count))
        made.append(
            scene.orders(
                contract,
                at,
                client=client,
                side=side,
                lots=np.full(count, -(-share // count)),
                style=codes.AGGRESSIVE,
                distance=3 * int(scene.busy.unit[contract]),
                want=codes.OPEN,
            )
        )
    return tuple(made)
