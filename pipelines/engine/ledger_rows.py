"""From verdicts to ledger rows: what a batch records of each interval and each rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from contracts.model import Contract
from pipelines.engine.plan import Held, Planned, Restated
from pipelines.engine.rows import IntervalRow, IntervalState, ResultRow
from quality.outcome import Verdict

if TYPE_CHECKING:
    from pipelines.engine.state import Record


@dataclass(frozen=True)
class Stamp:
    """What all rows of one batch share; ``at`` is UTC."""

    run_id: str
    batch_id: str
    contract: Contract
    job_version: int
    at: datetime


def interval_row(
    stamp: Stamp,
    planned: Planned,
    verdict: Verdict,
    fingerprint: str,
    stored: IntervalRow | None,
) -> IntervalRow:
    """Record what became of one interval; ``stored`` is what readers saw before.

    A blocked interval has no fingerprint: it describes an attempt, not what is readable.
    """
    state: IntervalState = "blocked"
    if verdict.publishes:
        state = "quarantine" if verdict.quarantined else "published"
    blocked = state == "blocked"
    return replace(
        _described(stamp, planned, state, verdict.reasons),
        fingerprint=None if blocked else fingerprint,
        delta_version=stored.delta_version if stored and not blocked else None,
        partial=planned.partial,
        built=verdict.built,
        accepted=0 if blocked else verdict.accepted,
        quarantined=verdict.quarantined,
        incomplete_because=planned.incomplete_because,
    )


def failed_row(
    stamp: Stamp, planned: Planned, record: Record | None, error: Exception
) -> IntervalRow:
    """Record an interval whose batch broke; what readers saw before, they still see."""
    stored = record.published if record else None
    return replace(
        _described(stamp, planned, "failed", (" ".join(str(error).split())[:500],)),
        fingerprint=stored.fingerprint if stored else None,
        delta_version=stored.delta_version if stored else None,
    )


def _described(
    stamp: Stamp, planned: Planned, state: IntervalState, reasons: tuple[str, ...]
) -> IntervalRow:
    """What an interval was built from, by what, and what became of it; nothing of its rows."""
    return IntervalRow(
        product=stamp.contract.product,
        interval=planned.interval,
        state=state,
        run_id=stamp.run_id,
        batch_id=stamp.batch_id,
        job_version=stamp.job_version,
        schema_fingerprint=stamp.contract.schema_at(planned.interval),
        contract_version=stamp.contract.version,
        rules_fingerprint=planned.rules_fingerprint,
        decisions_fingerprint=planned.decisions_fingerprint,
        committed_at=stamp.at,
        inputs=planned.inputs,
        rule_inputs=planned.rule_inputs,
        reasons=reasons,
    )


def held_row(base: IntervalRow, held: Held, run_id: str, at: datetime) -> IntervalRow:
    """Record that an interval waits for one before it; ``base`` is its last row."""
    return replace(
        base,
        state="held",
        run_id=run_id,
        waiting_on=held.waiting_on,
        reasons=(held.because,),
        committed_at=at,
    )


def restated_row(base: IntervalRow, restated: Restated, run_id: str, at: datetime) -> IntervalRow:
    """Record what an interval's inputs say now of its completeness; its rows are the same."""
    return replace(
        base,
        run_id=run_id,
        partial=restated.partial,
        incomplete_because=restated.incomplete_because,
        waiting_on=None,
        committed_at=at,
    )


def repeats(row: IntervalRow, last: IntervalRow) -> bool:
    """True when a batch came, from the same inputs, rules and decisions, to what ``last`` says.

    What was rejected then is what was rejected now: it need not be kept twice.
    """
    return _gist(row) == _gist(last)


def _gist(row: IntervalRow) -> tuple[object, ...]:
    pins = tuple((p.product, p.at, p.fingerprint) for p in (*row.inputs, *row.rule_inputs))
    return (
        row.state, row.fingerprint, row.built, row.accepted, row.quarantined, row.job_version,
        row.schema_fingerprint, row.rules_fingerprint, row.decisions_fingerprint, pins,
    )  # fmt: skip


def result_rows(stamp: Stamp, planned: Planned, verdict: Verdict) -> tuple[ResultRow, ...]:
    """Record every rule's outcome on one interval, passes included."""
    pins = (*planned.inputs, *planned.rule_inputs)
    return tuple(
        ResultRow(
            run_id=stamp.run_id,
            batch_id=stamp.batch_id,
            product=r.product,
            interval=r.interval,
            rule_id=r.rule_id,
            rule_fingerprint=r.rule_fingerprint,
            kind=r.kind,
            dimension=r.dimension,
            severity=r.severity,
            scope=r.scope,
            outcome=r.outcome,
            contract_version=stamp.contract.version,
            job_version=stamp.job_version,
            judged_at=stamp.at,
            failing=r.failing,
            checked=r.checked,
            gx_failing=r.gx_failing,
            tolerance=r.tolerance,
            expected=r.expected,
            actual=r.actual,
            difference=r.difference,
            evidence=r.evidence,
            message=r.message,
            decision_id=r.decision_id,
            inputs=pins,
        )
        for r in verdict.results
    )
