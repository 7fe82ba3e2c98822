"""Incidents: opened and closed by what was judged, the same however often it is looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.catalogue import load_catalogue
from pipelines.engine.incidents import (
    CURSOR,
    GATE,
    Incident,
    Judgement,
    bring_up_to_date,
    events,
    incidents_of,
)
from pipelines.engine.ledgers import INCIDENT, INTERVAL, RESULT, Ledgers
from tests.exlake.steward_desk import NOW, interval_row, result

D1, D2, D3 = "2026-01-05", "2026-01-06", "2026-01-07"
RULE = "trade.price.range"


def judged(interval: str, outcome: str, state: str = "published", rule: str = RULE) -> Judgement:
    """One judgement of the rule."""
    return Judgement(
        "silver.trade", rule, interval, "error", outcome, state, NOW, "r1", "b1", 0  # type: ignore[arg-type]
    )  # fmt: skip


def replayed(*judgements: Judgement) -> tuple[Incident, ...]:
    """The incidents that judgements, in this order, amount to."""
    numbered = [replace(j, sequence=n) for n, j in enumerate(judgements)]
    return incidents_of(events([], numbered, {"silver.trade": "ana"}))


@pytest.mark.parametrize(
    ("judgements", "found"),
    [
        ([judged(D1, "passed")], []),
        ([judged(D1, "failing"), judged(D1, "passed")], [False]),
        ([judged(D1, "failing"), judged(D1, "waived")], [False]),
        # One cycle over two days; the second day's pass does not end a block of the first.
        ([judged(D1, "failing"), judged(D2, "failing"), judged(D3, "passed")], [False]),
        ([judged(D1, "failing", "blocked"), judged(D2, "passed")], [True]),
        ([judged(D1, "failing", "flagged"), judged(D2, "failing"), judged(D2, "passed")], [True]),
        ([judged(D1, "failing", "blocked"), judged(D1, "failing"), judged(D2, "passed")], [False]),
        ([judged(D1, "failing"), judged(D2, "waived")], [True]),
        ([judged(D1, "failing"), judged(D2, "passed"), judged(D3, "failing")], [False, True]),
    ],
)
def test_a_cycle_opens_and_closes(judgements: list[Judgement], found: list[bool]) -> None:
    """An incident is open while its rule's last day fails, or while it blocks or flags a day."""
    assert [i.open for i in replayed(*judgements)] == found


JUDGEMENTS = st.lists(
    st.builds(
        judged,
        st.sampled_from([D1, D2, D3, "all"]),
        st.sampled_from(["failing", "passed", "waived"]),
        st.sampled_from(["published", "blocked", "flagged"]),
        st.sampled_from([RULE, GATE]),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(judgements=JUDGEMENTS, looks=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12))))
def test_looking_again_changes_nothing(
    judgements: list[Judgement], looks: list[tuple[int, int]]
) -> None:
    """Invariant 3: any stretches looked at in between, again and again, end in the same events."""
    numbered = [replace(j, sequence=n) for n, j in enumerate(judgements)]
    rows = []
    reached = 0
    for back, on in [*looks, (12, 12)]:  # a look begins at or before where the last one ended
        begin, reached = max(0, reached - back), max(reached, on)
        rows += events(incidents_of(rows), numbered[begin:reached], {})
    assert rows == events([], numbered, {})


def test_the_ledgers_alone_tell(tmp_path: Path) -> None:
    """From results and verdicts, through Delta; again and without its cursor it adds nothing.

    An info rule opens nothing; a fault of the gate that no rule shows does; a rule that left the
    contract cannot keep its incident open.
    """
    ledgers = Ledgers(tmp_path / "ops", tmp_path / "locks")
    contracts = load_catalogue().contracts
    fault = ("gate fault: 3 + 4 rows are not the 9 that were built",)
    ledgers.append(
        (RESULT, [
            result("trade.volume.settled", "failed", "critical", "20 differ"),
            result(RULE, "failed", "error"), result("trade.gone", "failed", "warning"),
            result("trade.lots.range", "failed", "info"),
            replace(result("trade.client.known", "failed", "error"), decision_id="w1"),
        ]),
        (INTERVAL, [interval_row("silver.trade", state="blocked", reasons=fault)]),
    )  # fmt: skip

    def now() -> dict[str, bool]:
        bring_up_to_date(ledgers, contracts, NOW, "r2")
        return {i.rule_id: i.open for i in incidents_of(ledgers.read(INCIDENT))}

    first = now()
    assert first == {"trade.volume.settled": True, RULE: True, "trade.gone": True, GATE: True}
    assert now() == {**first, "trade.gone": False}
    events_told = ledgers.read(INCIDENT)
    (ledgers.ops / CURSOR).unlink()
    assert now() == {**first, "trade.gone": False}
    (ledgers.ops / CURSOR).write_text("{")
    now()
    assert ledgers.read(INCIDENT) == events_told
    ledgers.append(
        (RESULT, [replace(result(RULE, "passed", "error"), run_id="r3")]),
        (INTERVAL, [interval_row("silver.trade", run_id="r3")]),
    )
    assert now() == {**first, "trade.gone": False, RULE: False, GATE: False}
    (closed,) = [i for i in incidents_of(ledgers.read(INCIDENT)) if i.rule_id == RULE]
    assert (closed.affected, closed.owner) == (("2026-01-05",), contracts["silver.trade"].owner)
