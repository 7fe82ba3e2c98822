"""What a run tells while it goes on, and what it did in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from contracts.errors import ExlakeError

if TYPE_CHECKING:
    from pipelines.engine.plan import Held
    from pipelines.engine.preparation import BatchOutcome
    from quality.outcome import Verdict


@dataclass(frozen=True)
class Event:
    """Progress of a run: a product begins, or one of its batches ended."""

    kind: str
    product: str
    intervals: tuple[str, ...]
    detail: str = ""
    seconds: float = 0.0


OnProgress = Callable[[Event], None]


@dataclass(frozen=True)
class Failure:
    """A batch that broke (an error, not a verdict)."""

    product: str
    intervals: tuple[str, ...]
    error: ExlakeError | Exception

    @property
    def transient(self) -> bool:
        """True when a retry can help."""
        return isinstance(self.error, ExlakeError) and self.error.transient


@dataclass(frozen=True)
class RunSummary:
    """What a run did."""

    run_id: str
    started_at: datetime
    ended_at: datetime
    outcomes: tuple[BatchOutcome, ...]
    failures: tuple[Failure, ...]
    held: tuple[tuple[str, Held], ...]
    waiting: tuple[tuple[str, str, tuple[str, ...]], ...]
    repaired: int = 0
    stopped: bool = False
    """True when it was asked to stop and left something undone."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds outside of batches: state, plan, session, products (all turns, batches and
    planning again included), ledgers, incidents."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every verdict, in order."""
        return tuple(v for outcome in self.outcomes for v in outcome.verdicts)

    @property
    def touched(self) -> frozenset[tuple[str, str]]:
        """Every (product, interval) of which something was recorded, held and broken ones too."""
        built = {(row.product, row.interval) for o in self.outcomes for row in o.rows}
        held = {(product, h.interval) for product, h in self.held}
        broken = {(f.product, i) for f in self.failures for i in f.intervals}
        return frozenset(built | held | broken)

    @property
    def idle(self) -> bool:
        """True when there was nothing to do."""
        return not self.outcomes and not self.failures
