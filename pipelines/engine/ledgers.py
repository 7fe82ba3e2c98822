"""Ledgers: append-only Delta tables under ``home/ops``, without Spark.

delta-rs writes typed rows through Arrow. Ledgers whose rows belong to an
interval are partitioned by its month, so reading a range costs what the range
holds and not what is stored; small files are compacted every few appends in
bounded steps, so neither does writing.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, PostCommitHookProperties, WriterProperties, write_deltalake

from pipelines.engine.delivery import Delivery
from pipelines.engine.faults import reach
from pipelines.engine.lake_format import newest, note_format
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.place import Folder
from pipelines.engine.rows import (
    AlertRow,
    DecisionRow,
    DispositionRow,
    ExportRow,
    IncidentRow,
    IntervalRow,
    LineageRow,
    MessageRow,
    ResultRow,
    RunRow,
)
from pipelines.engine.tables import exists

R = TypeVar("R")
PERIOD = "period"
COMPACT_EVERY = 20
"""Delta versions of a ledger between two compactions."""
COMPACT_BYTES = 4 * 1024 * 1024
"""Files of this size are left alone: a compaction never rewrites more than it has to."""
ROWS_PER_VERSION = 10_000_000
CONFIGURATION = {"delta.checkpointInterval": "10", "delta.logRetentionDuration": "interval 7 days"}


@dataclass(frozen=True)
class Ledger(Generic[R]):
    """One ledger: its name, the type of its rows, and where their order is kept."""

    name: str
    row: type[R]
    by_interval: bool = True
    sequence: str = "sequence"


DELIVERY = Ledger("delivery", Delivery, sequence="ledger_sequence")
RUN = Ledger("run", RunRow, by_interval=False)
INTERVAL = Ledger("interval", IntervalRow)
RESULT = Ledger("result", ResultRow)
DECISION = Ledger("decision", DecisionRow, by_interval=False)
LINEAGE = Ledger("lineage", LineageRow)
INCIDENT = Ledger("incident", IncidentRow, by_interval=False)
MESSAGE = Ledger("message", MessageRow, by_interval=False)
EXPORT = Ledger("export", ExportRow, by_interval=False)
ALERT = Ledger("alert", AlertRow)
DISPOSITION = Ledger("disposition", DispositionRow)
LEDGERS: tuple[Ledger[Any], ...] = (
    DELIVERY, RUN, INTERVAL, RESULT, DECISION, LINEAGE, INCIDENT, MESSAGE, EXPORT, ALERT,
    DISPOSITION,
)  # fmt: skip


def period_of(interval: str) -> str:
    """The partition of an interval: its month, or ``all``."""
    return interval[:7] if interval[:1].isdigit() else "all"


@dataclass(frozen=True)
class Ledgers:
    """The ledgers of one lake. ``append`` is the only way in."""

    ops: Path
    locks: Path
    lock_wait_seconds: float = 30.0

    def append(self, *batches: tuple[Ledger[Any], Sequence[Any]]) -> None:
        """Append rows, one Delta commit per ledger; empty batches cost nothing.

        Gives each row its sequence (larger than every one before it in that ledger). Raises
        LockHeldError when another process keeps writing for longer than the wait.
        """
        filled = [(ledger, rows) for ledger, rows in batches if rows]
        if not filled:
            return
        with locked(lock_path(self.locks, "ops"), wait_seconds=self.lock_wait_seconds):
            for ledger, rows in filled:
                self._append(ledger, rows)
                reach(f"appended-{ledger.name}")

    def read(
        self,
        ledger: Ledger[R],
        *,
        periods: Iterable[str] | None = None,
        where: Mapping[str, Iterable[str]] | None = None,
        after: int | None = None,
    ) -> list[R]:
        """Typed rows in the order they were appended.

        ``periods`` (months ``YYYY-MM`` and ``all``) limits what is read; ``where`` keeps rows
        whose column has one of the given values, ``after`` those of a larger sequence. A ledger
        never written is empty.
        """
        table = self.arrow(ledger, periods=periods, where=where, after=after)
        return rows_of(ledger, table)

    def arrow(
        self,
        ledger: Ledger[Any],
        *,
        periods: Iterable[str] | None = None,
        where: Mapping[str, Iterable[str]] | None = None,
        after: int | None = None,
        columns: Iterable[str] | None = None,
    ) -> pa.Table:
        """As ``read``, but an Arrow table (JSON columns as text), or some of its columns."""
        schema = schema_of(ledger)
        path = self.ops / ledger.name
        if not exists(Folder(path)):
            return schema.empty_table()
        table = DeltaTable(str(path))
        partitions = None
        if periods is not None and ledger.by_interval:
            partitions = [(PERIOD, "in", sorted(set(periods)))]
            if not partitions[0][2]:
                return schema.empty_table()
        files = [unquote(uri) for uri in table.file_uris(partitions)]
        if after is not None:
            files = _holding_later(table, files, ledger.sequence, after)
        wanted = None if columns is None else {*columns, ledger.sequence}
        return _read_files(files, schema, ledger.sequence, where, after, wanted)

    def latest_intervals(self, *, periods: Iterable[str] | None = None) -> list[IntervalRow]:
        """The newest row of every (product, interval), by ledger sequence."""
        table = self.arrow(INTERVAL, periods=periods)
        newest = sorted(last_of_each(table, ("product", "interval")))
        return rows_of(INTERVAL, table.take(pa.array(newest, pa.int64())))

    def compact(self) -> None:
        """Maintenance: compact every ledger now and drop files nothing needs any more."""
        with locked(lock_path(self.locks, "ops"), wait_seconds=self.lock_wait_seconds):
            for ledger in LEDGERS:
                path = self.ops / ledger.name
                if exists(Folder(path)):
                    table = DeltaTable(str(path))
                    _compact(table)
                    table.vacuum(dry_run=False)

    def _append(self, ledger: Ledger[Any], rows: Sequence[Any]) -> None:
        path = self.ops / ledger.name
        table = DeltaTable(str(path)) if exists(Folder(path)) else None
        following = 0 if table is None else table.version() + 1
        if len(rows) >= ROWS_PER_VERSION:
            raise ValueError(f"{len(rows)} rows are too many for one append to {ledger.name}")
        first = following * ROWS_PER_VERSION
        numbered = [replace(r, **{ledger.sequence: first + i}) for i, r in enumerate(rows)]
        if not self.ops.exists():  # the very first thing that a lake keeps
            note_format(self.ops.parent, newest())
        if table is None:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_deltalake(
            str(path) if table is None else table,
            _table(ledger, numbered),
            mode="append",
            schema_mode="merge" if table is not None else None,
            partition_by=[PERIOD] if ledger.by_interval and table is None else None,
            configuration=CONFIGURATION if table is None else None,
            writer_properties=WriterProperties(compression="ZSTD"),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=True),
        )
        if following and following % COMPACT_EVERY == 0:
            _compact(DeltaTable(str(path)))


def _compact(table: DeltaTable) -> None:
    table.optimize.compact(
        target_size=COMPACT_BYTES, writer_properties=WriterProperties(compression="ZSTD")
    )


def _holding_later(table: DeltaTable, files: list[str], order: str, after: int) -> list[str]:
    """The files that hold a row of a larger sequence, by the statistics in the table's log."""
    actions = pa.table(table.get_add_actions(flatten=True))
    highest = f"max.{order}"
    if highest not in actions.column_names:
        return files
    newest = zip(
        actions.column("path").to_pylist(), actions.column(highest).to_pylist(), strict=True
    )
    old = {unquote(path) for path, most in newest if most is not None and most <= after}
    return [file for file in files if not any(file.endswith(path) for path in old)]


