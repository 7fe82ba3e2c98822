"""What the planner knows: newest interval rows, effective deliveries, decisions.

A ``State`` is a value. It is read once from the ledgers; the engine adds the
rows of what it has just done with ``with_rows`` and asks the planner again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import pyarrow as pa

from pipelines.engine.calendar import DateOutsideCalendarError, TradingCalendar
from pipelines.engine.delivery import Delivery, Effective, effective
from pipelines.engine.graph import Graph
from pipelines.engine.ledgers import (
    DECISION,
    DELIVERY,
    INTERVAL,
    Ledgers,
    last_of_each,
    period_of,
    rows_of,
)
from pipelines.engine.place import Storage
from pipelines.engine.rows import READABLE, DecisionRow, IntervalRow, newest
from pipelines.engine.stored import Columns, stored_columns

ALL = "all"
Dates = tuple[date, date]
EVERY_INTERVAL = frozenset({None, "*"})


@dataclass(frozen=True)
class Record:
    """One interval of one product, three ways: newest row, newest verdict, what readers see."""

    latest: IntervalRow
    attempt: IntervalRow | None
    published: IntervalRow | None

    def then(self, row: IntervalRow) -> Record:
        """The record after one more row."""
        return Record(
            latest=row,
            attempt=row if row.attempted else self.attempt,
            published=row if row.readable else self.published,
        )


Records = Mapping[str, Mapping[str, Record]]
Deliveries = Mapping[str, Mapping[str, Effective]]


@dataclass(frozen=True)
class State:
    """Everything the planner looks at besides contracts and jobs.

    ``records``: product -> interval -> record. ``deliveries``: bronze product -> interval ->
    what counts of it. ``changes``: dimension -> batches that changed something, oldest first.
    ``schemas``: product -> (column, type) as stored, where known.
    """

    records: Records = field(default_factory=dict)
    deliveries: Deliveries = field(default_factory=dict)
    changes: Mapping[str, tuple[IntervalRow, ...]] = field(default_factory=dict)
    decisions: tuple[DecisionRow, ...] = ()
    schemas: Mapping[str, Columns] = field(default_factory=dict)

    def record(self, product: str, interval: str) -> Record | None:
        """The record of one interval, None when nothing was ever recorded."""
        return self.records.get(product, {}).get(interval)

    def rows_of(self, inputs: Iterable[tuple[str, str]]) -> int:
        """About how many rows these inputs hold: as delivered, or as published last.

        What is not read by its interval (a history, a dimension) counts whole.
        """
        total = 0
        for product, at in inputs:
            found = {
                interval: sum(step.rows or 0 for step in delivered.steps)
                for interval, delivered in self.deliveries.get(product, {}).items()
            }
            for interval, record in self.records.get(product, {}).items():
                found[interval] = record.published.accepted if record.published else 0
            total += found[at] if at in found else sum(found.values())
        return total

    def with_rows(self, rows: Iterable[IntervalRow]) -> State:
        """The state after these rows, in their order (their sequence is not looked at)."""
        records: dict[str, dict[str, Record]] = {}
        changes = dict(self.changes)
        for row in rows:
            if row.product not in records:
                records[row.product] = dict(self.records.get(row.product, {}))
            before = records[row.product].get(row.interval)
            records[row.product][row.interval] = before.then(row) if before else _first(row)
            if _changes(row, changes.get(row.product, ())):
                changes[row.product] = (*changes.get(row.product, ()), row)
        return replace(self, records={**self.records, **records}, changes=changes)

    def decisions_fingerprint(self, product: str, interval: str) -> str:
        """Digest of the decisions that hold for an interval; empty text when there are none."""
        holding = [
            [d.decision_id, d.kind, d.rule_id, d.delivery_id, d.row_number, d.column, d.value,
             d.approved_by]
            for d in self._decisions.get(product, ())
            if holds(d, interval)
        ]  # fmt: skip
        if not holding:
            return ""
        return hashlib.sha256(json.dumps(sorted(holding)).encode()).hexdigest()[:16]

    @cached_property
    def _decisions(self) -> Mapping[str, tuple[DecisionRow, ...]]:
        by_product: dict[str, tuple[DecisionRow, ...]] = {}
        for d in newest(self.decisions):
            if d.in_force:
                by_product[d.product] = (*by_product.get(d.product, ()), d)
        return by_product


def holds(decision: DecisionRow, interval: str) -> bool:
    """True when a decision reaches an interval and has not expired by its date."""
    if decision.interval not in EVERY_INTERVAL and decision.interval != interval:
        return False
    if decision.expires_on is None or interval == ALL:
        return True
    return date.fromisoformat(interval) <= decision.expires_on


def load_state(
    ledgers: Ledgers, graph: Graph, storage: Storage, periods: Sequence[str] | None = None
) -> State:
    """Read the state of ``periods`` (months; None: all) and of every dimension and snapshot.

    Reads two or three small Delta tables through delta-rs; never starts Spark.
    """
    wanted = None if periods is None else sorted({*periods, period_of(ALL)})
    state = State().with_rows(_standing(ledgers, wanted))
    whole = {
        read.product.split(".", 1)[1]
        for node in graph.nodes.values()
        for read in node.reads
        if read.how in ("latest", "history") and read.product.startswith("bronze.")
    }
    delivered = ledgers.read(DELIVERY, periods=wanted)
    if wanted is not None and whole:
        seen = {d.ledger_sequence for d in delivered}
        older = ledgers.read(DELIVERY, where={"dataset": sorted(whole)})
        delivered += [d for d in older if d.ledger_sequence not in seen]
    return replace(
        state,
        deliveries=by_interval(delivered),
        decisions=tuple(ledgers.read(DECISION)),
        schemas=_schemas(storage, graph, state),
    )


def load_records(ledgers: Ledgers) -> State:
    """The state without deliveries and schemas: what became of every interval, and decisions.

    For whoever looks and does not plan: it reads two ledgers instead of three and no table.
    """
    state = State().with_rows(_standing(ledgers, None))
    return replace(state, decisions=tuple(ledgers.read(DECISION)))


def _schemas(storage: Storage, graph: Graph, state: State) -> dict[str, Columns]:
    """Stored columns of the products whose contract promises others by now (seldom any)."""
    found = {}
    for product in graph.built:
        contract = graph.nodes[product].contract
        if any(
            r.published and r.published.schema_fingerprint != contract.schema_at(interval)
            for interval, r in state.records.get(product, {}).items()
        ):
            columns = stored_columns(storage.table(product))
            if columns is not None:
                found[product] = columns
    return found


def periods_for(
    graph: Graph, calendar: TradingCalendar, dates: Dates | None
) -> tuple[str, ...] | None:
    """Months that planning ``dates`` looks at: theirs and those of previous(n) reads.

    None (everything) when no range is given. Raises DateOutsideCalendarError.
    """
    if dates is None:
        return None
    back = max(
        (r.n for n in graph.nodes.values() for r in n.reads if r.how == "previous"), default=0
    )
    days = calendar.between(*dates)
    first = days[0] if days else dates[0]
    try:
        start = calendar.previous(first, back) if back else first
    except DateOutsideCalendarError:
        start = calendar.first_day
    spanned = {f"{d:%Y-%m}" for d in (*calendar.between(start, dates[1]), start, *dates)}
    return tuple(sorted(spanned))


def by_interval(deliveries: Iterable[Delivery]) -> Deliveries:
    """Bronze product -> interval -> what counts, of all deliveries that landed at least once."""
    grouped: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in deliveries:
        grouped.setdefault((delivery.product, delivery.interval), []).append(delivery)
    found: dict[str, dict[str, Effective]] = {}
    for (product, interval), group in sorted(grouped.items()):
        if any(d.status == "landed" for d in group):
            found.setdefault(product, {})[interval] = effective(group)
    return found


def _first(row: IntervalRow) -> Record:
    return Record(row, row if row.attempted else None, row if row.readable else None)


def _changes(row: IntervalRow, known: tuple[IntervalRow, ...]) -> bool:
    """A batch counts once, however often a repair or a later judgement repeats its row."""
    return (
        row.readable
        and row.changed_from is not None
        and all(k.batch_id != row.batch_id for k in known)
    )


def _standing(ledgers: Ledgers, periods: Sequence[str] | None) -> list[IntervalRow]:
    """The few rows of the ledger that make the state: everything older is history."""
    table: pa.Table = ledgers.arrow(INTERVAL, periods=periods)
    states = table.column("state").to_pylist()
    fingerprints = table.column("fingerprint").to_pylist()
    changed = table.column("changed_from").to_pylist()
    key = ("product", "interval")
    readable = [s in READABLE for s in states]
    keep = {i for i, c in enumerate(changed) if c is not None and readable[i]}
    keep |= last_of_each(table, key)
    keep |= last_of_each(
        table, key, [r or s == "blocked" for r, s in zip(readable, states, strict=True)]
    )
    seen = [r and f is not None for r, f in zip(readable, fingerprints, strict=True)]
    keep |= last_of_each(table, key, seen)
    return rows_of(INTERVAL, table.take(pa.array(sorted(keep), pa.int64())))
