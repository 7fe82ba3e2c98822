"""Rule results from counts: one per rule and interval, passes and declared outcomes included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from quality.decisions import effective
from quality.outcome import GxCount, Measured, Outcome, RuleResult

if TYPE_CHECKING:
    from contracts.model import Contract, Rule

Declared = tuple[Outcome, str]
"""``not_applicable`` or ``not_due``, and why."""


def row_results(
    contract: Contract,
    interval: str,
    measured: Measured,
    tallied: Mapping[str, int],
    gx: Mapping[str, GxCount],
    *,
    declared: Mapping[str, Declared] | None = None,
) -> tuple[RuleResult, ...]:
    """One result per row rule of the contract.

    ``measured`` holds the counts observed while writing (rules one row decides), ``tallied`` the
    other row rules' (``quality.flags.tally``; absent means 0 failing), ``gx`` Great Expectations'
    counts of the same interval. A rule that GX could not evaluate is not evaluated.
    """
    found = []
    for rule in contract.rules:
        if not rule.is_row_rule:
            continue
        known = (declared or {}).get(rule.id)
        if known is None and not effective(rule, interval):
            known = ("not_applicable", f"effective from {rule.effective_from}")
        if known is not None:
            found.append(declare(contract, rule, interval, *known))
            continue
        found.append(_row_result(contract, rule, interval, measured, tallied, gx.get(rule.id)))
    return tuple(found)


def _row_result(
    contract: Contract,
    rule: Rule,
    interval: str,
    measured: Measured,
    tallied: Mapping[str, int],
    gx: GxCount | None,
) -> RuleResult:
    failing = measured.failing.get(rule.id, tallied.get(rule.id, 0))
    if gx is None or gx.failing is None:
        why = gx.error if gx is not None and gx.error else "no answer from Great Expectations"
        return result(
            contract, rule, interval, "not_evaluated", why, failing=failing, checked=measured.rows
        )
    return result(
        contract,
        rule,
        interval,
        "failed" if failing else "passed",
        "",
        failing=failing,
        checked=measured.rows,
        gx_failing=gx.failing,
    )


def declare(
    contract: Contract, rule: Rule, interval: str, outcome: Outcome, why: str
) -> RuleResult:
    """A result that says, on purpose, that there was nothing to evaluate (or that it failed to)."""
    return result(contract, rule, interval, outcome, why)


def result(
    contract: Contract,
    rule: Rule,
    interval: str,
    outcome: Outcome,
    message: str,
    *,
    failing: int | None = None,
    checked: int | None = None,
    gx_failing: int | None = None,
    expected: str | None = None,
    actual: str | None = None,
    difference: str | None = None,
    evidence: str | None = None,
) -> RuleResult:
    """A rule's result with everything that its contract says of it filled in."""
    return RuleResult(
        product=contract.product,
        interval=interval,
        rule_id=rule.id,
        rule_fingerprint=rule.fingerprint,
        kind=rule.kind,
        dimension=rule.dimension,
        severity=rule.severity,
        scope=rule.scope,
        outcome=outcome,
        failing=failing,
        checked=checked,
        gx_failing=gx_failing,
        tolerance=rule.tolerance,
        expected=expected,
        actual=actual,
        difference=difference,
        evidence=evidence,
        message=message,
        decision_id=None,
    )
