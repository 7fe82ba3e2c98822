"""What judging one product needs, made ready once: rules, inputs, decisions, the stamp of rows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from contracts.model import Contract
from pipelines.engine.audit import Auditor, compiled
from pipelines.engine.decisions import of_product
from pipelines.engine.inputs import InputReader
from pipelines.engine.job import Job
from pipelines.engine.ledger_rows import Stamp
from pipelines.engine.plan import Planned
from pipelines.engine.rows import IntervalRow, ResultRow
from pipelines.engine.table_audit import TableAudit
from pipelines.engine.timer import Timer
from quality.decisions import counting
from quality.outcome import Decision, Verdict
from quality.results import Declared

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from contracts.catalogue import Catalogue
    from pipelines.engine.calendar import TradingCalendar
    from pipelines.engine.graph import Graph
    from pipelines.engine.place import Place
    from pipelines.engine.settings import Settings
    from pipelines.engine.state import State


@dataclass(frozen=True)
class Context:
    """What every batch of one run shares."""

    settings: Settings
    catalogue: Catalogue
    graph: Graph
    calendar: TradingCalendar
    spark: SparkSession
    run_id: str
    decisions: tuple[Decision, ...]
    now: Callable[[], datetime]


@dataclass(frozen=True)
class BatchOutcome:
    """What became of one batch: ledger rows, verdicts and where the seconds went."""

    product: str
    batch_id: str
    rows: tuple[IntervalRow, ...]
    results: tuple[ResultRow, ...]
    verdicts: tuple[Verdict, ...]
    version: int | None
    input_versions: Mapping[str, int]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Preparation:
    """One product's intervals, ready to be built or judged."""

    context: Context
    state: State
    product: str
    planned: tuple[Planned, ...]
    contract: Contract
    job: Job
    batch_id: str
    table: Place
    decisions: tuple[Decision, ...]
    reader: InputReader
    auditor: Auditor
    stamp: Stamp
    timer: Timer

    @property
    def intervals(self) -> tuple[str, ...]:
        """The planned intervals, oldest first."""
        return tuple(p.interval for p in self.planned)


def prepare(
    context: Context, state: State, product: str, planned: Sequence[Planned], timer: Timer
) -> Preparation:
    """Compile the rules, pin the inputs (lazily) and pick the decisions of one product."""
    with timer.phase("prepare"):
        return _prepared(context, state, product, planned, timer)


def _prepared(
    context: Context, state: State, product: str, planned: Sequence[Planned], timer: Timer
) -> Preparation:
    contract = context.catalogue[product]
    job = context.graph.nodes[product].job
    assert job is not None, f"{product} is landed, not built"
    intervals = tuple(p.interval for p in planned)
    batch_id = f"{context.run_id}-{product}-{uuid.uuid4().hex[:8]}"
    reader = InputReader(
        context.spark,
        context.settings.storage,
        context.catalogue,
        context.calendar,
        lambda bronze: state.deliveries.get(bronze, {}),
        intervals,
    )
    tables = TableAudit(
        contract,
        context.catalogue,
        context.calendar,
        state,
        tuple(r.product for r in job.inputs if r.product.startswith("bronze.")),
        context.now(),
    )
    declared = _declared(contract, tables, intervals)
    rules = compiled(contract, context.catalogue).without(frozenset(declared))
    table = context.settings.table(product)
    return Preparation(
        context=context,
        state=state,
        product=product,
        planned=tuple(planned),
        contract=contract,
        job=job,
        batch_id=batch_id,
        table=table,
        decisions=counting(of_product(context.decisions, product, intervals), contract),
        reader=reader,
        auditor=Auditor(context.settings, rules, reader, table, tables, declared, timer),
        stamp=Stamp(context.run_id, batch_id, contract, job.version, context.now()),
        timer=timer,
    )


def _declared(
    contract: Contract, tables: TableAudit, intervals: Sequence[str]
) -> dict[str, Declared]:
    """Row rules whose optional input is there for none of these intervals."""
    found: dict[str, Declared] = {}
    for rule in contract.rules:
        if not rule.is_row_rule or not any(read.optional for read in rule.reads):
            continue
        known = [tables.absent(rule, interval) for interval in intervals]
        if known and known[0] is not None and all(known):
            found[rule.id] = known[0]
    return found
