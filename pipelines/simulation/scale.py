"""How large the world is: clients, members and orders of each named scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.errors import TerminalError


@dataclass(frozen=True)
class Scale:
    """One size of the world; ``orders`` is the mean number of ordinary orders a day."""

    name: str
    clients: int
    members: int
    orders: int
    warehouses_per_region: int


SCALES: Final[dict[str, Scale]] = {
    scale.name: scale
    for scale in (
        Scale("tiny", clients=120, members=24, orders=3_000, warehouses_per_region=2),
        Scale("small", clients=500, members=60, orders=45_000, warehouses_per_region=3),
        Scale("medium", clients=3_000, members=120, orders=450_000, warehouses_per_region=3),
        Scale("exchange", clients=12_000, members=150, orders=4_500_000, warehouses_per_region=4),
    )
}


class UnknownScaleError(TerminalError):
    """Raised when a scale's name is not one of those above."""

    code = "simulation-unknown-scale"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is no scale '{name}'.",
            next_step=f"Use one of: {', '.join(SCALES)}.",
        )


def scale_named(name: str) -> Scale:
    """Return the scale of that name, or raise UnknownScaleError."""
    if name not in SCALES:
        raise UnknownScaleError(name)
    return SCALES[name]
