"""Which changes of state nobody was told of yet. Pure functions over states and what was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.engine.rows import Change, MessageRow

Place = tuple[str, str]
BAD = frozenset({"blocked", "held", "failed", "flagged", "late"})
GOOD = frozenset({"published", "quarantine", "with_quarantine"})
RECOVERED = "recovered"


@dataclass(frozen=True)
class Standing:
    """One interval's own state now; ``waiting_on`` names a held one's root cause."""

    product: str
    interval: str
    state: str
    waiting_on: str | None = None


@dataclass(frozen=True)
class Group:
    """Changes that share a message: the same new state and, for held ones, the same root."""

    kind: str
    root: str | None
    changes: tuple[Change, ...]


def told(rows: Iterable[MessageRow]) -> dict[Place, Change]:
    """The last change that was told of each interval, by the ledger of messages."""
    last: dict[Place, Change] = {}
    for row in rows:
        for change in row.changes:
            before = last.get((change.product, change.interval))
            if before is None or change.number > before.number:
                last[change.product, change.interval] = change
    return last


def untold(
    states: Iterable[Standing], last: Mapping[Place, Change]
) -> list[tuple[Standing, Change]]:
    """Changes since the last message: into trouble, into another trouble, or out of it."""
    found = []
    for standing in states:
        place = (standing.product, standing.interval)
        before = last.get(place)
        state = standing.state
        if state in GOOD and before is not None and before.state in BAD:
            state = RECOVERED
        elif state not in BAD or (before is not None and before.state == state):
            continue
        found.append((standing, Change(*place, state, before.number + 1 if before else 1)))
    return found


def grouped(changes: Iterable[tuple[Standing, Change]]) -> list[Group]:
    """Held intervals by their root, late and recovered ones together, every other by itself."""
    found: dict[tuple[str, str], list[Change]] = {}
    for standing, change in changes:
        if change.state == "held":
            key = ("held", standing.waiting_on or "")
        elif change.state in ("late", RECOVERED):
            key = (change.state, "")
        else:
            key = (change.state, f"{change.product} {change.interval}")
        found.setdefault(key, []).append(change)
    order = ("blocked", "failed", "flagged", "late", "held", RECOVERED)
    return [
        Group(kind, root or None, tuple(sorted(of, key=lambda c: (c.interval, c.product))))
        for (kind, root), of in sorted(found.items(), key=lambda x: (order.index(x[0][0]), x[0][1]))
    ]
