"""The first screen: what is blocked, who waits, whose turn it is, and since when.

Typed values between whoever reads the ledgers and whoever renders them. Times are aware.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TroubleState = Literal["blocked", "flagged", "failed", "held", "late", "refused"]
Turn = Literal["steward", "approver", "engineer", "sender", "run"]
"""Who moves next: the steward, a second person, the data engineer, the sender of the files, or
nobody but the next run."""


@dataclass(frozen=True)
class Trouble:
    """One interval that is not as its readers need it: the root, not what waits for it.

    ``since`` is None for what was never there. ``why`` are short lines without values of rows.
    ``waiting`` are ``product interval``; ``command`` is what tells more.
    """

    product: str
    title: str
    title_zh: str
    interval: str
    state: TroubleState
    since: datetime | None
    turn: Turn
    who: str
    owner: str
    why: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    rows: int = 0
    """Rows of it in quarantine."""
    command: str = ""


@dataclass(frozen=True)
class Review:
    """An interval that was published without some of its rows: for a steward to look at."""

    product: str
    title: str
    title_zh: str
    interval: str
    rows: int
    steward: str


@dataclass(frozen=True)
class OpenIncident:
    """A failure cycle of one rule that goes on."""

    incident_id: str
    product: str
    rule_id: str
    severity: str
    since: datetime
    intervals: tuple[str, ...]
    owner: str


@dataclass(frozen=True)
class Board:
    """Everything the first screen shows, the worst first; ``more_*`` count what is left out."""

    at: datetime
    troubles: tuple[Trouble, ...] = ()
    reviews: tuple[Review, ...] = ()
    incidents: tuple[OpenIncident, ...] = ()
    more_troubles: int = 0
    more_reviews: int = 0

    @property
    def waiting(self) -> int:
        """Intervals that wait for one of the troubles."""
        return sum(len(t.waiting) for t in self.troubles)
