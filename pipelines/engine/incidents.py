"""Incidents: one failure cycle of one rule on one product, opened and closed by what was judged.

The ledger of results is replayed in its own order. An incident opens when a rule of severity
``warning`` or worse fails on an interval. It closes when no interval is left that keeps it open:
an interval leaves when it passes or its failure is waived, and a published one also when a later
interval passes (the cycle is over); a blocked or flagged one waits for itself. Ids come from the
judgement that opened the incident and each event names the judgement it came from, so replaying
any stretch again, after a kill too, adds nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from contracts.model import Contract
from pipelines.engine.faults import reach
from pipelines.engine.ledgers import INCIDENT, INTERVAL, RESULT, Ledgers
from pipelines.engine.rows import IncidentRow, IntervalRow, ResultRow

Key = tuple[str, str]
GATE = "gate"
"""The rule id of an incident of the gate itself: a fault that no rule's result shows."""
FAULT = "gate fault: "
NOT_EVALUATED = "could not be evaluated"
STUCK = frozenset({"blocked", "flagged"})
"""States that only a correction or a decision about this very interval ends."""
CURSOR = "incidents.json"


@dataclass(frozen=True)
class Judgement:
    """What a replay looks at: one rule's outcome on one interval, and what the gate made of it."""

    product: str
    rule_id: str
    interval: str
    severity: str
    outcome: Literal["failing", "passed", "waived"]
    interval_state: str
    at: datetime
    run_id: str
    batch_id: str
    sequence: int
    message: str = ""
    failing: int | None = None


@dataclass(frozen=True)
class Incident:
    """One incident as it stands; ``intervals``: what keeps it open -> the interval's state."""

    incident_id: str
    product: str
    rule_id: str
    severity: str
    owner: str
    opened_at: datetime
    opened_on: str
    intervals: Mapping[str, str]
    closed_at: datetime | None = None
    message: str = ""
    failing: int | None = None
    judged: int = -1
    affected: tuple[str, ...] = field(default=())
    """Every interval that failed in this cycle, in order of trade date."""

    @property
    def open(self) -> bool:
        """True until the rule passes again, or its failure is waived."""
        return self.closed_at is None


def incidents_of(rows: Iterable[IncidentRow]) -> tuple[Incident, ...]:
    """Fold the ledger: every incident, in the order in which they opened."""
    found: dict[str, Incident] = {}
    for row in rows:
        found[row.incident_id] = _after(found.get(row.incident_id), row)
    return tuple(found.values())


def events(
    known: Iterable[Incident], judgements: Iterable[Judgement], owners: Mapping[str, str]
) -> list[IncidentRow]:
    """What the judgements (in ledger order) change about the incidents known so far."""
    current: dict[Key, Incident] = {(i.product, i.rule_id): i for i in known}
    rows: list[IncidentRow] = []
    for j in judgements:
        incident = current.get((j.product, j.rule_id))
        if incident is not None and j.sequence <= incident.judged:
            continue
        for row in _events(incident, j, owners.get(j.product, "")):
            rows.append(row)
            incident = _after(incident if row.state != "opened" else None, row)
            current[j.product, j.rule_id] = incident
    return rows


def orphans(
    known: Iterable[Incident], contracts: Mapping[str, Contract], at: datetime, run_id: str
) -> list[IncidentRow]:
    """Closing events of open incidents whose rule no contract holds any more."""
    rules = {(p, r.id) for p, c in contracts.items() for r in c.rules}
    return [
        _row(incident, "closed", at, run_id, interval, "the contract holds this rule no more")
        for incident in known
        if incident.open and incident.rule_id != GATE
        and (incident.product, incident.rule_id) not in rules
        for interval in sorted(incident.intervals)
    ]  # fmt: skip


def bring_up_to_date(
    ledgers: Ledgers, contracts: Mapping[str, Contract], now: datetime, run_id: str
) -> list[IncidentRow]:
    """Append the events that judgements since the last call amount to; return them.

    Reads only what was appended since (the cursor is a hint: without it everything is replayed).
    """
    after = _cursor(ledgers.ops)
    results = ledgers.read(RESULT, after=after["result"])
    intervals = ledgers.read(INTERVAL, after=after["interval"])
    known = incidents_of(ledgers.read(INCIDENT))
    owners = {product: contract.owner for product, contract in contracts.items()}
    rows = [
        *events(known, judgements_of(results, intervals), owners),
        *orphans(known, contracts, now, run_id),
    ]
    ledgers.append((INCIDENT, rows))
    seen = {
        "result": max((r.sequence for r in results), default=after["result"]),
        "interval": max((r.sequence for r in intervals), default=after["interval"]),
    }
    if seen != after:
        _save_cursor(ledgers.ops, seen)
        reach("incidents-noted")
    return rows


