"""The gate: closed unless every figure shows that it may open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quality_cases import column, contract, rule

from contracts.model import Contract, Rule
from quality.gate import decide
from quality.outcome import Decision, GxCount, Measured, RuleResult, Verdict
from quality.results import declare, result, row_results

DAY = "2026-01-05"
SEVERITIES = ("critical", "error", "warning", "info")


def of(*rules: Rule) -> Contract:
    return contract((column("trade_date", "date"), column("id", "int")), rules)


def row_rule(severity: str = "error", tolerance: float = 0.0, name: str = "thing.a") -> Rule:
    return rule(name, "expression", severity, sql="id > 0", tolerance=tolerance)


def outcome(c: Contract, r: Rule, failing: int, checked: int, **more: Any) -> RuleResult:
    more.setdefault("gx_failing", failing if r.is_row_rule else None)
    return result(
        c, r, DAY, "failed" if failing else "passed", "", failing=failing, checked=checked, **more
    )


def verdict(
    c: Contract,
    results: Any,
    *decisions: Decision,
    built: int = 100,
    quarantined: int = 0,
    **more: Any,
) -> Verdict:
    if quarantined:
        more.setdefault("remaining", {})
    return decide(
        "silver.thing",
        DAY,
        c,
        tuple(results),
        decisions,
        built,
        built - quarantined,
        quarantined,
        **more,
    )


def waiver(rule_id: str = "thing.a", **more: Any) -> Decision:
    base: dict[str, Any] = {
        "kind": "waiver",
        "product": "silver.thing",
        "interval": DAY,
        "delivery_id": None,
        "row_number": None,
        "rule_id": rule_id,
        "reason": "agreed",
        "author": "an",
        "approver": "bo",
        "expires": date(2026, 2, 1),
        "patch": None,
        "decided_at": datetime(2026, 1, 6, tzinfo=UTC),
        "decision_id": "w1",
    }
    return Decision(**{**base, **more})


@given(
    severities=st.lists(st.sampled_from(SEVERITIES), min_size=1, max_size=5),
    data=st.data(),
)
def test_it_opens_only_when_nothing_speaks_against_it(
    severities: list[str], data: st.DataObject
) -> None:
    """Invariants 2 and 5: any lost, doubled, contradicted or unevaluated result blocks."""
    rules = tuple(
        row_rule(s, 0.1 if s != "critical" else 0.0, f"thing.r{i}")
        for i, s in enumerate(severities)
    )
    c = of(*rules)
    good = [outcome(c, r, 0, 100) for r in rules]
    assert verdict(c, good).decision == "publish"
    i = data.draw(st.integers(0, len(rules) - 1))
    spoil = data.draw(
        st.sampled_from(
            [
                lambda r: None,
                lambda r: replace(r, outcome="not_evaluated", failing=None, message="boom"),
                lambda r: replace(r, gx_failing=None),
                lambda r: replace(r, gx_failing=1),
                lambda r: replace(r, failing=1, gx_failing=1),
                lambda r: replace(r, outcome="failed"),
                lambda r: replace(r, checked=99),
                lambda r: replace(r, failing=-1),
                lambda r: replace(r, rule_fingerprint="0"),
                lambda r: replace(r, interval="2026-01-06"),
                lambda r: replace(r, product="silver.other"),
                lambda r: replace(r, rule_id="thing.unknown"),
                lambda r: replace(r, outcome="not_applicable", message=""),
            ]
        )
    )
    bad = spoil(good[i])
    spoilt = [*good[:i], *([bad] if bad is not None else []), *good[i + 1 :]]
    waivers = tuple(waiver(r.id, decision_id=r.id) for r in rules)
    for decisions in ((), waivers):
        found = verdict(c, spoilt, *decisions)
        assert found.decision == "block"
        assert any(r.startswith("gate fault") for r in found.reasons)
    assert verdict(c, [*good, good[i]]).decision == "block", "a doubled result"


@given(built=st.integers(0, 50), accepted=st.integers(-5, 50), quarantined=st.integers(-5, 50))
def test_rows_must_add_up(built: int, accepted: int, quarantined: int) -> None:
    """Invariant 2: accepted + quarantined == built, or nothing is published."""
    found = decide("silver.thing", DAY, of(), (), (), built, accepted, quarantined, remaining={})
    fits = accepted + quarantined == built and min(accepted, quarantined) >= 0
    assert found.publishes == fits
    if fits:
        assert found.decision == ("publish_with_quarantine" if quarantined else "publish")


@given(
    severity=st.sampled_from(SEVERITIES),
    tolerance=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    failing=st.integers(0, 100),
    released=st.integers(0, 100),
    waived=st.booleans(),
)
def test_severity_and_tolerance(
    severity: str, tolerance: float, failing: int, released: int, waived: bool
) -> None:
    """Above the tolerance critical and error block; warnings never do; waivers and releases."""
    released = min(released, failing)
    r = row_rule(severity, tolerance)
    c = of(r)
    moves = failing - released if severity in ("critical", "error") and not waived else 0
    found = verdict(
        c,
        [outcome(c, r, failing, 100)],
        *([waiver()] if waived else []),
        quarantined=moves,
        released={r.id: released} if released else None,
    )
    limited = severity == "critical" or (severity == "error" and tolerance > 0)
    blocks = moves > 0 and ((limited and moves / 100 > tolerance) or moves == 100)
    assert (found.decision == "block") == blocks, found.reasons
    if not blocks:
        assert found.decision == ("publish_with_quarantine" if moves else "publish")
    if waived and failing:
        assert found.results[0].decision_id == "w1"
        assert found.results[0].message.startswith("failed, waived by bo")


@given(severity=st.sampled_from(SEVERITIES), failing=st.integers(0, 5))
def test_table_rules_have_no_rows_to_move(severity: str, failing: int) -> None:
    """A table rule of severity error or critical blocks; warning and info only annotate."""
    r = rule("thing.sum", "reconcile", severity, sql="SELECT 1")
    c = of(r)
    found = verdict(c, [outcome(c, r, failing, 5)])
    assert (found.decision == "block") == (failing > 0 and severity in ("critical", "error"))


@pytest.mark.parametrize(
    "terms",
    [
        {"approver": None},
        {"approver": "an"},
        {"expires": None},
        {"expires": date(2026, 1, 4)},
        {"interval": "2026-01-06"},
        {"product": "silver.other"},
        {"rule_id": "thing.b"},
    ],
)
def test_a_waiver_needs_terms_that_hold(terms: dict[str, Any]) -> None:
    """A waiver counts with an expiry, a second person, and only where it says."""
    r = row_rule("critical")
    c = of(r)
    failed = outcome(c, r, 3, 100)
    assert verdict(c, [failed], waiver()).decision == "publish"
    assert verdict(c, [failed], waiver(interval="*")).decision == "publish"
    found = verdict(c, [failed], waiver(**terms))
    assert found.decision == "block"
    if terms.get("approver", "") is None:
        assert any("no approver" in reason for reason in found.reasons)


def test_what_was_rejected_must_have_left() -> None:
    """The accepted rows are checked again; a failure that stayed, or no check, blocks."""
    r = row_rule()
    c = of(r)
    failed = [outcome(c, r, 3, 100)]
    assert verdict(c, failed, quarantined=3).decision == "publish_with_quarantine"
    assert verdict(c, failed, quarantined=3, remaining=None).decision == "block"
    assert verdict(c, failed, quarantined=3, remaining={r.id: 1}).decision == "block"
    assert verdict(c, failed).decision == "block", "three rows fail and none moved"
    assert verdict(c, [outcome(c, r, 100, 100)], quarantined=100).decision == "block"


def test_results_are_made_for_every_rule() -> None:
    """Invariant 6: passes, failures, later rules and lost counts each leave a result row."""
    rules = (
        row_rule(name="thing.a"),
        rule("thing.b", "unique", columns=("id",)),
        rule("thing.c", "not_null", columns=("id",), effective_from=date(2027, 1, 1)),
        rule("thing.d", "not_null", columns=("id",)),
        rule("thing.e", "row_count"),
    )
    c = of(*rules)
    gx = {"thing.a": GxCount(2, 10), "thing.b": GxCount(1, 10), "thing.d": GxCount(None, 10, "x")}
    found = row_results(c, DAY, Measured(10, "0", {"thing.a": 2}), {"thing.b": 1}, gx)
    assert [(r.rule_id, r.outcome, r.failing, r.gx_failing) for r in found] == [
        ("thing.a", "failed", 2, 2),
        ("thing.b", "failed", 1, 1),
        ("thing.c", "not_applicable", None, None),
        ("thing.d", "not_evaluated", 0, None),
    ]
    assert found[2].message == "effective from 2027-01-01"
    given_day = [*found[:3], outcome(c, rules[3], 0, 10), outcome(c, rules[4], 0, 1)]
    assert verdict(c, given_day, built=10, quarantined=3).publishes
    late = declare(c, rules[4], DAY, "not_due", "due at 17:00")
    assert verdict(c, [*given_day[:4], late], built=10, quarantined=3).publishes
