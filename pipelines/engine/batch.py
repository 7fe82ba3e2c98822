"""One batch: build the intervals of a product, hold them, judge them, publish what passes.

The order of durable steps is: files written (invisible), dirty files rewritten (invisible),
quarantine written (does not count yet), one commit whose metadata is the authority. Ledgers are
appended by the run and repaired from that metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from contracts.model import Contract, is_null_at
from pipelines.engine.conform import LINEAGE
from pipelines.engine.decisions import patched
from pipelines.engine.evolve import evolve
from pipelines.engine.faults import reach
from pipelines.engine.held import DataFile, HeldWrite, hold
from pipelines.engine.held_errors import LostRowsError, SchemaMismatchError
from pipelines.engine.job import Inputs
from pipelines.engine.jvm_lock import jvm_locked
from pipelines.engine.ledger_rows import interval_row, repeats, result_rows
from pipelines.engine.locks import lock_path
from pipelines.engine.metadata import CommitMetadata, dump
from pipelines.engine.plan import Planned
from pipelines.engine.preparation import BatchOutcome, Context, Preparation, prepare
from pipelines.engine.quarantine import append, rejected_rows
from pipelines.engine.rewrite import Cleaned, clean
from pipelines.engine.rows import BEGINNING, END, IntervalRow
from pipelines.engine.stored import stored_columns
from pipelines.engine.tables import open_table, read
from pipelines.engine.timer import Timer
from quality.flags import REJECTED
from quality.gate import decide
from quality.measure import failing_by_interval, observe, read_measures, unplaced
from quality.outcome import Measured, Verdict
from quality.results import row_results

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.engine.state import State


def build(
    context: Context,
    state: State,
    product: str,
    planned: Sequence[Planned],
    *,
    publish: bool = True,
) -> BatchOutcome:
    """Build, judge and (unless ``publish`` is False) publish intervals of one product.

    A table whose contract renames or widens columns is rewritten first. Raises
    SchemaChangeRefusedError, SchemaMismatchError, LostRowsError, ConcurrentWriteError or
    LockHeldError; nothing is published then. A blocked interval is not an error: it is in the
    outcome's rows.
    """
    wait = context.settings.lock_wait_seconds
    lock = lock_path(context.settings.locks, product)
    timer = Timer()
    with jvm_locked(context.spark, lock, wait_seconds=wait):
        with timer.phase("prepare"):
            evolve(context.spark, context.catalogue[product], context.settings.table(product))
        return _Batch(prepare(context, state, product, planned, timer)).run(publish)


class _Batch:
    """The steps of one batch, in order."""

    def __init__(self, ready: Preparation) -> None:
        self.ready, self.context, self.state = ready, ready.context, ready.state
        self.product, self.planned, self.intervals = ready.product, ready.planned, ready.intervals
        self.contract, self.auditor, self.decisions = ready.contract, ready.auditor, ready.decisions
        self.timer = ready.timer

    def run(self, publish: bool) -> BatchOutcome:
        """Carry out every step; drop the files when anything raises."""
        with self.timer.phase("write"):
            held, measured = self._hold()
        reach("files-written")
        try:
            outcome = self._judge_and_publish(held, measured, publish)
        except BaseException:
            held.drop()
            raise
        return outcome

    def _hold(self) -> tuple[HeldWrite, dict[str, Measured]]:
        from pyspark.sql import Observation

        with self.timer.phase("job"):
            frame = self._built()
        observation = Observation()
        checks = self.auditor.rules.in_row
        observed = observe(frame, self.contract, checks, self.intervals, observation)
        held = hold(
            self.context.spark,
            observed,
            self.ready.table,
            product=self.product,
            interval_column=self.contract.interval_column,
            intervals=self.intervals,
            staging=self.context.settings.home / "spark" / "staging",
            force_staged=self.context.settings.commit == "staged",
            adds_columns=self._adds_columns(),
        )
        try:
            measured = self._measured(observation.get, held)
            check_rows(self.product, measured, held.files)
        except BaseException:
            held.drop()
            raise
        return held, measured

    def _measured(self, figures: Mapping[str, Any], held: HeldWrite) -> dict[str, Measured]:
        """The write's figures; of rules that fail, the files tell in which intervals."""
        checks = self.auditor.rules.in_row
        failing = unplaced(figures, checks, self.intervals)
        placed: Mapping[str, Mapping[str, int]] = {}
        if failing:
            with self.timer.phase("audit"):
                failed = [check for check in checks if check.rule.id in failing]
                rows = self.auditor.files(held.files)
                placed = failing_by_interval(rows, self.contract, failed, self.intervals)
            for rule_id, observed in failing.items():
                found = sum(counts[rule_id] for counts in placed.values())
                if found != observed:
                    raise LostRowsError(self.product, observed, found, f"failing {rule_id}")
        return read_measures(figures, self.contract, checks, self.intervals, placed)

    def _built(self) -> DataFrame:
        """What the job makes of its inputs, in the contract's columns: a plan, no rows yet."""
        frame = self.ready.job.load()(
            Inputs(
                spark=self.context.spark,
                intervals=self.intervals,
                contract=self.contract,
                catalogue=self.context.catalogue,
                calendar=self.context.calendar,
                declared=self.ready.job.inputs,
                reader=self.ready.reader.frame,
            )
        )
        check_schema(frame, self.contract)
        frame = added_later(frame, self.contract, self.intervals)
        return patched(frame, self.contract, self.decisions)

    def _adds_columns(self) -> bool:
        """True when the contract promises columns that the stored table lacks."""
        stored = stored_columns(self.ready.table)
        return stored is not None and bool(
            {c.name for c in self.contract.columns} - {name for name, _ in stored}
        )

    def _judge_and_publish(
        self, held: HeldWrite, measured: dict[str, Measured], publish: bool
    ) -> BatchOutcome:
        with self.timer.phase("audit"):
            counts = self.auditor.count(held.files, measured)
            built = self.auditor.table_results(held.files, "built", self.planned)
            results = {
                interval: [
                    *row_results(
                        self.contract,
                        interval,
                        measured[interval],
                        counts.rows.get(interval, {}),
                        counts.expectations.get(interval, {}),
                        declared=self.auditor.declared,
                    ),
                    *built[interval],
                ]
                for interval in self.intervals
            }
        with self.timer.phase("rewrite"):
            cleaned = clean(self.ready, held, measured, results)
        with self.timer.phase("audit"):
            last = self.auditor.table_results(held.files, "accepted", self.planned)
        for interval in self.intervals:
            results[interval] += last[interval]
        verdicts = {
            interval: decide(
                self.product,
                interval,
                self.contract,
                results[interval],
                self.decisions,
                measured[interval].rows,
                measured[interval].rows - cleaned.removed[interval],
                cleaned.removed[interval],
                released=cleaned.released.get(interval),
                remaining=cleaned.remaining.get(interval, {})
                if cleaned.removed[interval]
                else None,
            )
            for interval in self.intervals
        }
        reach("verdict")
        return self._publish(held, cleaned, verdicts, publish)

    def _publish(
        self,
        held: HeldWrite,
        cleaned: Cleaned,
        verdicts: Mapping[str, Verdict],
        publish: bool,
    ) -> BatchOutcome:
        plans = {p.interval: p for p in self.planned}
        before = self.state.records.get(self.product, {})
        rows: dict[str, IntervalRow] = {}
        changed: list[str] = []
        again: set[str] = set()
        for interval, verdict in verdicts.items():
            record = before.get(interval)
            stored = record.published if record else None
            content = cleaned.accepted[interval].fingerprint
            if verdict.publishes and (stored is None or stored.fingerprint != content):
                changed.append(interval)
            row = interval_row(self.ready.stamp, plans[interval], verdict, content, stored)
            if record and record.attempt and repeats(row, record.attempt):
                # The evidence of the earlier batch is the evidence of this one.
                row = replace(row, batch_id=record.attempt.batch_id)
                again.add(interval)
            rows[interval] = row
        # What is published is what was accepted, to the row, whatever moved the others.
        kept = [file for file in held.files if file.interval in changed]
        check_rows(self.product, {i: cleaned.accepted[i] for i in changed}, kept)
        if cleaned.flagged is not None:
            with self.timer.phase("quarantine"):
                if publish:
                    fresh = {i: v for i, v in verdicts.items() if i not in again}
                    self._quarantine(cleaned.flagged, fresh)
                cleaned.flagged.unpersist()
        if self.contract.scd2 and changed:
            with self.timer.phase("changes"):
                rows["all"] = self._with_change(rows["all"], held.files)
        results = tuple(
            row
            for i in self.intervals
            for row in result_rows(self.ready.stamp, plans[i], verdicts[i])
        )
        version: int | None = None
        with self.timer.phase("commit"):
            if not publish:
                held.drop()
            else:
                metadata = CommitMetadata(
                    run_id=self.context.run_id,
                    batch_id=self.ready.batch_id,
                    product=self.product,
                    intervals=tuple(rows[i] for i in changed),
                    results=tuple(r for r in results if r.interval in changed),
                )
                version = held.commit(changed, dump(metadata))
        for interval in changed:
            rows[interval] = replace(rows[interval], delta_version=version)
        return BatchOutcome(
            product=self.product,
            batch_id=self.ready.batch_id,
            rows=tuple(rows[i] for i in self.intervals),
            results=results,
            verdicts=tuple(verdicts[i] for i in self.intervals),
            version=version,
            input_versions=self.ready.reader.versions,
            seconds=dict(self.timer.seconds),
        )

    def _quarantine(self, flagged: DataFrame, verdicts: Mapping[str, Verdict]) -> None:
        from pyspark.sql import functions as F

        from quality.sets import interval_text

        states = {
            i: "quarantined" if v.publishes else "blocked"
            for i, v in verdicts.items()
            if v.quarantined
        }
        if not states:
            return
        here = interval_text(self.contract.interval_column).isin(sorted(states))
        rejected = flagged.where(F.col(REJECTED) & here)
        append(
            rejected_rows(
                rejected,
                self.contract,
                batch_id=self.ready.batch_id,
                run_id=self.context.run_id,
                states=states,
                originals=self._originals(rejected),
            ),
            self.context.settings.storage.quarantine(self.product),
        )
        reach("quarantine-written")

    def _originals(self, rejected: DataFrame) -> tuple[DataFrame, ...]:
        """The bronze rows behind the rejected ones, as delivered, per source."""
        sources = [r for r in self.ready.job.inputs if r.product.startswith("bronze.")]
        if not set(LINEAGE) <= set(rejected.columns):
            return ()
        keys = rejected.select(*LINEAGE).distinct()
        frames = (self.ready.reader.frame(source) for source in sources)
        return tuple(frame.join(keys, list(LINEAGE), "left_semi") for frame in frames)

    def _with_change(self, row: IntervalRow, files: Sequence[DataFile]) -> IntervalRow:
        """Record which business dates read differently now (see DESIGN's dimensions)."""
        from pipelines.engine.dimensions import CHAIN_COLUMNS, changed_range

        stored = open_table(self.context.settings.storage, self.product, None)
        old = read(self.context.spark, self.contract, stored)
        key = [name for name in self.contract.key if name not in CHAIN_COLUMNS]
        attributes = [
            c.name for c in self.contract.business_columns if c.name not in (*key, *CHAIN_COLUMNS)
        ]
        found = changed_range(old, self.auditor.files(files), key=key, attributes=attributes)
        if found is None:
            return row
        from datetime import timedelta

        last = END if found.until is None else found.until - timedelta(days=1)
        return replace(row, changed_from=max(found.first, BEGINNING), changed_to=last)


