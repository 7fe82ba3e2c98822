"""Flow that a count alone would call abnormal, and that the exchange exempts: hard negatives.

A reported programme whose FAK and FOK orders are killed by the thousand (exempt from the cancel
thresholds, but charged for its messages), and a hedger and a market maker who take back more
than five hundred orders in one contract. How often such flow occurs is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from pipelines.simulation import codes
from pipelines.simulation.board import Board
from pipelines.simulation.clock import SECOND
from pipelines.simulation.flow import delays, order_lots
from pipelines.simulation.market import MarketDay
from pipelines.simulation.orders import HEDGE, MARKET_MAKING
from pipelines.simulation.people import CORPORATE, MARKET_MAKER, PROGRAMME, People
from pipelines.simulation.scene import Case, Scene

FIRST_LABEL: Final = 500_000
"""Labels of exempt flow begin here, those of misconduct at 0."""
_FAK_ORDERS: Final = {
    "tiny": (2_150,), "small": (2_300,), "medium": (2_300, 5_500),
    "exchange": (2_300, 5_500, 22_500),
}  # fmt: skip
"""Orders of each FAK programme a date: a killed one is two messages, and 4,000 are free. The
largest reaches the highest band (over 40,000) at exchange scale."""
_REASONS: Final = {
    "fak_programme": ("FAK", "FOK"),
    "busy_hedger": ("HEDGING",),
    "busy_market_maker": ("MARKET_MAKING",),
}


def stage_exempt(
    scale: str, number: int, scene_of: Callable[[int, float], Scene]
) -> tuple[Case, ...]:
    """Stage the exempt flow of the world's ``number``-th trade date (tiny: every fourth)."""
    if scale == "tiny" and number % 4 != 2:
        return ()
    cases: list[Case] = []
    for size in _FAK_ORDERS[scale]:
        scene = scene_of(FIRST_LABEL + len(cases), 1.0)
        cases.append(_fak_programme(scene, size, number + len(cases)))
    for build in (_busy_hedger, _busy_market_maker):
        cases.append(build(scene_of(FIRST_LABEL + len(cases), 1.0)))
    return tuple(cases)


def exempt_records(
    board: Board, day: MarketDay, people: People, cases: tuple[Case, ...]
) -> list[dict[str, Any]]:
    """Return the truth about exempt flow: who, where, why it is exempt, how many cancels."""
    gone = (day.events.kind == codes.CANCEL) & (day.events.reason != codes.SESSION_END)
    label = day.orders.label[day.events.order[gone]]
    return [
        {
            "kind": "exempt_flow",
            "class": case.name,
            "reasons": list(_REASONS[case.name]),
            "clients": [str(people.client_id[c]) for c in case.clients],
            "contracts": [board.contracts[c].contract_id for c in case.contracts],
            "cancels": int((label == case.label).sum()),
        }
        for case in cases
    ]


def _fak_programme(scene: Scene, count: int, turn: int) -> Case:
    """A programme that asks the book by FAK orders a tick short of it; a few are meant to fill."""
    contract, people = _charged(scene), scene.people
    known = (people.client_type == PROGRAMME) & people.reported
    known &= people.opened <= scene.board.trade_date.toordinal()
    tied = [c for g in (*people.groups, *people.lookalikes) for c in g.clients]
    fit = np.flatnonzero(known)
    fit = np.setdiff1d(fit, tied) if len(np.setdiff1d(fit, tied)) else fit
    client = int(fit[turn % len(fit)]) if len(fit) else scene.client(PROGRAMME)
    # It reacts to what happens, so its orders come in clusters as the market's do.
    starts = scene.rng.integers(0, scene.trading_time(contract) * 19 // 20, count // 4)
    at = np.sort(scene.rng.choice(starts, count) + delays(scene.rng, count))
    meant = scene.rng.random(count) < 0.02
    orders = scene.orders(
        contract, at, client=client, side=scene.rng.integers(0, 2, count),
        lots=order_lots(scene.rng, np.full(count, 2.0)),
        order_type=np.where(scene.rng.random(count) < 0.1, codes.FOK, codes.FAK),
        style=codes.AGGRESSIVE, distance=np.where(meant, 1, -1), want=codes.PREFER_CLOSE,
    )  # fmt: skip
    return Case(scene.label, "fak_programme", 1.0, (client,), (contract,), (orders,))


def _busy_hedger(scene: Scene) -> Case:
    """A corporate hedger that moves its hedging orders after the price all day."""
    return _withdrawing(scene, "busy_hedger", scene.client(CORPORATE), HEDGE)


def _busy_market_maker(scene: Scene) -> Case:
    """A market maker whose quotes follow the price."""
    return _withdrawing(scene, "busy_market_maker", scene.client(MARKET_MAKER), MARKET_MAKING)


def _withdrawing(scene: Scene, name: str, client: int, hedge: int) -> Case:
    contract, count = scene.liquid(), int(scene.rng.integers(560, 640))
    unit = int(scene.busy.unit[contract])
    at = np.sort(scene.rng.integers(0, scene.trading_time(contract) * 19 // 20, count))
    orders = scene.orders(
        contract, at, (scene.rng.exponential(3.0, count) * SECOND).astype(np.int64) + 50_000,
        client=client, hedge=hedge, side=scene.rng.integers(0, 2, count),
        lots=scene.rng.integers(1, 6, count), style=codes.PASSIVE,
        distance=scene.rng.integers(3, 10, count) * unit,
    )  # fmt: skip
    return Case(scene.label, name, 1.0, (client,), (contract,), (orders,))


def _charged(scene: Scene) -> int:
    """One of the dozen busiest contracts of SHFE, the exchange that charges for messages."""
    line = np.argsort(-scene.busy.share, kind="stable")
    own = [int(i) for i in line if scene.board.contracts[i].exchange == "SHFE"][:12]
    return own[int(scene.rng.integers(len(own)))]