def _read_files(
    files: list[str],
    schema: pa.Schema,
    order: str,
    where: Mapping[str, Iterable[str]] | None,
    after: int | None = None,
    columns: set[str] | None = None,
) -> pa.Table:
    wanted = [n for n in schema.names if n != PERIOD and (columns is None or n in columns)]
    filters: list[tuple[str, str, Any]] | None = [
        (c, "in", list(v)) for c, v in (where or {}).items()
    ]
    if filters and any(not f[2] for f in filters):
        files = []
    if after is not None:
        filters = [*(filters or ()), (order, ">", after)]
    filters = filters or None
    if not files:
        return schema.empty_table().select(wanted)
    parts = []
    for file in files:
        # A ledger may have gained columns since the file was written: those read as null.
        part = pq.read_table(
            file, columns=_there(file, columns, wanted), filters=filters, partitioning=None
        )
        parts.append(_aligned(part, pa.schema([schema.field(n) for n in wanted])))
    return pa.concat_tables(parts).sort_by(order)


def _there(file: str, columns: set[str] | None, wanted: list[str]) -> list[str] | None:
    if columns is None:
        return None
    stored = set(pq.read_schema(file).names)
    return [name for name in wanted if name in stored]


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(f.name).cast(f.type)
        if f.name in table.column_names
        else pa.nulls(len(table), f.type)
        for f in schema
    ]
    return pa.table(columns, schema=schema)


