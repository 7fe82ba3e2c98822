"""The gate: from results and decisions to a verdict. Pure, and closed unless shown otherwise.

A *fault* is a reason that no waiver can remove: the gate does not know enough, or its figures
contradict each other. Every fault and every unwaived failure beyond its tolerance blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from contracts.model import Contract, Rule
from quality.decisions import MOVING, effective, waiver_fault, waiver_for
from quality.outcome import DECLARED, Decision, RuleResult, Verdict, VerdictKind


def decide(
    product: str,
    interval: str,
    contract: Contract,
    results: Sequence[RuleResult],
    decisions: Sequence[Decision],
    built: int,
    accepted: int,
    quarantined: int,
    *,
    released: Mapping[str, int] | None = None,
    remaining: Mapping[str, int] | None = None,
) -> Verdict:
    """Judge one interval.

    ``results``: exactly one per rule of the contract. ``released``: failing rows per rule that a
    release keeps; they do not count against the tolerance. ``remaining``: rejectable failures
    counted again in the accepted rows (waived and released ones aside); required, and all 0,
    once rows were quarantined. Row numbers must add up: accepted + quarantined == built.
    """
    freed = released or {}
    faults = [
        *_identity_faults(product, interval, contract, results),
        *_row_faults(built, accepted, quarantined, remaining),
    ]
    rules = {rule.id: rule for rule in contract.rules}
    judged: list[RuleResult] = []
    blocking: list[str] = []
    moves = 0
    for result in results:
        rule = rules.get(result.rule_id)
        if rule is None:
            judged.append(result)
            continue
        faults += _result_faults(rule, result, built, freed.get(rule.id, 0))
        waiver = None
        if result.outcome == "failed":
            waiver = waiver_for(decisions, product, interval, rule.id)
            if waiver is None:
                blocking += _beyond_tolerance(rule, result, freed.get(rule.id, 0))
                moves += _moving(rule, result, freed.get(rule.id, 0))
        judged.append(_with_decision(result, waiver, decisions, freed.get(rule.id, 0)))
    if moves and not quarantined and not blocking and not faults:
        faults.append("failing rows were to be quarantined, but none were")
    if moves and built > 0 and accepted == 0:
        blocking.append(f"all {built} rows were rejected: nothing would be left to publish")
    reasons = (
        *(f"gate fault: {f}" for f in faults),
        *blocking,
        *_ignored(decisions, product, blocking),
    )
    decision: VerdictKind = "publish_with_quarantine" if quarantined else "publish"
    if faults or blocking:
        decision = "block"
    return Verdict(
        product, interval, decision, built, accepted, quarantined, tuple(judged), reasons
    )


def failing_share(failing: int, checked: int) -> float:
    """The share a tolerance is compared with; failures among nothing checked are all of it."""
    if failing <= 0:
        return 0.0
    return failing / checked if checked > 0 else 1.0


def _identity_faults(
    product: str, interval: str, contract: Contract, results: Sequence[RuleResult]
) -> Iterable[str]:
    """Exactly the contract's rules, each once, for this interval, in their compiled form."""
    compiled = {rule.id: rule for rule in contract.rules}
    seen = Counter(r.rule_id for r in results)
    if contract.product != product:
        yield f"the contract is {contract.product}'s"
    for lost in sorted(compiled.keys() - seen.keys()):
        yield f"rule {lost} has no result"
    for unknown in sorted(seen.keys() - compiled.keys()):
        yield f"result of unknown rule {unknown}"
    for twice in sorted(i for i, n in seen.items() if n > 1):
        yield f"rule {twice} has more than one result"
    for r in results:
        if (r.product, r.interval) != (product, interval):
            yield f"the result of {r.rule_id} is of {r.product} {r.interval}"
        rule = compiled.get(r.rule_id)
        if rule is not None and r.rule_fingerprint != rule.fingerprint:
            yield f"rule {r.rule_id} was judged in another form than the contract's"


def _row_faults(
    built: int, accepted: int, quarantined: int, remaining: Mapping[str, int] | None
) -> Iterable[str]:
    if min(built, accepted, quarantined) < 0 or accepted + quarantined != built:
        yield f"accepted {accepted} + quarantined {quarantined} is not built {built}"
    if quarantined > 0 and remaining is None:
        yield "the accepted rows were not checked again"
    for rule_id, count in sorted((remaining or {}).items()):
        if count != 0:
            yield f"{count} accepted rows still break {rule_id}"


