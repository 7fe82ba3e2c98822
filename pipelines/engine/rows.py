"""Rows of the platform's own ledgers (``home/ops``), one frozen type per ledger.

Times are UTC, dates are trade dates, ``sequence`` is given by the ledger at the
append and orders the records of one ledger: never a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

IntervalState = Literal[
    "published", "quarantine", "blocked", "failed", "held", "flagged", "expired"
]
"""published; published with quarantine; blocked by the gate; the attempt broke (an error, no
verdict); held by a blocked input; published but failed a judgement with newer rules; removed
because its retention is over."""

READABLE: frozenset[str] = frozenset({"published", "quarantine", "flagged"})
"""States in which what readers see is what the row describes."""

BEGINNING = date(1, 1, 1)
END = date(9999, 12, 31)
"""Open ends of ``changed_from`` and ``changed_to`` (a first build changes every date)."""


@dataclass(frozen=True)
class Pin:
    """One input as it was read: content fingerprint and, for reproduction, Delta version.

    ``at`` is an interval, or how it was read when not by interval: ``as_of``, ``latest``,
    ``history``. A declared absence has the fingerprint ``absent``. Versions never make stale.
    """

    product: str
    at: str
    fingerprint: str
    version: int | None = None


@dataclass(frozen=True)
class RunRow:
    """One run, one row when it starts and one when it ends."""

    run_id: str
    status: Literal["started", "succeeded", "failed"]
    command: str
    at: datetime
    pid: int | None = None
    flow: str | None = None
    products: str | None = None
    dates: str | None = None
    intervals_run: int = 0
    seconds: float = 0.0
    error_code: str | None = None
    message: str | None = None
    sequence: int = 0


@dataclass(frozen=True)
class IntervalRow:
    """What became of one interval of one product in one batch.

    ``fingerprint`` digests the content readers see (None when nothing was ever published);
    ``delta_version`` is the commit that holds it. ``changed_from``/``changed_to`` (dimensions):
    the business dates whose as-of view this batch changed, both included; ``changed_from`` None:
    nothing changed; ``changed_to`` None: open end.
    """

    product: str
    interval: str
    state: IntervalState
    run_id: str
    batch_id: str
    job_version: int
    schema_fingerprint: str
    contract_version: str
    rules_fingerprint: str
    decisions_fingerprint: str
    committed_at: datetime
    fingerprint: str | None = None
    delta_version: int | None = None
    partial: bool = False
    built: int = 0
    accepted: int = 0
    quarantined: int = 0
    inputs: tuple[Pin, ...] = ()
    rule_inputs: tuple[Pin, ...] = ()
    changed_from: date | None = None
    changed_to: date | None = None
    waiting_on: str | None = None
    """Held: the root cause, ``product interval``."""
    incomplete_because: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why the gate decided so, or why the interval is held."""
    sequence: int = 0

    @property
    def readable(self) -> bool:
        """True when readers see the content this row describes."""
        return self.state in READABLE and self.fingerprint is not None

    @property
    def attempted(self) -> bool:
        """True when a batch was built and judged (held rows and broken attempts are not)."""
        return self.state in READABLE or self.state == "blocked"


@dataclass(frozen=True)
class ResultRow:
    """One rule's outcome for one interval of one batch, passes included."""

    run_id: str
    batch_id: str
    product: str
    interval: str
    rule_id: str
    rule_fingerprint: str
    kind: str
    dimension: str
    severity: str
    scope: str
    outcome: str
    contract_version: str
    job_version: int
    judged_at: datetime
    failing: int | None = None
    checked: int | None = None
    gx_failing: int | None = None
    tolerance: float = 0.0
    expected: str | None = None
    actual: str | None = None
    difference: str | None = None
    evidence: str | None = None
    message: str = ""
    decision_id: str | None = None
    inputs: tuple[Pin, ...] = ()
    sequence: int = 0