def check_schema(frame: DataFrame, contract: Contract) -> None:
    """Raise SchemaMismatchError unless the frame has the contract's columns, types and order."""
    expected = [f"{c.name} {c.type}".lower() for c in contract.columns]
    actual = [f"{name} {kind}".lower() for name, kind in frame.dtypes]
    if expected != actual:
        raise SchemaMismatchError(contract.product, expected, actual)


def added_later(frame: DataFrame, contract: Contract, intervals: Sequence[str]) -> DataFrame:
    """The frame with columns null in the intervals before they were added, as declared.

    An interval built again then equals one that was built before the column existed.
    """
    column = contract.interval_column
    if column is None or not any(is_null_at(c, i) for c in contract.columns for i in intervals):
        return frame
    return frame.selectExpr(
        *(
            f"CAST(IF(`{column}` < DATE'{c.null_before}', NULL, `{c.name}`) AS {c.type})"
            f" AS `{c.name}`"
            if c.null_before
            else f"`{c.name}`"
            for c in contract.columns
        )
    )


def check_rows(product: str, measured: Mapping[str, Measured], files: Sequence[DataFile]) -> None:
    """Raise LostRowsError unless the files hold exactly the rows that were measured."""
    observed = sum(m.rows for m in measured.values())
    in_files = sum(f.rows for f in files)
    if observed != in_files:
        raise LostRowsError(product, observed, in_files)
