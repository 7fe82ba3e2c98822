"""Rules that an interval fails as a whole: row counts, reconciliations, freshness.

Each returns one result per interval. What cannot be judged for a stated reason is *declared*
(not applicable, not yet due) with that reason; everything else that has no answer is not
evaluated, and the gate blocks on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from quality.decisions import effective
from quality.reconciliation import reconcile_duckdb, reconcile_spark
from quality.results import Declared, declare, result

if TYPE_CHECKING:
    from contracts.model import Contract, Rule
    from quality.outcome import RuleResult
    from quality.relations import Relation


def judge_table(
    rule: Rule,
    contract: Contract,
    batch: Relation,
    views: Mapping[str, Relation],
    intervals: Sequence[str],
    *,
    spark: bool = False,
    declared: Mapping[str, Declared] | None = None,
) -> dict[str, RuleResult]:
    """Judge a ``reconcile`` rule per interval; ``batch`` is the built or accepted set (scope).

    ``spark``: inputs are Spark DataFrames; otherwise Arrow tables or ``Files``, judged by
    DuckDB. ``declared``: intervals the caller knows cannot be judged (the other side is not due
    yet), with why. SQL that fails makes the rule "not evaluated" with the engine's message.
    """
    known = _declared(rule, intervals, declared or {})
    answers = {i: declare(contract, rule, i, *why) for i, why in known.items()}
    rest = [i for i in intervals if i not in known]
    if not rest:
        return answers
    try:
        run = reconcile_spark if spark else reconcile_duckdb
        answers |= run(rule, contract, batch, views, rest)
    except Exception as problem:
        text = " ".join(str(problem).split())[:300]
        answers |= {i: declare(contract, rule, i, "not_evaluated", text) for i in rest}
    return answers


def judge_row_count(
    rule: Rule,
    contract: Contract,
    intervals: Sequence[str],
    expected: Mapping[str, int | None],
    actual: Mapping[str, int],
    *,
    declared: Mapping[str, Declared] | None = None,
) -> dict[str, RuleResult]:
    """Compare rows with what the manifests of the effective deliveries state.

    ``expected`` None: no manifest states a number, the rule does not apply. The share that a
    tolerance is compared with is the difference over the expected number.
    """
    known = _declared(rule, intervals, declared or {})
    answers: dict[str, RuleResult] = {}
    for interval in intervals:
        stated = expected.get(interval)
        if interval in known:
            answers[interval] = declare(contract, rule, interval, *known[interval])
            continue
        if stated is None:
            why = "no manifest states the number of rows"
            answers[interval] = declare(contract, rule, interval, "not_applicable", why)
            continue
        got = actual.get(interval, 0)
        difference = got - stated
        message = f"{stated} rows stated, {got} found" if difference else ""
        answers[interval] = result(
            contract,
            rule,
            interval,
            "failed" if difference else "passed",
            message,
            failing=abs(difference),
            checked=max(stated, got),
            expected=str(stated),
            actual=str(got),
            difference=str(difference),
        )
    return answers


def judge_freshness(
    rule: Rule,
    contract: Contract,
    intervals: Sequence[str],
    due: Mapping[str, datetime],
    arrived: Mapping[str, datetime | None],
    now: datetime,
) -> dict[str, RuleResult]:
    """Compare arrival with the due time of the trading calendar (aware datetimes, UTC).

    Not arrived and not due: ``not_due``. An interval without a due time: not applicable (the
    contract has no SLA, or the day is no trade date). ``now`` only decides what has not arrived.
    """
    known = _declared(rule, intervals, {})
    answers: dict[str, RuleResult] = {}
    for interval in intervals:
        limit, came = due.get(interval), arrived.get(interval)
        if interval in known:
            answers[interval] = declare(contract, rule, interval, *known[interval])
            continue
        if limit is None:
            why = "no due time on this interval"
            answers[interval] = declare(contract, rule, interval, "not_applicable", why)
            continue
        if came is None and now < limit:
            why = f"due at {limit:%Y-%m-%d %H:%M} UTC"
            answers[interval] = declare(contract, rule, interval, "not_due", why)
            continue
        late = (came or now) - limit
        minutes = max(int(late.total_seconds() // 60), 0)
        is_late = came is None or came > limit
        said = "late" if came is not None else "missing, late"
        answers[interval] = result(
            contract,
            rule,
            interval,
            "failed" if is_late else "passed",
            f"{said} by {minutes} min" if is_late else "",
            failing=int(is_late),
            checked=1,
            expected=limit.isoformat(),
            actual=None if came is None else came.isoformat(),
            difference=f"{minutes} min" if is_late else None,
        )
    return answers


def _declared(
    rule: Rule, intervals: Sequence[str], declared: Mapping[str, Declared]
) -> dict[str, Any]:
    found: dict[str, Any] = {i: why for i, why in declared.items() if i in intervals}
    for interval in intervals:
        if interval not in found and not effective(rule, interval):
            found[interval] = ("not_applicable", f"effective from {rule.effective_from}")
    return found
