"""Backfills: many intervals of a product and of what it is made from, told one by one.

A backfill is an ordinary run over a range. It may be stopped between two batches, or killed: what
was done is recorded, and the same backfill again does the rest.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from exlake.orchestration.flows import BAD, Outcome, carry_on, outcomes_of

if TYPE_CHECKING:
    from pipelines.engine.plan import Plan
    from pipelines.engine.run import Lake, RunSummary

INTERRUPTED = 130
NOT_DONE = "not done"


@dataclass(frozen=True)
class Backfill:
    """What is to be done: the plan, and how to ask the engine for exactly that."""

    lake: Lake
    plan: Plan
    request: dict[str, Any]

    @property
    def intervals(self) -> int:
        """How many intervals will or may be built or judged."""
        return len(self.plan.touched())


def plan_backfill(
    lake: Lake, product: str, dates: tuple[date, date], *, failed: bool = False
) -> Backfill:
    """Plan a product and everything it is made from over trade dates.

    ``failed`` asks only for intervals that are blocked, held or broken, and builds them again
    even when nothing changed. Raises UnknownProductError, DateOutsideCalendarError.
    """
    _ = lake.catalogue[product]
    above = lake.graph.upstream([product])
    wanted = [p for p in lake.graph.built if p == product or p in above]
    request: dict[str, Any] = {"products": wanted, "dates": dates}
    if failed:
        records = lake.state().records
        span = lake.request(products=wanted, dates=dates)
        only = frozenset(
            (p, interval)
            for p in wanted
            for interval, record in records.get(p, {}).items()
            if record.latest.state in BAD and span.covers(p, interval)
        )
        request |= {"only": only, "force": True}
    return Backfill(lake, lake.plan(lake.request(**request)), request)


def carry_out_backfill(
    backfill: Backfill, say: Callable[[str], None], stop: Callable[[], bool] = lambda: False
) -> tuple[list[Outcome], RunSummary]:
    """Do it; one outcome per interval that was planned, done or not, in order, and the run's own.

    A batch that breaks is in the outcomes and in the summary's failures: it is not raised.
    """
    from exlake.reporting import refresh_pages

    lake = backfill.lake
    try:
        summary = carry_on(
            lake, command="backfill", say=say, of=backfill.intervals, stop=stop, **backfill.request
        )
    finally:
        refresh_pages(lake)
    return _told(backfill, summary), summary


def _told(backfill: Backfill, summary: RunSummary) -> list[Outcome]:
    found = {(o.product, o.interval): o for o in outcomes_of(summary)}
    for failure in summary.failures:
        for interval in failure.intervals:
            said = " ".join(str(failure.error).split())
            found[failure.product, interval] = _without_rows(
                failure.product, interval, "failed", said
            )
    for product, interval, missing in summary.waiting:
        why = f"for {', '.join(missing)}"
        found.setdefault((product, interval), _without_rows(product, interval, "waits", why))
    left = backfill.lake.plan(
        backfill.lake.request(**{**backfill.request, "force": False})
    ).touched()
    for key in backfill.plan.touched() - found.keys():
        state, why = ("fresh", "its inputs came out the same")
        if key in left:
            state, why = NOT_DONE, "stopped" if summary.stopped else "after one that broke"
        found[key] = _without_rows(*key, state, why)
    return [found[key] for key in sorted(found)]


def _without_rows(product: str, interval: str, state: str, why: str) -> Outcome:
    return Outcome(product, interval, state, 0, 0, 0, (why,))


@contextmanager
def stopping(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt (or SIGTERM) into an answer; a second one ends the process.

    Ending it so is safe at any point: the next run makes good what is missing.
    """
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            os._exit(INTERRUPTED)
        asked.append(number)
        say("stopping after the batch that is at work; interrupt again to stop at once")

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