def _result_faults(rule: Rule, r: RuleResult, built: int, released: int) -> Iterable[str]:
    """Not evaluated, or figures that contradict each other or the outcome."""
    if r.outcome == "not_evaluated":
        yield f"{rule.id} could not be evaluated: {r.message}"
        return
    if r.outcome in DECLARED:
        if not r.message:
            yield f"{rule.id} was declared {r.outcome} without saying why"
        return
    if not effective(rule, r.interval):
        yield f"{rule.id} was judged before its effective date {rule.effective_from}"
    failing, checked = r.failing, r.checked
    if failing is None or checked is None or failing < 0 or checked < failing:
        yield f"{rule.id} has no usable counts (failing {failing}, checked {checked})"
        return
    if (r.outcome == "failed") != (failing > 0):
        yield f"{rule.id} is called {r.outcome} with {failing} failing"
    if not 0 <= released <= failing:
        yield f"{rule.id} has {released} released of {failing} failing rows"
    if rule.is_row_rule:
        if checked != built:
            yield f"{rule.id} was checked on {checked} of {built} rows"
        if r.gx_failing is None:
            yield f"{rule.id} was not counted by Great Expectations"
        elif r.gx_failing != failing:
            yield f"{rule.id}: the row rule counts {failing}, Great Expectations {r.gx_failing}"


def _beyond_tolerance(rule: Rule, r: RuleResult, released: int) -> Iterable[str]:
    """Why a failure blocks, or nothing.

    An ``error`` that rows break and that states no tolerance has no limit: its rows leave the
    batch. Everything else blocks above its tolerance: ``critical`` at once when it states none,
    and table rules, whose failures have no rows to move.
    """
    if rule.severity not in MOVING:
        return
    if rule.is_row_rule and rule.severity == "error" and rule.tolerance == 0:
        return
    failing, checked = (r.failing or 0) - released, r.checked or 0
    if failing_share(failing, checked) > rule.tolerance:
        tolerated = f", tolerated {rule.tolerance:.2%}" if rule.tolerance else ""
        said = f": {r.message}" if r.message else ""
        yield f"{rule.id} ({rule.severity}): {failing} of {checked} fail{tolerated}{said}"


def _moving(rule: Rule, r: RuleResult, released: int) -> int:
    """Failing rows that must have left the batch."""
    if not rule.is_row_rule or rule.severity not in MOVING:
        return 0
    return max((r.failing or 0) - released, 0)


def _with_decision(
    result: RuleResult, waiver: Decision | None, decisions: Sequence[Decision], released: int
) -> RuleResult:
    """The result with whoever let it pass: still failed, and by whose word."""
    if waiver is None:
        return _with_releases(result, decisions, released) if released > 0 else result
    said = f"failed, waived by {waiver.approver} until {waiver.expires}: {waiver.reason}"
    message = f"{said} ({result.message})" if result.message else said
    return replace(result, decision_id=waiver.decision_id, message=message)


def _with_releases(r: RuleResult, decisions: Sequence[Decision], released: int) -> RuleResult:
    words = {
        f"{d.approver or d.author}: {d.reason}"
        for d in decisions
        if d.kind == "release" and d.product == r.product and d.rule_id in (r.rule_id, None)
    }
    said = f"failed, {released} of {r.failing} rows waived by {'; '.join(sorted(words))}"
    whole = [
        d.decision_id
        for d in decisions
        if d.kind == "release" and d.product == r.product and d.rule_id in (r.rule_id, None)
    ]
    return replace(
        r,
        message=f"{said} ({r.message})" if r.message else said,
        decision_id=min(whole) if whole and released >= (r.failing or 0) else None,
    )


def _ignored(decisions: Sequence[Decision], product: str, blocking: Sequence[str]) -> Iterable[str]:
    """Waivers that would have helped but do not count, so that their author learns why."""
    for d in decisions:
        fault = waiver_fault(d) if d.kind == "waiver" and d.product == product else None
        if fault is not None and any(b.startswith(f"{d.rule_id} ") for b in blocking):
            yield f"not counted: {fault}"
