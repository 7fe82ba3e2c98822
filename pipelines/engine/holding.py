"""Holding: a blocked interval keeps everything built from it as it was, down to the last mart.

A held interval names the root cause, not the step before it, and resumes by
itself: nothing is held that the next plan does not find blocked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.engine.plan import ProductPlan
from pipelines.engine.rows import IntervalRow
from pipelines.engine.state import State

HOLDING = frozenset({"blocked", "held", "failed"})
Key = tuple[str, str]


@dataclass
class Known:
    """What the products before decided: the only thing that grows while a plan is made."""

    pending: set[Key] = field(default_factory=set)
    held: dict[Key, tuple[str, str]] = field(default_factory=dict)
    waiting: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    intervals: dict[str, set[str]] = field(default_factory=dict)
    assessed: set[Key] = field(default_factory=set)

    def add(self, stage: ProductPlan) -> None:
        """Everything a planned stage means for the products after it."""
        self.hold(stage)
        for p in (*stage.will_run, *stage.may_run):
            self.note(stage.product, p.interval)

    def note(self, product: str, interval: str) -> None:
        """An interval that will or may run."""
        self.pending.add((product, interval))
        self.intervals.setdefault(product, set()).add(interval)

    def hold(self, stage: ProductPlan) -> None:
        """Only what a stage, carried out or not, holds and waits for."""
        for h in stage.held:
            self.held[stage.product, h.interval] = (h.waiting_on, h.because)
            self.intervals.setdefault(stage.product, set()).add(h.interval)
        for w in stage.waiting:
            self.waiting[stage.product, w.interval] = w.missing
            self.intervals.setdefault(stage.product, set()).add(w.interval)

    def root(self, source: Key, state: State) -> tuple[str, str] | None:
        """Root cause and sentence when a source is blocked or held and not about to run."""
        if source in self.pending:
            return None
        if source in self.held:
            return self.held[source]
        record = state.record(*source)
        if record is None or record.latest.state not in HOLDING:
            return None
        row, name = record.latest, " ".join(source)
        if row.state != "held":
            return (name, f"{name} is {row.state}")
        if source in self.assessed or source in self.waiting or not self._still(row, state):
            # It is held no longer: what counts is its last verdict.
            blocked = record.attempt is not None and record.attempt.state == "blocked"
            return (name, f"{name} is blocked") if blocked else None
        return (row.waiting_on or name, f"{name} is held")

    def _still(self, row: IntervalRow, state: State) -> bool:
        """A ledger row that says held is believed as long as its root cause is still there."""
        product, _, interval = (row.waiting_on or "").partition(" ")
        cause = state.record(product, interval)
        return cause is not None and cause.latest.state in HOLDING