@dataclass(frozen=True)
class DecisionRow:
    """What a steward decided; an input of the intervals it names.

    ``interval`` None: every interval. ``expires_on`` is a trade date: the decision holds for
    intervals up to it, so that the order of runs cannot change what it does. A revocation is
    a row with the same ``decision_id`` and ``revoked``; so is an approval, with ``approved_by``.
    ``entered_by`` is the operating system's user who typed it.
    """

    decision_id: str
    kind: Literal["release", "patch", "rejection", "waiver"]
    product: str
    reason: str
    decided_by: str
    decided_at: datetime
    interval: str | None = None
    rule_id: str | None = None
    delivery_id: str | None = None
    row_number: int | None = None
    column: str | None = None
    value: str | None = None
    approved_by: str | None = None
    expires_on: date | None = None
    revoked: bool = False
    sequence: int = 0
    needs_approval: bool = False
    entered_by: str | None = None
    approved_at: datetime | None = None

    @property
    def pending(self) -> bool:
        """True while a second person has to approve: nothing looks at the decision until then."""
        alone = self.approved_by is None or self.approved_by == self.decided_by
        return bool(self.needs_approval) and alone

    @property
    def in_force(self) -> bool:
        """True when runs apply the decision: neither taken back nor waiting."""
        return not self.revoked and not self.pending


def newest(rows: Iterable[DecisionRow]) -> tuple[DecisionRow, ...]:
    """The last record of each decision, in the order in which they were first recorded."""
    return tuple({row.decision_id: row for row in sorted(rows, key=lambda r: r.sequence)}.values())


@dataclass(frozen=True)
class ExportRow:
    """One answer that left the lake as a file: who took what, and from which publication.

    ``query`` is the SQL, or the command for rows of quarantine. ``sha256`` is of the file.
    """

    person: str
    audience: str
    query: str
    rows: int
    file: str
    bytes: int
    sha256: str
    at: datetime
    state: str
    publication_id: str | None = None
    sequence: int = 0


@dataclass(frozen=True)
class LineageRow:
    """One input of one published batch: which interval at which version."""

    run_id: str
    batch_id: str
    product: str
    interval: str
    input_product: str
    input_at: str
    input_fingerprint: str
    recorded_at: datetime
    input_version: int | None = None
    read_by: str = "job"
    """``job`` or the id of the rule that reads it."""
    sequence: int = 0


@dataclass(frozen=True)
class IncidentRow:
    """One event in the life of an incident: a failure cycle of one rule on one product."""

    incident_id: str
    product: str
    rule_id: str
    interval: str
    state: Literal["opened", "failing", "recovered", "closed"]
    severity: str
    at: datetime
    run_id: str
    owner: str = ""
    message: str = ""
    failing: int | None = None
    details: dict[str, str] = field(default_factory=dict)
    sequence: int = 0
    interval_state: str = ""
    """What the gate made of the interval: a blocked or flagged one keeps the incident open."""
    judged: int = -1
    """Ledger sequence of the judgement behind the event: what came before it was looked at."""


@dataclass(frozen=True)
class Change:
    """A change of an interval's state that a message tells; ``number`` counts them from 1."""

    product: str
    interval: str
    state: str
    number: int


@dataclass(frozen=True)
class MessageRow:
    """One step of one message on one channel: queued, sent, or a send that failed.

    ``message_id`` digests what the message tells, so that a receiver can drop a second copy.
    ``changes`` stand in the queued rows alone, with subject and body.
    """

    message_id: str
    kind: str
    channel: str
    event: Literal["queued", "sent", "failed", "dropped"]
    at: datetime
    subject: str = ""
    body: str = ""
    changes: tuple[Change, ...] = ()
    error: str = ""
    sequence: int = 0


@dataclass(frozen=True)
class AlertRow:
    """One event in the life of a surveillance alert, with what the alert said from then on.

    ``because`` names what brought it: deliveries, decisions, a new job version; empty when the
    alert came with the first count of its date. A withdrawn alert keeps its last figures.
    """

    alert_id: str
    interval: str
    event: Literal["raised", "changed", "withdrawn", "restored"]
    rule_id: str
    rule_version: int
    nature: str
    subject_kind: str
    subject_id: str
    contract_id: str
    figure: int
    threshold: int
    evidence_count: int
    next_measure: str
    next_measure_zh: str
    explanation_en: str
    explanation_zh: str
    at: datetime
    batch_id: str
    """The batch of gold.surveillance_day that was counted."""
    because: tuple[str, ...] = ()
    sequence: int = 0


@dataclass(frozen=True)
class DispositionRow:
    """What an officer did about an alert. ``at`` is when it was done (UTC), ``recorded_at`` when it
    was written down; ``entered_by`` is the operating system's user who typed it."""

    alert_id: str
    interval: str
    kind: Literal["note", "no_action", "phoned", "watch_list", "escalated"]
    reason: str
    person: str
    at: datetime
    recorded_at: datetime
    entered_by: str
    sequence: int = 0