def judgements_of(
    results: Sequence[ResultRow], intervals: Sequence[IntervalRow]
) -> list[Judgement]:
    """Results of rules that may open an incident, and the gate's own faults, in ledger order."""
    states = {(r.product, r.interval, r.run_id): r.state for r in intervals}
    found = [
        Judgement(
            product=r.product,
            rule_id=r.rule_id,
            interval=r.interval,
            severity=r.severity,
            outcome="passed" if r.outcome == "passed" else "waived" if r.decision_id else "failing",
            interval_state=states.get((r.product, r.interval, r.run_id), ""),
            at=r.judged_at,
            run_id=r.run_id,
            batch_id=r.batch_id,
            sequence=r.sequence,
            message=r.message,
            failing=r.failing,
        )
        for r in results
        if r.severity != "info" and r.outcome in ("passed", "failed", "not_evaluated")
    ]
    return found + [_of_the_gate(row) for row in intervals if row.attempted]


def _of_the_gate(row: IntervalRow) -> Judgement:
    """A fault that stands in the verdict's reasons alone: no rule's result tells of it."""
    faults = [r for r in row.reasons if r.startswith(FAULT) and NOT_EVALUATED not in r]
    return Judgement(
        product=row.product,
        rule_id=GATE,
        interval=row.interval,
        severity="critical",
        outcome="failing" if faults else "passed",
        interval_state=row.state,
        at=row.committed_at,
        run_id=row.run_id,
        batch_id=row.batch_id,
        sequence=row.sequence,
        message="; ".join(f.removeprefix(FAULT) for f in faults),
    )


def _events(incident: Incident | None, j: Judgement, owner: str) -> list[IncidentRow]:
    standing = incident if incident is not None and incident.open else None
    if j.outcome == "failing":
        if standing is None:
            return [_opened(j, owner)]
        if standing.intervals.get(j.interval) == j.interval_state:
            return []
        return [_told(standing, j, "failing", j.interval, j.message)]
    if standing is None:
        return []
    gone = [i for i in sorted(standing.intervals) if i == j.interval or _over(standing, i, j)]
    said = j.message if j.outcome == "waived" else f"passed on {j.interval}"
    last = len(gone) == len(standing.intervals)
    return [
        _told(standing, j, "closed" if last and i == gone[-1] else "recovered", i, said)
        for i in gone
    ]


def _over(incident: Incident, interval: str, j: Judgement) -> bool:
    """A published interval's failure is history once a later interval passes."""
    if j.outcome != "passed" or incident.intervals[interval] in STUCK:
        return False
    return interval[:1].isdigit() and j.interval[:1].isdigit() and interval < j.interval


def _opened(j: Judgement, owner: str) -> IncidentRow:
    # The place in the ledger too: a verdict that repeats an earlier one keeps that one's batch.
    text = f"{j.product} {j.rule_id} {j.batch_id} {j.interval} {j.sequence}"
    name = f"{j.rule_id}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return IncidentRow(
        incident_id=name, product=j.product, rule_id=j.rule_id, interval=j.interval,
        state="opened", severity=j.severity, at=j.at, run_id=j.run_id, owner=owner,
        message=j.message, failing=j.failing, interval_state=j.interval_state, judged=j.sequence,
    )  # fmt: skip


def _told(
    incident: Incident,
    j: Judgement,
    state: Literal["failing", "recovered", "closed"],
    interval: str,
    message: str,
) -> IncidentRow:
    row = _row(incident, state, j.at, j.run_id, interval, message)
    return replace(row, interval_state=j.interval_state, judged=j.sequence, failing=j.failing)


def _row(
    incident: Incident,
    state: Literal["failing", "recovered", "closed"],
    at: datetime,
    run_id: str,
    interval: str,
    message: str,
) -> IncidentRow:
    return IncidentRow(
        incident_id=incident.incident_id, product=incident.product, rule_id=incident.rule_id,
        interval=interval, state=state, severity=incident.severity, at=at, run_id=run_id,
        owner=incident.owner, message=message, judged=incident.judged,
    )  # fmt: skip


def _after(incident: Incident | None, row: IncidentRow) -> Incident:
    """An incident after one more event (the first one opens it)."""
    if incident is None:
        incident = Incident(
            row.incident_id, row.product, row.rule_id, row.severity, row.owner, row.at,
            row.interval, {},
        )  # fmt: skip
    intervals = dict(incident.intervals)
    if row.state in ("opened", "failing"):
        intervals[row.interval] = row.interval_state
    else:
        intervals.pop(row.interval, None)
    bad = row.state in ("opened", "failing")
    return replace(
        incident,
        intervals=intervals,
        closed_at=row.at if row.state == "closed" else None,
        message=row.message,
        failing=row.failing if bad else incident.failing,
        judged=max(incident.judged, row.judged),
        affected=tuple(sorted({*incident.affected, row.interval})) if bad else incident.affected,
    )


def _cursor(ops: Path) -> dict[str, int]:
    """How far the ledgers were looked at; a lost or damaged file means: not at all."""
    beginning = {"result": -1, "interval": -1}
    try:
        body = json.loads((ops / CURSOR).read_text(encoding="utf-8"))
        return {name: int(body[name]) for name in beginning}
    except (OSError, ValueError, KeyError, TypeError):
        return beginning


def _save_cursor(ops: Path, seen: Mapping[str, int]) -> None:
    draft = ops / f".{CURSOR}.{os.getpid()}"
    draft.write_text(json.dumps(seen), encoding="utf-8")
    draft.replace(ops / CURSOR)
