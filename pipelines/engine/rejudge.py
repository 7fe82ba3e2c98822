"""Judge stored intervals again: other rules, or other content of what rules read.

Nothing is rebuilt and no row moves. A published interval that fails now stays readable, flagged,
until a steward or a correction frees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from contracts.model import ROW_KINDS
from pipelines.engine.held import DataFile
from pipelines.engine.ledger_rows import result_rows
from pipelines.engine.plan import Planned
from pipelines.engine.preparation import BatchOutcome, Context, Preparation, prepare
from pipelines.engine.quarantine import put_aside
from pipelines.engine.rows import IntervalRow, IntervalState
from pipelines.engine.state import State
from pipelines.engine.tables import interval_column_of, open_table
from pipelines.engine.timer import Timer
from quality.decisions import MOVING
from quality.flags import broken_counts, flag
from quality.gate import decide
from quality.measure import measure
from quality.outcome import Verdict
from quality.results import row_results

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def judge_again(
    context: Context, state: State, product: str, planned: Sequence[Planned]
) -> BatchOutcome:
    """Judge the stored files of these intervals with today's rules; publish nothing."""
    timer = Timer()
    ready = prepare(context, state, product, planned, timer)
    contract, auditor = ready.contract, ready.auditor
    table = open_table(context.settings.storage, product, interval_column_of(contract))
    intervals = tuple(p.interval for p in planned)
    files = [DataFile(f.path, f.interval, f.rows, 0) for f in table.of(set(intervals))]
    with timer.phase("audit"):
        frame = auditor.files(files)
        measured = measure(frame, contract, auditor.rules.in_row, intervals)
        counts = auditor.count(files, measured)
        kept = _kept(ready, frame)
        # What was built and put aside still counts where rules judge what was delivered.
        aside = put_aside(
            context.spark,
            context.settings.storage,
            contract,
            [_stored(state, product, interval) for interval in intervals],
        )
        tables = [
            auditor.table_results(files, "built", planned, aside),
            auditor.table_results(files, "accepted", planned),
        ]
    rows: list[IntervalRow] = []
    verdicts: list[Verdict] = []
    for plan in planned:
        interval = plan.interval
        stored = _stored(state, product, interval)
        results = [
            *row_results(
                contract,
                interval,
                measured[interval],
                counts.rows.get(interval, {}),
                counts.expectations.get(interval, {}),
                declared=auditor.declared,
            ),
            *(r for found in tables for r in found[interval]),
        ]
        built = measured[interval].rows
        # Rows that fail here are readable already: none was moved, so none is "quarantined".
        verdict = decide(
            product, interval, contract, results, ready.decisions, built, built, 0,
            released=kept.get(interval),
        )  # fmt: skip
        verdicts.append(verdict)
        rows.append(_row(stored, plan, verdict, ready, kept.get(interval, {})))
    return BatchOutcome(
        product=product,
        batch_id=ready.batch_id,
        rows=tuple(rows),
        results=tuple(
            row
            for plan, verdict in zip(planned, verdicts, strict=True)
            for row in result_rows(ready.stamp, plan, verdict)
        ),
        verdicts=tuple(verdicts),
        version=None,
        input_versions=ready.reader.versions,
        seconds=dict(timer.seconds),
    )


def _stored(state: State, product: str, interval: str) -> IntervalRow:
    """What readers see of an interval; only what was published is judged again."""
    stored = state.records[product][interval].published
    assert stored is not None, f"{product} {interval} was never published"
    return stored


def _kept(ready: Preparation, frame: DataFrame) -> dict[str, dict[str, int]]:
    """Failing rows per interval and rule that releases keep: they were published on purpose."""
    if not any(d.kind == "release" for d in ready.decisions):
        return {}
    flagged = flag(
        frame,
        ready.auditor.rules.checks,
        ready.auditor.views([c.rule for c in ready.auditor.rules.wide]),
        ready.contract.key,
        ready.contract.interval_column,
        decisions=ready.decisions,
        product=ready.product,
    )
    return broken_counts(flagged, ready.contract.interval_column, accepted_only=True)


def _failing(verdict: Verdict, kept: Mapping[str, int]) -> Iterator[str]:
    """Rules that published rows break now: a build would have put these rows aside."""
    for r in verdict.results:
        rows = (r.failing or 0) - kept.get(r.rule_id, 0)
        moving = r.severity in MOVING and r.kind in ROW_KINDS and r.decision_id is None
        if not verdict.publishes and r.outcome == "failed" and moving and rows > 0:
            yield f"{r.rule_id} ({r.severity}): {rows} published rows fail it now"


def _row(
    stored: IntervalRow,
    plan: Planned,
    verdict: Verdict,
    ready: Preparation,
    kept: Mapping[str, int],
) -> IntervalRow:
    clean: IntervalState = "quarantine" if stored.quarantined else "published"
    return replace(
        stored,
        state=clean if verdict.publishes else "flagged",
        run_id=ready.context.run_id,
        batch_id=stored.batch_id,
        rules_fingerprint=plan.rules_fingerprint,
        rule_inputs=plan.rule_inputs,
        partial=plan.partial,
        incomplete_because=plan.incomplete_because,
        reasons=(*verdict.reasons, *_failing(verdict, kept)),
        committed_at=ready.context.now(),
        contract_version=ready.contract.version,
        sequence=0,
    )
