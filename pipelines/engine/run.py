"""Run what is stale: plan each product when everything before it is done, build, judge, publish.

``run`` does what ``plan`` says will run, may do what it says may run, and nothing beyond. It
starts a JVM only when there is something to build. One run at a time per lake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from threading import Thread
from typing import TYPE_CHECKING

from contracts.errors import ExlakeError
from pipelines.engine.decisions import standing
from pipelines.engine.faults import reach
from pipelines.engine.incidents import bring_up_to_date
from pipelines.engine.lake import Lake, new_run_id, open_lake
from pipelines.engine.lake_format import note_tables
from pipelines.engine.ledger_rows import Stamp, failed_row, held_row, restated_row
from pipelines.engine.ledgers import INTERVAL, LINEAGE, RESULT, RUN
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.plan import Plan, Planned, ProductPlan, Reason, Request
from pipelines.engine.repair import lineage_of, repair
from pipelines.engine.rows import IntervalRow, RunRow
from pipelines.engine.run_summary import Event, Failure, OnProgress, RunSummary
from pipelines.engine.schedule import take_turns
from pipelines.engine.session import SparkLostError, from_jvm, lost_exit_code
from pipelines.engine.staleness import plan as make_plan
from pipelines.engine.staleness import plan_product
from pipelines.engine.state import State, load_state
from pipelines.engine.timer import Timer

if TYPE_CHECKING:
    from pipelines.engine.preparation import BatchOutcome, Context
    from pipelines.engine.settings import Settings

__all__ = ["Event", "Failure", "Lake", "RunSummary", "new_run_id", "open_lake", "run"]

BATCH_INTERVALS = 20
"""Intervals built and judged in one batch (the measures grow with their number)."""
IN_VAIN = 8
"""Batches of a product that may break one after the other: then it is no single interval."""
SIDE_BY_SIDE = 2
"""Products that read few rows are built so many at a time, unless a setting says: planning keeps
one core busy whatever the rows. All products of a tiny date in a fresh process, on two cores: 222 s
one by one, 169 s by two of a level."""
FEW_ROWS = 1_000_000
"""Fewer are few: two products that read them fit side by side into the memory of one."""
ROUNDS = 400
"""A product is planned again after each batch; more rounds than intervals means a fault."""


def run(
    settings: Settings,
    *,
    products: Iterable[str] | None = None,
    flow: str | None = None,
    dates: tuple[date, date] | None = None,
    force: bool = False,
    only: Iterable[tuple[str, str]] | None = None,
    command: str = "run",
    on_progress: OnProgress = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    lake: Lake | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RunSummary:
    """Build, judge and publish every stale interval that was asked for.

    ``flow`` limits to the products one DAG carries, ``only`` to (product, interval) pairs. A
    blocked interval holds what is built from it; a batch that breaks is taken apart until the
    interval that breaks it stands alone and is recorded as failed, and the rest goes on. ``stop``
    is asked between batches: what is done by then is recorded. Raises LockHeldError when another
    run holds the lake, DateOutsideCalendarError, UnknownProductError.
    """
    lake = lake or open_lake(settings)
    wanted = list(products) if products is not None else None
    if flow is not None:
        carried = lake.graph.flow(flow)
        wanted = [p for p in carried if wanted is None or p in wanted]
    request = lake.request(products=wanted, dates=dates, force=force, only=only)
    with locked(lock_path(settings.locks, "run"), wait_seconds=settings.lock_wait_seconds):
        note_tables(settings)
        runner = _Runner(lake, request, command, flow, on_progress, now, stop)
        return runner.run()


@dataclass
class _Done:
    """What one product's turn produced."""

    rows: list[IntervalRow] = field(default_factory=list)
    outcomes: list[BatchOutcome] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    last: ProductPlan | None = None
    size: int = BATCH_INTERVALS
    """Intervals of the next batch: halved when one breaks, doubled when one is done."""
    in_vain: int = 0
    """Batches that broke since one was done."""
    broken: set[str] = field(default_factory=set)
    """Intervals that broke alone: a later run tries them again."""


