"""Actual-control groups and the sets of clients that only look like one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

TIES: Final = ("TERMINAL", "PHONE", "PLACER", "FUNDS", "COPY", "POSITIONS")
_RELATION: Final = {"PLACER": "PLACER", "FUNDS": "FUND", "PHONE": "FAMILY", "TERMINAL": "AGENT"}

_LARGE: Final[tuple[tuple[int, dict[int, int]], ...]] = (
    (10_000, {7: 40, 11: 22, 23: 12}),
    (3_000, {7: 40}),
    (0, {}),
)
"""The large groups of a world with at least so many clients: number of the group, its size."""
_SHARES: Final = ((10_000, (0.88, 0.962)), (3_000, (0.975, 0.994)), (0, (0.86, 0.955)))
"""Share of groups with two clients, and with two or three; the others have four to six."""


@dataclass(frozen=True)
class ControlGroup:
    """Clients that belong together, or only seem to (``kind`` says which).

    ``kind`` is CONTROL or a look-alike's name; ``ties`` say what the clients share; ``lag`` is
    the mean delay in microseconds of copied orders; ``strength`` runs from 0 (hardly visible) to 1
    (blatant): the weaker, the fewer of its orders are copied, the later and the less alike.
    """

    group_id: str
    kind: str
    clients: tuple[int, ...]
    ties: tuple[str, ...]
    reported: bool
    strength: float
    lag: int
    relation: str = "OTHER"

    @property
    def status_at_start(self) -> str:
        """What the exchange's list says on the first day."""
        return "REPORTED" if self.reported else "UNKNOWN"


def draw_groups(
    rng: np.random.Generator,
    client_type: NDArray[np.int8],
    weight: NDArray[np.float64],
    present: NDArray[np.bool_],
) -> tuple[ControlGroup, ...]:
    """Draw control groups: about a tenth of the clients, mean size 2.0 to 2.4.

    The sizes follow the monthly circulars (39 groups / 82 clients in 2019-01 to 397 / 800 in
    2024-11): nearly all pairs, a thin tail up to 40 where the world is large enough; the fewer
    groups a world has beside those, the fewer of them have more than two clients.
    """
    pool = np.flatnonzero(present & (client_type != 4))
    # Group leaders trade: half of the groups are drawn among the busier half of the clients.
    busy = pool[np.argsort(-weight[pool], kind="stable")][: len(pool) // 2]
    pool = np.concatenate([rng.permutation(busy)[: len(busy) // 4], rng.permutation(pool)])
    pool = pool[np.sort(np.unique(pool, return_index=True)[1])]
    wanted = max(4, len(client_type) // 22)
    groups: list[ControlGroup] = []
    at = 0
    large = next(sizes for least, sizes in _LARGE if len(client_type) >= least)
    pairs, threes = next(shares for least, shares in _SHARES if len(client_type) >= least)
    for number in range(wanted):
        draw = rng.random()
        size = 2 if draw < pairs else 3 if draw < threes else int(rng.integers(4, 7))
        size = large.get(number, size)
        reported = bool(rng.random() < 0.55)
        ties = tuple(t for t in TIES if rng.random() < (0.35 if t != "COPY" else 0.6))
        if not reported and number % 3 == 0:
            ties = ("COPY",)  # tied by behaviour alone
        ties = ties or ("COPY",)
        strength = float(np.round(rng.beta(1.6, 1.6), 3))
        if at + size > len(pool):
            break
        groups.append(
            ControlGroup(
                group_id=f"G{number + 1:05d}",
                kind="CONTROL",
                clients=tuple(int(c) for c in pool[at : at + size]),
                ties=ties,
                reported=reported,
                strength=strength,
                lag=int(20_000 + (1 - strength) * 6_000_000 * rng.random()),
                relation=next((_RELATION[t] for t in ties if t in _RELATION), "OTHER"),
            )
        )
        at += size
    return tuple(groups)


def draw_lookalikes(
    rng: np.random.Generator, client_type: NDArray[np.int8], taken: NDArray[np.bool_]
) -> tuple[ControlGroup, ...]:
    """Draw the hard negatives: sets of clients that share something and control nothing."""
    made: list[ControlGroup] = []
    free = ~taken
    plan = (  # kind, ties, client type, smallest and largest size
        ("SIGNAL_VENDOR", ("COPY",), 3, 3, 8),
        ("FUND_MANAGER", ("PLACER", "COPY"), 2, 2, 5),
        ("OFFICE_NAT", ("OFFICE_NAT",), 0, 4, 12),
        ("FAMILY", ("ADDRESS",), 0, 2, 3),
        ("TWAP", ("SCHEDULE",), 2, 2, 4),
        ("ROLL_CROWD", ("ROLL",), 1, 3, 10),
    )
    rounds = max(1, len(client_type) // 1500)
    for turn in range(rounds):
        for kind, ties, of_type, least, most in plan:
            pool = np.flatnonzero(free & (client_type == of_type))
            size = min(int(rng.integers(least, most + 1)), len(pool))
            if size < 2:
                continue
            clients = rng.choice(pool, size=size, replace=False)
            free[clients] = False
            made.append(
                ControlGroup(
                    group_id=f"L{kind[:2]}{turn + 1:03d}",
                    kind=kind,
                    clients=tuple(int(c) for c in clients),
                    ties=ties,
                    reported=False,
                    strength=float(np.round(rng.random(), 3)),
                    lag=int(rng.integers(30_000, 2_000_000)),
                )
            )
    return tuple(made)