def last_of_each(
    table: pa.Table, key: tuple[str, ...], among: Sequence[bool] | None = None
) -> set[int]:
    """Positions of each key's last row (among the marked rows), in a table in ledger order."""
    columns = [table.column(c).to_pylist() for c in key]
    keys = zip(*columns, strict=True)
    last = {k: i for i, k in enumerate(keys) if among is None or among[i]}
    return set(last.values())


# --- rows <-> Arrow -----------------------------------------------------------------------------

_ARROW: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    date: pa.date32(),
    datetime: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class _Field:
    name: str
    arrow: pa.DataType
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    default: Any = None


@cache
def schema_of(ledger: Ledger[Any]) -> pa.Schema:
    """The Arrow schema of a ledger: its row type's fields, and the month when by interval."""
    own = [pa.field(f.name, f.arrow) for f in _fields(ledger)]
    return pa.schema([*own, pa.field(PERIOD, pa.string())] if ledger.by_interval else own)


@cache
def _fields(ledger: Ledger[Any]) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(ledger.row)
    return tuple(_field(f.name, hints[f.name]) for f in fields(ledger.row))


def _field(name: str, hint: Any) -> _Field:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return _Field(name, pa.string())
    if origin is tuple and is_dataclass(args[0]):
        item: Any = args[0]
        return _Field(
            name,
            pa.string(),
            encode=lambda v: json.dumps([[*vars(i).values()] for i in v], ensure_ascii=False),
            decode=lambda v: tuple(item(*i) for i in json.loads(v)) if v else (),
            default=(),
        )
    if origin in (tuple, dict):
        return _Field(
            name,
            pa.string(),
            encode=lambda v: json.dumps(v, ensure_ascii=False),
            decode=lambda v: origin(json.loads(v)) if v else origin(),
            default=origin(),
        )
    return _Field(name, _ARROW[hint])


def _table(ledger: Ledger[Any], rows: Sequence[Any]) -> pa.Table:
    columns: dict[str, list[Any]] = {}
    for f in _fields(ledger):
        values = [getattr(r, f.name) for r in rows]
        columns[f.name] = [f.encode(v) for v in values] if f.encode else values
    if ledger.by_interval:
        columns[PERIOD] = [period_of(r.interval) for r in rows]
    return pa.table(columns, schema=schema_of(ledger))


def rows_of(ledger: Ledger[R], table: pa.Table) -> list[R]:
    """Typed rows of a table that ``Ledgers.arrow`` gave (or a part of it)."""
    columns = []
    for f in _fields(ledger):
        values = table.column(f.name).to_pylist()
        columns.append([f.decode(v) for v in values] if f.decode else values)
    return [ledger.row(*values) for values in zip(*columns, strict=True)]
