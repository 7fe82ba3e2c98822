"""Which decisions apply to what: the one place that reads a decision's terms.

Pure functions. Used by the gate (waivers) and by the flags (releases, rejections, and waivers:
the rows of a waived rule are published, so they must not move).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from contracts.model import Contract, Rule
from quality.outcome import EVERY_INTERVAL, Decision

MOVING = frozenset({"error", "critical"})
"""Severities whose failing rows leave the batch; a warning never moves a row."""


def waiver_fault(decision: Decision) -> str | None:
    """Say why a waiver does not count, or None when it does (expiry, second person)."""
    if decision.expires is None:
        return f"waiver {decision.decision_id} has no expiry"
    if decision.approver is None:
        return f"waiver {decision.decision_id} has no approver"
    if decision.approver == decision.author:
        return f"waiver {decision.decision_id} was approved by its own author"
    return None


def covers(decision: Decision, interval: str) -> bool:
    """True when a waiver's terms reach ``interval``; ``all`` has no date and never expires."""
    if decision.interval not in (interval, EVERY_INTERVAL):
        return False
    if decision.expires is None:
        return False
    return interval == "all" or date.fromisoformat(interval) <= decision.expires


def waiver_for(
    decisions: Iterable[Decision], product: str, interval: str, rule_id: str
) -> Decision | None:
    """The first valid waiver of a rule on an interval, in order of ``decision_id``."""
    fitting = [
        d
        for d in decisions
        if d.kind == "waiver"
        and d.product == product
        and d.rule_id == rule_id
        and covers(d, interval)
        and waiver_fault(d) is None
    ]
    return min(fitting, key=lambda d: d.decision_id, default=None)


def counting(decisions: Iterable[Decision], contract: Contract) -> tuple[Decision, ...]:
    """The decisions without releases from a critical rule that no second person approved."""
    critical = {r.id for r in contract.rules if r.is_row_rule and r.severity == "critical"}

    def alone(d: Decision) -> bool:
        touches = bool(critical) if d.rule_id is None else d.rule_id in critical
        return d.kind == "release" and touches and d.approver in (None, d.author)

    return tuple(d for d in decisions if not alone(d))


def row_decisions(decisions: Iterable[Decision], product: str, kind: str) -> tuple[Decision, ...]:
    """Releases or rejections of single rows of one product, in a stable order."""
    fitting = [
        d
        for d in decisions
        if d.kind == kind
        and d.product == product
        and d.delivery_id is not None
        and d.row_number is not None
    ]
    return tuple(sorted(fitting, key=lambda d: d.decision_id))


def effective(rule: Rule, interval: str) -> bool:
    """True when the rule already holds on the interval; ``all`` knows no date: always true."""
    return interval == "all" or date.fromisoformat(interval) >= rule.effective_from


def moving_rules(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The row rules whose failing rows are quarantined."""
    return tuple(r for r in rules if r.is_row_rule and r.severity in MOVING)
