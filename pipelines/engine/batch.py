"""One batch: build the intervals of a product, hold them, judge them, publish what passes.

The order of durable steps is: files written (invisible), dirty files rewritten (invisible),
quarantine written (does not count yet), one commit whose metadata is the authority. Ledgers are
appended by the run and repaired from that metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from contracts.model import Contract
from pipelines.engine.conform import LINEAGE
from pipelines.engine.decisions import patched
from pipelines.engine.held import DataFile, HeldWrite, LostRowsError, SchemaMismatchError, hold
from pipelines.engine.job import Inputs
from pipelines.engine.jvm_lock import jvm_locked
from pipelines.engine.ledger_rows import interval_row, result_rows
from pipelines.engine.locks import lock_path
from pipelines.engine.metadata import CommitMetadata, dump
from pipelines.engine.plan import Planned
from pipelines.engine.preparation import BatchOutcome, Context, Preparation, Timer, prepare
from pipelines.engine.quarantine import append, quarantine_path, rejected_rows
from pipelines.engine.rows import BEGINNING, END, IntervalRow
from pipelines.engine.tables import open_table, read
from quality.flags import REJECTED, broken_counts, flag
from quality.gate import decide
from quality.measure import measure, observe, read_measures
from quality.outcome import Measured, RuleResult, Verdict
from quality.results import row_results

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.engine.state import State

MOVING = ("error", "critical")


def build(
    context: Context,
    state: State,
    product: str,
    planned: Sequence[Planned],
    *,
    publish: bool = True,
) -> BatchOutcome:
    """Build, judge and (unless ``publish`` is False) publish intervals of one product.

    Raises SchemaMismatchError, LostRowsError, ConcurrentWriteError or LockHeldError; nothing is
    published then. A blocked interval is not an error: it is in the outcome's rows.
    """
    wait = context.settings.lock_wait_seconds
    lock = lock_path(context.settings.locks, product)
    with jvm_locked(context.spark, lock, wait_seconds=wait):
        return _Batch(prepare(context, state, product, planned)).run(publish)


class _Batch:
    """The steps of one batch, in order."""

    def __init__(self, ready: Preparation) -> None:
        self.ready, self.context, self.state = ready, ready.context, ready.state
        self.product, self.planned, self.intervals = ready.product, ready.planned, ready.intervals
        self.contract, self.auditor, self.decisions = ready.contract, ready.auditor, ready.decisions
        self.timer = Timer()

    def run(self, publish: bool) -> BatchOutcome:
        """Carry out every step; drop the files when anything raises."""
        with self.timer.phase("write"):
            held, measured = self._hold()
        try:
            outcome = self._judge_and_publish(held, measured, publish)
        except BaseException:
            held.drop()
            raise
        return outcome

    def _hold(self) -> tuple[HeldWrite, dict[str, Measured]]:
        from pyspark.sql import Observation

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
        frame = patched(frame, self.contract, self.decisions)
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
        )
        try:
            measured = read_measures(observation.get, self.contract, checks, self.intervals)
            check_rows(self.product, measured, held.files)
        except BaseException:
            held.drop()
            raise
        return held, measured

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
        accepted = dict(measured)
        removed = dict.fromkeys(self.intervals, 0)
        released: dict[str, dict[str, int]] = {}
        remaining: dict[str, dict[str, int]] = {}
        flagged = None
        if self._moves(results):
            with self.timer.phase("rewrite"):
                flagged = self._flag(held.files)
                removed |= self._rejected(flagged)
                certain = {
                    interval
                    for interval in self.intervals
                    if self._blocks_already(
                        interval, results[interval], measured[interval].rows, removed[interval]
                    )
                }
                accepted, released, remaining = self._rewrite(
                    held, flagged, measured, removed, certain
                )
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
                measured[interval].rows - removed[interval],
                removed[interval],
                released=released.get(interval),
                remaining=remaining.get(interval, {}) if removed[interval] else None,
            )
            for interval in self.intervals
        }
        return self._publish(held, accepted, verdicts, flagged, publish)

    def _moves(self, results: Mapping[str, Sequence[RuleResult]]) -> bool:
        """True when any row may have to leave the batch; waivers are looked at later."""
        if any(d.kind == "rejection" for d in self.decisions):
            return True
        moving = {c.rule.id for c in self.auditor.rules.checks if c.rule.severity in MOVING}
        return any(
            r.rule_id in moving and (r.failing or 0) > 0
            for found in results.values()
            for r in found
        )

    def _flag(self, files: Sequence[DataFile]) -> DataFrame:
        from pyspark.sql import functions as F

        rows = self.auditor.files(files).withColumn(
            "__file", F.element_at(F.split(F.input_file_name(), "/"), -1)
        )
        flagged = flag(
            rows,
            self.auditor.rules.checks,
            self.auditor.views([c.rule for c in self.auditor.rules.wide]),
            self.contract.key,
            self.contract.interval_column,
            decisions=self.decisions,
            product=self.product,
        )
        return flagged.persist()

    def _rejected(self, flagged: DataFrame) -> dict[str, int]:
        from quality.sets import interval_text

        rows = (
            flagged.where(REJECTED)
            .groupBy(interval_text(self.contract.interval_column).alias("interval"))
            .count()
            .collect()
        )
        return {row["interval"]: int(row["count"]) for row in rows}

    def _blocks_already(
        self, interval: str, results: Sequence[RuleResult], built: int, removed: int
    ) -> bool:
        """True when the verdict is to block whatever the accepted rows turn out to be."""
        judged = {r.rule_id for r in results}
        contract = self.contract.model_copy(
            update={"rules": tuple(r for r in self.contract.rules if r.id in judged)}
        )
        verdict = decide(
            self.product, interval, contract, results, self.decisions,
            built, built - removed, removed, remaining={},
        )  # fmt: skip
        return not verdict.publishes

    def _rewrite(
        self,
        held: HeldWrite,
        flagged: DataFrame,
        measured: Mapping[str, Measured],
        removed: Mapping[str, int],
        certain: set[str],
    ) -> tuple[dict[str, Measured], dict[str, dict[str, int]], dict[str, dict[str, int]]]:
        """Rewrite the files that hold rejected rows; measure and check what is left."""
        from pyspark.sql import functions as F

        names = {
            row["__file"] for row in flagged.where(REJECTED).select("__file").distinct().collect()
        }
        dirty = [
            f.path
            for f in held.files
            if f.path.rsplit("/", 1)[-1] in names and f.interval not in certain
        ]
        columns = [c.name for c in self.contract.columns]
        kept = broken_counts(flagged, self.contract.interval_column, accepted_only=True)
        if dirty:
            stay = flagged.where(
                ~F.col(REJECTED) & F.col("__file").isin([d.rsplit("/", 1)[-1] for d in dirty])
            )
            held.rewrite(dirty, stay.select(*columns))
        touched = [i for i in self.intervals if removed[i] and i not in certain]
        files = [f for f in held.files if f.interval in touched]
        accepted = dict(measured)
        remaining: dict[str, dict[str, int]] = {}
        released = {
            interval: {i: n for i, n in ids.items() if self._is_moving(i) and not self._waived(i)}
            for interval, ids in kept.items()
        }
        if touched:
            frame = self.auditor.files(files)
            accepted |= measure(frame, self.contract, self.auditor.rules.in_row, touched)
            again = self.auditor.tally_wide(frame)
            for interval in touched:
                found = {**accepted[interval].failing, **again.get(interval, {})}
                remaining[interval] = {
                    rule: count - kept.get(interval, {}).get(rule, 0)
                    for rule, count in found.items()
                    if self._is_moving(rule)
                }
        return accepted, released, remaining

    def _is_moving(self, rule_id: str) -> bool:
        return any(
            c.rule.id == rule_id and c.rule.severity in MOVING for c in self.auditor.rules.checks
        )

    def _waived(self, rule_id: str) -> bool:
        return any(d.kind == "waiver" and d.rule_id == rule_id for d in self.decisions)

    def _publish(
        self,
        held: HeldWrite,
        accepted: Mapping[str, Measured],
        verdicts: Mapping[str, Verdict],
        flagged: DataFrame | None,
        publish: bool,
    ) -> BatchOutcome:
        plans = {p.interval: p for p in self.planned}
        before = self.state.records.get(self.product, {})
        rows: dict[str, IntervalRow] = {}
        changed: list[str] = []
        for interval, verdict in verdicts.items():
            record = before.get(interval)
            stored = record.published if record else None
            same = stored is not None and stored.fingerprint == accepted[interval].fingerprint
            if verdict.publishes and not same:
                changed.append(interval)
            rows[interval] = interval_row(
                self.ready.stamp, plans[interval], verdict, accepted[interval].fingerprint, stored
            )
        if publish and flagged is not None:
            with self.timer.phase("quarantine"):
                self._quarantine(flagged, verdicts)
        if flagged is not None:
            flagged.unpersist()
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
        states = {i: "quarantined" if v.publishes else "blocked" for i, v in verdicts.items()}
        rejected = flagged.where(REJECTED)
        if not any(v.quarantined for v in verdicts.values()):
            return
        append(
            rejected_rows(
                rejected,
                self.contract,
                batch_id=self.ready.batch_id,
                run_id=self.context.run_id,
                states=states,
                originals=self._originals(rejected),
            ),
            quarantine_path(self.context.settings.home, self.product),
        )

    def _originals(self, rejected: DataFrame) -> DataFrame | None:
        """The bronze rows behind the rejected ones, as delivered."""
        sources = [r for r in self.ready.job.inputs if r.product.startswith("bronze.")]
        if not sources or not set(LINEAGE) <= set(rejected.columns):
            return None
        keys = rejected.select(*LINEAGE).distinct()
        frame = self.ready.reader.frame(sources[0])
        found: DataFrame = frame.join(keys, list(LINEAGE), "left_semi")
        return found

    def _with_change(self, row: IntervalRow, files: Sequence[DataFile]) -> IntervalRow:
        """Record which business dates read differently now (see DESIGN's dimensions)."""
        from pipelines.engine.dimensions import CHAIN_COLUMNS, changed_range

        stored = open_table(self.context.settings.home, self.product, None)
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


def check_rows(product: str, measured: Mapping[str, Measured], files: Sequence[DataFile]) -> None:
    """Raise LostRowsError unless the files hold exactly the rows that the write observed."""
    observed = sum(m.rows for m in measured.values())
    in_files = sum(f.rows for f in files)
    if observed != in_files:
        raise LostRowsError(product, observed, in_files)
