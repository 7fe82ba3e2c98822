"""Table rules of a batch: which can be judged, which are declared, and their figures.

An interval whose deliveries are declared partial has no totals to tie; an optional input that is
not there makes its rules not yet due, or not applicable where that product is not part of the
lake. Everything else is judged, and what cannot be evaluated blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.model import Contract, Rule
from pipelines.engine.lateness import HISTORY, due_at
from quality.outcome import RuleResult
from quality.table_rules import judge_freshness, judge_row_count, judge_table

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue
    from contracts.model import Read
    from pipelines.engine.calendar import TradingCalendar
    from pipelines.engine.delivery import Effective
    from pipelines.engine.plan import Planned
    from pipelines.engine.state import State
    from quality.results import Declared


@dataclass(frozen=True)
class TableAudit:
    """Judges the table rules of one product; pure but for the frames it is given."""

    contract: Contract
    catalogue: Catalogue
    calendar: TradingCalendar
    state: State
    sources: tuple[str, ...]
    """Bronze products the job reads interval by interval."""
    now: datetime

    def judge(
        self,
        rules: Sequence[Rule],
        planned: Sequence[Planned],
        rows: Mapping[str, int],
        batch: Callable[[], Any],
        views: Callable[[Sequence[Rule]], Mapping[str, Any]],
        *,
        spark: bool,
    ) -> dict[str, list[RuleResult]]:
        """One result per rule and interval.

        ``rows``: rows per interval of the judged set; ``batch`` and ``views`` give the frames
        when a rule needs them (Spark's with ``spark``, else Arrow or files).
        """
        intervals = [p.interval for p in planned]
        found: dict[str, list[RuleResult]] = {interval: [] for interval in intervals}
        frame: Any = None
        for rule in rules:
            declared = self.declared(rule, planned)
            if rule.kind == "row_count":
                answers = judge_row_count(
                    rule, self.contract, intervals, self._stated(intervals), rows, declared=declared
                )
            elif rule.kind == "freshness":
                answers = self._freshness(rule, intervals)
            else:
                if frame is None and len(declared) < len(intervals):
                    frame = batch()
                answers = judge_table(
                    rule,
                    self.contract,
                    frame,
                    views([rule]) if len(declared) < len(intervals) else {},
                    intervals,
                    spark=spark,
                    declared=declared,
                )
            for interval in intervals:
                found[interval].append(answers[interval])
        return found

    def declared(self, rule: Rule, planned: Sequence[Planned]) -> dict[str, Declared]:
        """Intervals on which a rule has, for a stated reason, nothing to judge."""
        found: dict[str, Declared] = {}
        for plan in planned:
            if plan.partial and rule.kind != "freshness":
                found[plan.interval] = ("not_applicable", "the interval's deliveries are partial")
                continue
            why = self.absent(rule, plan.interval)
            if why is not None:
                found[plan.interval] = why
        return found

    def absent(self, rule: Rule, interval: str) -> Declared | None:
        """Why an optional input of the rule is not there for the interval; None when all are."""
        reasons = (self._absent(read, interval) for read in rule.reads)
        return next((why for why in reasons if why is not None), None)

    def _absent(self, read: Read, interval: str) -> Declared | None:
        if not read.optional or read.how == "previous":
            return None
        if read.product.startswith("bronze."):
            deliveries = self.state.deliveries.get(read.product, {})
            known = {i for i, e in deliveries.items() if e.steps}
        else:
            records = self.state.records.get(read.product, {})
            known = {i for i, r in records.items() if r.published}
        by_interval = read.how == "same" and interval != "all" and "all" not in known
        there = interval in known if by_interval else bool(known)
        if there:
            return None
        if not known:
            return ("not_applicable", f"{read.product} is not part of this lake")
        due = due_at(self.catalogue[read.product].sla, interval, self.calendar)
        if due is not None and self.now < due:
            return ("not_due", f"{read.product} is due at {due.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
        return ("not_applicable", f"{read.product} has not arrived; judged again when it has")

    def _stated(self, intervals: Sequence[str]) -> dict[str, int | None]:
        """Rows of the effective deliveries, where no correction makes them a matter of keys."""
        stated: dict[str, int | None] = {}
        for interval in intervals:
            parts = self._effective(interval)
            if not parts or any(e.resolves_by_key for e in parts):
                stated[interval] = None
                continue
            counts = [step.rows for e in parts for step in e.steps]
            stated[interval] = None if None in counts else sum(c or 0 for c in counts)
        return stated

    def _effective(self, interval: str) -> list[Effective]:
        known = [self.state.deliveries.get(product, {}) for product in self.sources]
        return [found[interval] for found in known if interval in found]

    def _freshness(self, rule: Rule, intervals: Sequence[str]) -> dict[str, RuleResult]:
        due: dict[str, datetime] = {}
        arrived: dict[str, datetime | None] = {}
        for interval in intervals:
            limit = due_at(self.contract.sla, interval, self.calendar)
            times = [e.received_at for e in self._effective(interval) if e.received_at]
            came = max(times, default=None)
            if limit is None or (came is not None and came - limit > HISTORY):
                continue
            due[interval], arrived[interval] = limit, came
        return judge_freshness(rule, self.contract, intervals, due, arrived, self.now)
