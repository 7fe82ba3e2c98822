"""Which intervals are stale, and why: the planner.

An interval is stale when the content of an input it declares, its job's
version, its schema or its decisions differ from what its last verdict was
given on. Other rules, or another content of what rules read, only judge it
again. A blocked input holds what is built from it. Everything here is pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from contracts.model import Contract
from pipelines.engine.delivery import Step
from pipelines.engine.graph import Node
from pipelines.engine.holding import Known
from pipelines.engine.job import Job
from pipelines.engine.pins import ABSENT, Resolver, Slot, changed
from pipelines.engine.plan import (
    Held,
    Plan,
    Planned,
    ProductPlan,
    Reason,
    Request,
    Restated,
    Waiting,
)
from pipelines.engine.rows import IntervalRow, Pin
from pipelines.engine.schema_change import describe_schema
from pipelines.engine.state import ALL, Record, State
from quality.decisions import effective

Outcome = tuple[str, Planned] | Held | Waiting | Restated | str | None
"""To do now, held, waiting, to restate, still blocked (the interval), or fresh (None)."""


def plan(request: Request, state: State) -> Plan:
    """Everything a run of this request would do, in topological order.

    Raises DateOutsideCalendarError for dates the calendar does not cover.
    """
    known = Known()
    stages = []
    for product in request.graph.built:
        if request.wants(product):
            stages.append(_Planner(request, state, product, known).stage())
            known.add(stages[-1])
    return Plan(tuple(stages))


def plan_product(
    product: str, request: Request, state: State, done: Iterable[ProductPlan] = ()
) -> ProductPlan:
    """What one product needs now that everything before it has been carried out.

    ``state`` holds the rows of what was done (``State.with_rows``); ``done`` are the last plans
    of products before it, for what they hold and wait for. After building and judging, ask
    again until ``idle``: an interval that reads the one before it may follow.
    """
    known = Known()
    for stage in done:
        known.hold(stage)
    return _Planner(request, state, product, known).stage()


@dataclass
class _Planner:
    """Plans one product against what the products before it decided."""

    request: Request
    state: State
    product: str
    known: Known
    _in_effect: dict[str, frozenset[str]] = field(default_factory=dict)
    _digests: dict[frozenset[str], str] = field(default_factory=dict)

    @cached_property
    def node(self) -> Node:
        return self.request.graph.nodes[self.product]

    @cached_property
    def job(self) -> Job:
        job = self.node.job
        if job is None:
            raise ValueError(f"{self.product} is landed, not built")
        return job

    @cached_property
    def resolver(self) -> Resolver:
        return Resolver(self.request.graph, self.request.calendar, self.state)

    def stage(self) -> ProductPlan:
        will: list[Planned] = []
        may: list[Planned] = []
        judge: list[Planned] = []
        held: list[Held] = []
        waiting: list[Waiting] = []
        restated: list[Restated] = []
        blocked: list[str] = []
        fresh = 0
        for interval in self._candidates():
            outcome = self._assess(interval)
            self.known.assessed.add((self.product, interval))
            match outcome:
                case ("will", Planned() as planned):
                    will.append(planned)
                    self.known.note(self.product, interval)
                case ("may", Planned() as planned):
                    may.append(planned)
                    self.known.note(self.product, interval)
                case ("judge", Planned() as planned):
                    judge.append(planned)
                case Held() as hold:
                    held.append(hold)
                    self.known.held[self.product, interval] = (hold.waiting_on, hold.because)
                case Waiting() as wait:
                    waiting.append(wait)
                    self.known.waiting[self.product, interval] = wait.missing
                case Restated() as again:
                    restated.append(again)
                case str() as still:
                    blocked.append(still)
                case _:
                    fresh += 1
        everything = (*will, *may)
        contract = self.node.contract
        schema = any(r.why == "schema" for p in everything for r in p.reasons)
        return ProductPlan(
            product=self.product,
            will_run=tuple(will),
            may_run=tuple(may),
            judge_again=tuple(judge),
            held=tuple(held),
            waiting=tuple(waiting),
            restated=tuple(restated),
            blocked=tuple(blocked),
            schema_changes=describe_schema(
                self.product,
                self.state.schemas.get(self.product),
                contract.columns,
            )
            if schema
            else (),
            ended=tuple(i for i in self._intervals() if self._ended(i)),
            fresh=fresh,
        )

    def _candidates(self) -> list[str]:
        return [i for i in self._intervals() if not self._ended(i)]

    def _ended(self, interval: str) -> bool:
        ends = self.node.contract.ends_on
        return ends is not None and interval != ALL and date.fromisoformat(interval) > ends

    def _intervals(self) -> list[str]:
        """Intervals that exist here or in what this product takes interval by interval."""
        if not self.node.dated:
            return [ALL] if self.request.covers(self.product, ALL) else []
        nodes = self.request.graph.nodes
        same = [r for r in self.node.inputs if r.how == "same" and nodes[r.product].dated]
        required = [r for r in same if not r.optional] or same
        found = set(self.state.records.get(self.product, {}))
        for read in required:
            found |= self._delivered(read.product)
            found |= set(self.state.records.get(read.product, {}))
            found |= self.known.intervals.get(read.product, set())
        return sorted(i for i in found if self.request.covers(self.product, i))

    def _delivered(self, product: str) -> set[str]:
        """Intervals with deliveries; a reply without data on no trade date makes no interval."""

        def empty_holiday(interval: str, steps: tuple[Step, ...]) -> bool:
            if not steps or any(step.rows != 0 for step in steps):
                return False
            return not self.request.calendar.is_trade_date(date.fromisoformat(interval))

        found = self.state.deliveries.get(product, {})
        return {i for i, e in found.items() if not empty_holiday(i, e.steps)}

    def _assess(self, interval: str) -> Outcome:
        inputs = [self.resolver.slot(self.node, r, interval) for r in self.node.inputs]
        rules = [
            self.resolver.slot(self.node, r.read, interval)
            for r in self.node.rule_reads
            if r.rule_id in self._rules_at(interval)
        ]
        record = self.state.record(self.product, interval)
        if self._expired(interval, (*inputs, *rules)):
            return None
        # An optional input need not be there; one that is there and blocked holds all the same.
        # A rule that can do without its input is declared not due instead.
        holding = (*inputs, *(s for s in rules if s.required or s.read.how == "previous"))
        stop = self._held(interval, record, holding) or self._waiting(interval, (*inputs, *rules))
        if stop is not None:
            return stop
        attempt = record.attempt if record else None
        planned = self._planned(interval, inputs, rules)
        stale = self._stale(record, planned)
        again = self._rules_changed(attempt, planned) if attempt else ()
        if attempt is not None and attempt.state == "blocked":
            # What was blocked is nowhere stored: to judge it again is to build it again.
            stale, again = (*stale, *again), ()
        job_pending = [s for slot in inputs for s in slot.sources if s in self.known.pending]
        pending = job_pending + [
            s for slot in rules for s in slot.sources if s in self.known.pending
        ]
        chained = any(product == self.product for product, _ in job_pending)
        if stale and not chained:
            return "will", _with(planned, stale)
        if pending:
            after = dict.fromkeys(f"{p} {i}" for p, i in pending)
            upstream = [Reason("upstream", f"{name} may change") for name in after]
            return "may", _with(planned, (*stale, *again, *upstream))
        if again:
            return "judge", _with(planned, again)
        if (
            attempt is not None
            and attempt.state == "blocked"
            and record
            and record.latest is attempt
        ):
            return interval
        return _restated(record, planned)

    def _expired(self, interval: str, slots: tuple[Slot, ...]) -> bool:
        """True when the interval, or something it was made from, is past its retention.

        It stays as it is: what is left of its inputs would not be the whole of them.
        """
        sources = [(p.product, p.at) for slot in slots for p in slot.pins]
        records = (self.state.record(*key) for key in ((self.product, interval), *sources))
        return any(r is not None and r.latest.state == "expired" for r in records)

    def _planned(self, interval: str, inputs: list[Slot], rules: list[Slot]) -> Planned:
        missing = [
            f"{p} {i} is not there"
            for s in inputs
            if s.read.optional and s.read.how != "previous" and not s.read.alternative
            for p, i in s.absent
        ]
        because = dict.fromkeys([*missing, *(r for s in inputs for r in s.incomplete)])
        return Planned(
            interval=interval,
            reasons=(),
            inputs=_pins(inputs),
            rule_inputs=_pins(rules),
            rules_fingerprint=self._rules_fingerprint(interval),
            decisions_fingerprint=self.state.decisions_fingerprint(self.product, interval),
            partial=any(s.partial for s in inputs),
            incomplete_because=tuple(because),
        )

    def _stale(self, record: Record | None, planned: Planned) -> tuple[Reason, ...]:
        attempt = record.attempt if record else None
        reasons: list[Reason] = []
        if self.request.force:
            reasons.append(Reason("forced", "asked for"))
        if record is not None and record.latest.state == "failed":
            reasons.append(Reason("failed_before", "the last attempt broke before its verdict"))
        if attempt is None:
            return (*reasons, Reason("new", "never built"))
        job, contract = self.job, self.node.contract
        if attempt.job_version != job.version:
            detail = f"job version {attempt.job_version} -> {job.version}"
            reasons.append(Reason("job_version", detail))
        if attempt.schema_fingerprint != contract.schema_at(planned.interval):
            reasons.append(Reason("schema", "the contract's columns changed"))
        if attempt.decisions_fingerprint != planned.decisions_fingerprint:
            reasons.append(Reason("decision", "stewards' decisions changed"))
        difference = changed(attempt.inputs, planned.inputs, _describe)
        return (*reasons, *(Reason("input", text) for _, text in difference))

    def _rules_changed(self, attempt: IntervalRow, planned: Planned) -> tuple[Reason, ...]:
        reasons = []
        if attempt.rules_fingerprint != planned.rules_fingerprint:
            reasons.append(Reason("rules", "rules in effect on this date changed"))
        difference = changed(attempt.rule_inputs, planned.rule_inputs, _describe)
        return (*reasons, *(Reason("rule_input", text) for _, text in difference))

    def _held(self, interval: str, record: Record | None, slots: tuple[Slot, ...]) -> Held | None:
        for slot in slots:
            for source in slot.sources:
                root = self.known.root(source, self.state)
                if root is not None:
                    latest = record.latest if record else None
                    recorded = (
                        latest is not None
                        and latest.state == "held"
                        and latest.waiting_on == root[0]
                    )
                    return Held(interval, root[0], root[1], recorded)
        return None

    def _waiting(self, interval: str, slots: tuple[Slot, ...]) -> Waiting | None:
        missing: dict[str, None] = {}
        for slot in slots:
            if slot.required:
                for source in slot.absent:
                    if source not in self.known.pending:
                        missing |= dict.fromkeys(
                            self.known.waiting.get(source, (" ".join(source),))
                        )
        return Waiting(interval, tuple(missing)) if missing else None

    @cached_property
    def _rules(self) -> dict[str, tuple[date, str]]:
        return {r.id: (r.effective_from, r.fingerprint) for r in self.node.contract.rules}

    def _rules_at(self, interval: str) -> frozenset[str]:
        """Ids of the rules in effect on the interval's date; ``all`` has none: every rule."""
        if interval not in self._in_effect:
            day = None if interval == ALL else date.fromisoformat(interval)
            rules = self._rules.items()
            self._in_effect[interval] = frozenset(
                rule for rule, (since, _) in rules if day is None or since <= day
            )
        return self._in_effect[interval]

    def _rules_fingerprint(self, interval: str) -> str:
        ids = self._rules_at(interval)
        if ids not in self._digests:
            self._digests[ids] = _digest({rule: self._rules[rule][1] for rule in ids})
        return self._digests[ids]


