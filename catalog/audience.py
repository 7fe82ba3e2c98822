"""Audiences: named groups of readers, and which products each one gets.

They are listed with their clearance in ``contracts/standards/audiences.yaml``; which
products an audience gets is said by each product's own contract (``audiences``).
"""

from __future__ import annotations

from collections.abc import Mapping

from catalog.errors import UnknownAudienceError
from contracts.model import Contract
from contracts.standards import Audience

SERVED = ("gold", "silver")
"""Layers that may be published; bronze is evidence and stays in the lake."""


def products_of(audience: Audience, contracts: Mapping[str, Contract]) -> tuple[Contract, ...]:
    """Contracts of the gold and silver products an audience gets, gold first, by name."""
    mine = [c for c in contracts.values() if audience.name in c.audiences and c.layer in SERVED]
    return tuple(sorted(mine, key=lambda c: (c.layer, c.name)))


def pick(audiences: Mapping[str, Audience], name: str) -> Audience:
    """The audience of that name. Raises UnknownAudienceError."""
    if name not in audiences:
        raise UnknownAudienceError(name, audiences)
    return audiences[name]
