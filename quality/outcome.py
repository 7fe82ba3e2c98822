"""What judging a batch yields: counts, results, verdicts, and the stewards' decisions.

These values pass between the rooms, so they are frozen and hold nothing but plain Python
values: no Spark, no pandas. ``interval`` is an ISO date (``2026-01-05``) or ``all``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from contracts.model import Dimension, RuleKind, Scope, Severity

Outcome = Literal["passed", "failed", "not_evaluated", "not_applicable", "not_due"]
DecisionKind = Literal["release", "patch", "rejection", "waiver"]
VerdictKind = Literal["publish", "publish_with_quarantine", "block"]

DECLARED: frozenset[Outcome] = frozenset({"not_applicable", "not_due"})
"""Outcomes that say, on purpose, that there was nothing to evaluate."""

EVERY_INTERVAL = "*"
"""``Decision.interval`` of a waiver that covers every interval up to its expiry."""


@dataclass(frozen=True)
class Measured:
    """What was observed of one interval while it was written, at no extra pass.

    ``digest`` is the sum of Spark's xxhash64 over the business columns, as decimal text (``0``
    for no rows); ``failing`` counts failing rows by rule id, for rules a row decides alone.
    """

    rows: int
    digest: str
    failing: Mapping[str, int] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Row count and digest: equal exactly when the content is taken to be equal."""
        return f"{self.rows}:{self.digest}"


@dataclass(frozen=True)
class GxCount:
    """Great Expectations' answer for one rule and interval.

    ``failing`` is None when the rule could not be evaluated; ``error`` then says why.
    """

    failing: int | None
    checked: int
    error: str | None = None


@dataclass(frozen=True)
class RuleResult:
    """One rule's outcome on one interval; passes included.

    ``failing`` and ``checked`` count rows (row rules) or compared keys (reconciliations);
    ``gx_failing`` is the independent count by Great Expectations (row rules only).
    ``expected``, ``actual`` and ``difference`` are decimal text of a table rule's two totals;
    ``evidence`` is a JSON list of at most 20 keys that contribute most. ``decision_id`` names
    the waiver that turned a failure into "failed, waived".
    """

    product: str
    interval: str
    rule_id: str
    rule_fingerprint: str
    kind: RuleKind
    dimension: Dimension
    severity: Severity
    scope: Scope
    outcome: Outcome
    failing: int | None
    checked: int | None
    gx_failing: int | None
    tolerance: float
    expected: str | None
    actual: str | None
    difference: str | None
    evidence: str | None
    message: str
    decision_id: str | None


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one interval of one product; ``reasons`` explain a block."""

    product: str
    interval: str
    decision: VerdictKind
    built: int
    accepted: int
    quarantined: int
    results: tuple[RuleResult, ...]
    reasons: tuple[str, ...]

    @property
    def publishes(self) -> bool:
        """True when the interval's accepted rows may become readable."""
        return self.decision != "block"


@dataclass(frozen=True)
class Decision:
    """What a steward decided, and why; append-only, an input of every later run.

    ``release`` (keep the row although it breaks ``rule_id``, or any rule when None), ``patch``
    (``patch`` is JSON text: column -> new value; applied before the build) and ``rejection``
    (quarantine the row although it passes) name one row by ``delivery_id`` and ``row_number``.
    A ``waiver`` accepts a rule's failures on ``interval`` (or on every interval, ``*``, whose
    date is not after ``expires``): business dates, never the clock, so that order of runs cannot
    change a verdict. A waiver counts only with an expiry and a second person's approval.
    """

    kind: DecisionKind
    product: str
    interval: str
    delivery_id: str | None
    row_number: int | None
    rule_id: str | None
    reason: str
    author: str
    approver: str | None
    expires: date | None
    patch: str | None
    decided_at: datetime
    decision_id: str