def rules_fingerprint(contract: Contract, interval: str) -> str:
    """Digest of the rules in effect on an interval (what ``Planned`` carries)."""
    return _digest({r.id: r.fingerprint for r in contract.rules if effective(r, interval)})


def _restated(record: Record | None, planned: Planned) -> Restated | None:
    """A row to write when the newest one says held, or what is missing, and is wrong now."""
    if record is None:
        return None
    row = record.latest
    same = (row.partial, row.incomplete_because) == (planned.partial, planned.incomplete_because)
    if row.state == "held" or (row.readable and not same):
        return Restated(planned.interval, planned.partial, planned.incomplete_because)
    return None


def _pins(slots: list[Slot]) -> tuple[Pin, ...]:
    """Pins of several reads, each (product, at) once, in a stable order."""
    found = {(p.product, p.at): p for s in slots for p in s.pins}
    return tuple(found[key] for key in sorted(found))


def _with(planned: Planned, reasons: tuple[Reason, ...]) -> Planned:
    return replace(planned, reasons=reasons)


def _describe(now: Pin, old: Pin | None) -> str:
    name = f"{now.product} {now.at}"
    if now.at == "as_of":
        return f"{now.product} changed as of this date"
    if old is None or old.fingerprint == ABSENT:
        return f"{name} is new"
    return f"{name} is gone" if now.fingerprint == ABSENT else f"{name} changed"


def _digest(body: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
