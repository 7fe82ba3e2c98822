"""Judge with the working tree and publish nothing: what would newly pass, fail or block."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from exlake.lake import open_lake

if TYPE_CHECKING:
    from pipelines.engine.run import Lake
    from pipelines.engine.state import State


def judge(
    product: str, dates: tuple[date, date], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """One dict per interval and rule: the outcome now, the last recorded one, what changes.

    ``say`` hears what the gate would decide for each interval.
    """
    from pipelines.engine.batch import build
    from pipelines.engine.run import BATCH_INTERVALS

    lake = open_lake()
    state = lake.state()
    request = lake.request(products=[product], dates=dates, force=True)
    planned = lake.plan(request)[product].will_run
    before = _recorded(lake, product)
    context = _context(lake, state) if planned else None
    rows: list[dict[str, Any]] = []
    for start in range(0, len(planned), BATCH_INTERVALS):
        assert context is not None
        part = planned[start : start + BATCH_INTERVALS]
        outcome = build(context, state, product, part, publish=False)
        for result in outcome.results:
            was = before.get((result.interval, result.rule_id))
            rows.append(
                {
                    "interval": result.interval,
                    "rule": result.rule_id,
                    "severity": result.severity,
                    "outcome": result.outcome,
                    "failing": result.failing,
                    "checked": result.checked,
                    "was": was,
                    "change": ""
                    if was == result.outcome
                    else f"{was or 'new'} -> {result.outcome}",
                    "message": result.message,
                }
            )
        for verdict in outcome.verdicts:
            because = f" ({'; '.join(verdict.reasons)})" if verdict.reasons else ""
            say(f"{product} {verdict.interval}: the gate would {verdict.decision}{because}")
    return rows


def _recorded(lake: Lake, product: str) -> dict[tuple[str, str], str]:
    """The newest recorded outcome of every (interval, rule)."""
    from pipelines.engine.ledgers import RESULT

    results = lake.ledgers.read(RESULT, where={"product": [product]})
    return {(r.interval, r.rule_id): r.outcome for r in results}


def _context(lake: Lake, state: State) -> Any:
    from pipelines.engine.decisions import standing
    from pipelines.engine.preparation import Context
    from pipelines.engine.run import new_run_id
    from pipelines.engine.session import spark_session

    return Context(
        settings=lake.settings,
        catalogue=lake.catalogue,
        graph=lake.graph,
        calendar=lake.calendar,
        spark=spark_session(lake.settings),
        run_id=f"judge-{new_run_id(datetime.now(UTC))}",
        decisions=standing(state.decisions),
        now=lambda: datetime.now(UTC),
    )