class _Runner:
    """One run: its state grows with every product that is done."""

    def __init__(
        self,
        lake: Lake,
        request: Request,
        command: str,
        flow: str | None,
        on_progress: OnProgress,
        now: Callable[[], datetime],
        stop: Callable[[], bool],
    ) -> None:
        self.stop, self.stopped = stop, False
        self.lake, self.request, self.command, self.flow = lake, request, command, flow
        self.on_progress, self.now = on_progress, now
        self.run_id = new_run_id(now())
        self.context: Context | None = None
        self.slots = lake.settings.parallel_products or SIDE_BY_SIDE
        self.turns: dict[str, _Done] = {}
        self.timer = Timer()

    def run(self) -> RunSummary:
        """Take every product's turn, then record everything once, at the end."""
        started = self.now()
        lake, timer = self.lake, self.timer
        with timer.phase("state"):
            state = load_state(lake.ledgers, lake.graph, lake.settings.storage)
            mended = repair(lake.ledgers, lake.settings.storage, lake.graph.built, state, started)
        self.state = state.with_rows(mended)
        try:
            with timer.phase("products"):
                take_turns(
                    self._waits(), self._weigh, self._turn, self._ended, self.slots, self._stopping
                )
        finally:
            # In the graph's order, whichever ended first.
            turns = [self.turns[p] for p in lake.graph.built if p in self.turns]
            stages = [turn.last for turn in turns if turn.last is not None]
            outcomes = [o for turn in turns for o in turn.outcomes]
            failures = [f for turn in turns for f in turn.failures]
            with timer.phase("ledgers"):
                self._record(started, [r for t in turns for r in t.rows], outcomes, failures)
        # From the ledgers, not from this run: what a killed run could not tell is told now.
        with timer.phase("incidents"):
            bring_up_to_date(lake.ledgers, lake.catalogue.contracts, self.now(), self.run_id)
        return RunSummary(
            run_id=self.run_id,
            started_at=started,
            ended_at=self.now(),
            outcomes=tuple(outcomes),
            failures=tuple(failures),
            held=tuple((stage.product, h) for stage in stages for h in stage.held),
            waiting=tuple((s.product, w.interval, w.missing) for s in stages for w in s.waiting),
            repaired=len(mended),
            stopped=self.stopped,
            seconds=dict(timer.seconds),
        )

    def _stopping(self) -> bool:
        self.stopped = self.stopped or self.stop()
        return self.stopped

    def _waits(self) -> dict[str, frozenset[str]]:
        """Products asked for, in order, each with those of them that it builds on."""
        graph = self.lake.graph
        wanted = [p for p in graph.built if self.request.wants(p)]
        return {p: graph.upstream([p]).intersection(wanted) - {p} for p in wanted}

    def _weigh(self, product: str, alone: bool) -> int:
        """How much of what is built side by side a product takes; starts the session it needs.

        Many rows fill the machine alone, unless a setting says how many are built at a time.
        """
        with self.timer.phase("plan"):
            stage = self._plan(product, self.state, self.request)
        if stage.idle:
            return 0
        lost = self.context is not None and lost_exit_code() is not None
        if lost and not alone:
            return self.slots
        if self.context is None or lost:
            # Not in the turns: a session is started once, by the main thread.
            with self.timer.phase("session"):
                self.context = self._start()
        few = self.state.rows_of(Plan((stage,)).inputs()) < FEW_ROWS
        return 1 if few or self.lake.settings.parallel_products else self.slots

    def _ended(self, product: str, turn: _Done) -> None:
        self.state = self.state.with_rows(turn.rows)
        self.turns[product] = turn

    def _start(self) -> Context:
        from pipelines.engine.preparation import Context
        from pipelines.engine.session import spark_session
        from quality.gx import warm

        self.on_progress(Event("session", "spark", ()))
        # Importing Great Expectations takes seconds that pass while the JVM starts.
        Thread(target=warm, daemon=True).start()
        rows = self.state.rows_of(make_plan(self.request, self.state).inputs())
        return Context(
            settings=self.lake.settings,
            catalogue=self.lake.catalogue,
            graph=self.lake.graph,
            calendar=self.lake.calendar,
            spark=spark_session(self.lake.settings, rows),
            run_id=self.run_id,
            decisions=standing(self.state.decisions),
            now=self.now,
        )

    def _plan(self, product: str, state: State, request: Request) -> ProductPlan:
        done = [turn.last for turn in tuple(self.turns.values()) if turn.last is not None]
        return plan_product(product, request, state, done)

    def _turn(self, product: str) -> _Done:
        """Everything one product needs; planned again after each batch."""
        turn = _Done()
        request, state = self.request, self.state
        for _ in range(ROUNDS):
            stage = self._plan(product, state, request)
            turn.last = stage
            if stage.idle and not request.force:
                break
            if stage.idle:
                request = replace(self.request, force=False)
                continue
            rebuild = bool(stage.will_run)
            todo = stage.will_run or stage.judge_again
            batch = self._next(product, [p for p in todo if p.interval not in turn.broken], turn)
            if not batch or self._stopping():
                break
            rows, go_on = self._batch(product, state, batch, rebuild, turn)
            state = state.with_rows(rows)
            turn.rows += rows
            if not go_on:
                break
            if request.force and rows:
                request = self._after(batch, stage)
        if turn.last is not None:
            turn.rows += self._told(product, state, turn.last)
        return turn

    def _after(self, batch: Sequence[Planned], stage: ProductPlan) -> Request:
        """Forced intervals are done once: what comes after them is still forced, nothing else."""
        done = batch[-1].interval
        following = {p.interval for p in (*stage.will_run, *stage.may_run)}
        later = [i for i in (*following, *(h.interval for h in stage.held)) if i > done]
        if not later:
            return replace(self.request, force=False)
        return replace(
            self.request, dates=(date.fromisoformat(min(later)), date.fromisoformat(max(later)))
        )

    def _next(self, product: str, planned: Sequence[Planned], turn: _Done) -> tuple[Planned, ...]:
        """The next batch: one interval where a product reads its own past, else up to twenty."""
        return tuple(planned[: 1 if self._own_past(product) else turn.size])

    def _own_past(self, product: str) -> bool:
        reads = self.lake.graph.nodes[product].reads
        return any(r.how == "previous" and r.product == product for r in reads)

    def _batch(
        self,
        product: str,
        state: State,
        batch: tuple[Planned, ...],
        rebuild: bool,
        turn: _Done,
    ) -> tuple[list[IntervalRow], bool]:
        """The batch's ledger rows, none when it is to be tried in smaller ones; go on or not?"""
        from pipelines.engine.batch import build
        from pipelines.engine.rejudge import judge_again

        intervals = tuple(p.interval for p in batch)
        assert self.context is not None
        self.on_progress(Event("begin", product, intervals))
        began = self.now()
        try:
            step = build if rebuild else judge_again
            outcome = step(self.context, state, product, batch)
        except Exception as broken:
            code = lost_exit_code(patience=5.0) if from_jvm(broken) else None
            error = broken if code is None else SparkLostError(product, intervals[0], code)
            turn.in_vain += 1
            # Our own errors are about the product (its columns, its lock), not about one interval.
            whole = isinstance(error, ExlakeError) or turn.in_vain >= IN_VAIN
            if len(batch) > 1 and not whole:
                turn.size = len(batch) // 2
                self.on_progress(Event("split", product, intervals, str(error)))
                return [], True
            turn.failures.append(Failure(product, intervals, error))
            self.on_progress(Event("failed", product, intervals, str(error)))
            turn.broken |= set(intervals)
            # What comes after a broken interval may build on it: a later run tries again.
            go_on = not (whole or self._own_past(product))
            return [self._failed(state, product, plan, error) for plan in batch], go_on
        turn.size, turn.in_vain = min(BATCH_INTERVALS, 2 * turn.size), 0
        turn.outcomes.append(outcome)
        seconds = (self.now() - began).total_seconds()
        said = ", ".join(sorted({row.state for row in outcome.rows}))
        self.on_progress(Event("end", product, intervals, said, seconds))
        return list(outcome.rows), True

    def _failed(self, state: State, product: str, plan: Planned, error: Exception) -> IntervalRow:
        node = self.lake.graph.nodes[product]
        version = node.job.version if node.job else 0
        stamp = Stamp(
            self.run_id, f"{self.run_id}-{product}-failed", node.contract, version, self.now()
        )
        return failed_row(stamp, plan, state.record(product, plan.interval), error)

    def _told(self, product: str, state: State, stage: ProductPlan) -> list[IntervalRow]:
        """Ledger rows without a build: newly held intervals, and states that are out of date."""
        rows = []
        for held in (h for h in stage.held if not h.recorded):
            record = state.record(product, held.interval)
            plan = Planned(held.interval, (Reason("upstream", held.because),))
            base = record.latest if record else self._failed(state, product, plan, RuntimeError())
            rows.append(held_row(base, held, self.run_id, self.now()))
        for restated in stage.restated:
            record = state.record(product, restated.interval)
            last = (record.attempt or record.published) if record else None
            if last is not None:
                rows.append(restated_row(last, restated, self.run_id, self.now()))
        return rows

    def _record(
        self,
        started: datetime,
        rows: Sequence[IntervalRow],
        outcomes: Sequence[BatchOutcome],
        failures: Sequence[Failure],
    ) -> None:
        """Append every ledger once. A run that did nothing leaves no trace."""
        if not rows:
            return
        ended, dates = self.now(), self.request.dates
        lineage = [
            line
            for o in outcomes
            for row in o.rows
            for line in lineage_of(row, o.input_versions, ended, o.batch_id)
        ]
        first = failures[0].error if failures else None
        reach("before-ledger")
        # Intervals go after what describes them: once they are there, nothing is repaired.
        self.lake.ledgers.append(
            (RESULT, [row for o in outcomes for row in o.results]), (LINEAGE, lineage)
        )
        self.lake.ledgers.append((INTERVAL, rows))
        self.lake.ledgers.append(
            (
                RUN,
                [
                    RunRow(
                        run_id=self.run_id,
                        status="failed" if failures else "succeeded",
                        command=self.command,
                        at=ended,
                        flow=self.flow,
                        products=",".join(sorted({row.product for row in rows})),
                        dates=f"{dates[0]}..{dates[1]}" if dates else None,
                        intervals_run=len(rows),
                        seconds=(ended - started).total_seconds(),
                        error_code=getattr(first, "code", type(first).__name__) if first else None,
                        message=str(first) if first else None,
                    )
                ],
            ),
        )
