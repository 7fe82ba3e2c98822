"""Hold a Delta commit: write files, let them be judged, then publish or drop them.

This is the only module that touches Delta's JVM internals. ``hold`` writes a batch's data files
with statistics and *does not commit*: no reader sees them. The caller reads exactly those files,
judges them, may rewrite the ones that hold rejected rows, and commits the intervals it keeps in
one transaction whose metadata is the authority on what was published.

Where the internal API is missing (``can_hold`` is False), ``StagedWrite`` gives the same calls over
the public one: files are staged outside the table and written again with ``replaceWhere``.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from contracts.errors import ExlakeError, TerminalError, TransientError
from pipelines.engine.faults import reach
from quality.errors import RowsOutsideIntervalsError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from pipelines.engine.place import Place

ALL = "all"


class SchemaMismatchError(TerminalError):
    """Raised when a batch's columns differ from its contract's, before anything is written."""

    code: ClassVar[str] = "schema-mismatch"

    def __init__(self, product: str, expected: list[str], actual: list[str]) -> None:
        self.expected, self.actual = expected, actual
        wrong = [f"expected {e}, got {a}" for e, a in zip(expected, actual, strict=False) if e != a]
        wrong += [f"missing {e}" for e in expected[len(actual) :]]
        wrong += [f"unexpected {a}" for a in actual[len(expected) :]]
        super().__init__(
            f"the job's columns differ from the contract: {'; '.join(wrong[:5])}.",
            product=product,
            next_step="Return the contract's columns from the job, or change the contract.",
        )


class LostRowsError(TerminalError):
    """Raised when the written files hold another number of rows than the write observed."""

    code: ClassVar[str] = "lost-rows"

    def __init__(self, product: str, observed: int, in_files: int) -> None:
        self.observed, self.in_files = observed, in_files
        super().__init__(
            f"the write observed {observed} rows but its files hold {in_files}; nothing was"
            " published.",
            product=product,
            next_step="Run the interval again; if it repeats, look for failing Spark tasks.",
        )


class ConcurrentWriteError(TransientError):
    """Raised when another writer changed the table while the commit was held."""

    code: ClassVar[str] = "concurrent-write"

    def __init__(self, product: str, reason: str) -> None:
        super().__init__(
            f"another writer changed the table during the hold ({reason}).",
            product=product,
            next_step="Run again; the interval is rebuilt from what is there now.",
        )


@dataclass(frozen=True)
class DataFile:
    """One written, uncommitted data file: its URI, its interval, rows and bytes."""

    path: str
    interval: str
    rows: int
    size: int


class HeldWrite(Protocol):
    """A batch that is on disk and that no reader can see."""

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The files that would be published now."""

    def rewrite(self, dirty: Collection[str], accepted: DataFrame) -> None:
        """Replace the ``dirty`` files by the rows of ``accepted`` (same schema)."""

    def commit(self, intervals: Collection[str], metadata: str) -> int | None:
        """Publish the files of ``intervals`` in one commit; return its version, None if empty."""

    def drop(self) -> None:
        """Remove every file that was written and not published."""


def can_hold(spark: SparkSession) -> bool:
    """Tell whether this Delta release has the transaction calls that holding needs."""
    try:
        jvm: Any = spark._jvm
        cls = jvm.java.lang.Class.forName("org.apache.spark.sql.delta.commands.WriteIntoDelta")
        names = {method.getName() for method in cls.getMethods()}
    except Exception:
        return False
    return "writeAndReturnCommitData" in names


def hold(
    spark: SparkSession,
    df: DataFrame,
    table: Place,
    *,
    product: str,
    interval_column: str | None,
    intervals: Collection[str],
    staging: Path,
    force_staged: bool = False,
    adds_columns: bool = False,
) -> HeldWrite:
    """Write ``df`` for ``intervals`` of the table at ``table`` without committing.

    ``df`` has exactly the table's columns; ``interval_column`` is its partition column (None: the
    product is the single interval ``all``). Rows outside ``intervals`` are refused, and columns
    that the table does not have unless ``adds_columns`` says that the contract has new ones.
    """
    where = (product, interval_column, intervals)
    if force_staged or not can_hold(spark):
        return StagedWrite(spark, df, table, *where, adds_columns, staging)
    return TransactionWrite(spark, df, table, *where, adds_columns)


def _where(interval_column: str | None, intervals: Collection[str]) -> str | None:
    if interval_column is None:
        return None
    days = ", ".join(f"date'{interval}'" for interval in sorted(intervals))
    return f"{interval_column} IN ({days})"


def _interval_of(values: Mapping[str, str], interval_column: str | None) -> str:
    return ALL if interval_column is None else values[interval_column]


class TransactionWrite:
    """A held Delta transaction (see the module's text)."""

    def __init__(
        self,
        spark: SparkSession,
        df: DataFrame,
        table: Place,
        product: str,
        interval_column: str | None,
        intervals: Collection[str],
        adds_columns: bool,
    ) -> None:
        self._spark, self._table, self._product = spark, table, product
        self._column, self._intervals = interval_column, frozenset(intervals)
        self._options = {"mergeSchema": "true"} if adds_columns else {}
        jvm: Any = spark._jvm
        self._jvm = jvm
        self._session: Any = spark._jsparkSession
        self._delta: Any = self._jvm.org.apache.spark.sql.delta
        log_object = getattr(getattr(self._delta, "DeltaLog$"), "MODULE$")
        self._log = log_object.forTable(self._session, str(table))
        self._txn = self._log.startTransaction()
        self._replaces = bool(self._log.tableExists())
        self._actions: list[tuple[str, dict[str, Any], Any]] = []
        self._removed: list[tuple[dict[str, Any], Any]] = []
        self._dropped: list[str] = []
        for kind, body, action in self._write(df):
            if kind == "add":
                self._actions.append((table.file(body["path"]), body, action))
            elif kind == "remove":
                self._removed.append((body, action))

    def _write(self, df: DataFrame) -> list[tuple[str, dict[str, Any], Any]]:
        python_utils = self._jvm.org.apache.spark.api.python.PythonUtils
        where = _where(self._column, self._intervals) if self._replaces else None
        options = self._delta.DeltaOptions(
            python_utils.toScalaMap(
                {**self._options, "replaceWhere": where} if where else self._options
            ),
            self._session.sessionState().conf(),
        )
        none = self._none()
        command = self._delta.commands.WriteIntoDelta(
            self._log,
            self._jvm.org.apache.spark.sql.SaveMode.Overwrite,
            options,
            python_utils.toSeq([self._column] if self._column else []),
            python_utils.toScalaMap({}),
            df._jdf,
            none,
            none,
            False,
        )
        data = command.writeAndReturnCommitData(self._txn, self._session, none, False)
        return self._parsed(data.actions())

    def _parsed(self, actions: Any) -> list[tuple[str, dict[str, Any], Any]]:
        found = []
        for position in range(actions.size()):
            action = actions.apply(position)
            kind, body = next(iter(json.loads(action.json()).items()))
            found.append((kind, body, action))
        return found

    def _none(self) -> Any:
        return getattr(getattr(self._jvm.scala, "None$"), "MODULE$")

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The files that would be published now."""
        return tuple(
            DataFile(
                path,
                _interval_of(body["partitionValues"], self._column),
                int(json.loads(body["stats"])["numRecords"]),
                int(body["size"]),
            )
            for path, body, _ in self._actions
        )

    def rewrite(self, dirty: Collection[str], accepted: DataFrame) -> None:
        """Replace the ``dirty`` files by the rows of ``accepted`` inside the same transaction."""
        # A second WriteIntoDelta cannot follow the first one in a transaction that creates the
        # table. ``writeFiles`` checks little, but these rows come from files already checked.
        written = self._txn.writeFiles(
            accepted._jdf, self._none(), self._jvm.org.apache.spark.api.python.PythonUtils.toSeq([])
        )
        fresh = [
            (self._table.file(body["path"]), body, action)
            for kind, body, action in self._parsed(written)
            if kind == "add"
        ]
        self._dropped += [path for path, _, _ in self._actions if path in dirty]
        self._actions = [item for item in self._actions if item[0] not in dirty] + fresh

    def commit(self, intervals: Collection[str], metadata: str) -> int | None:
        """Publish the files of ``intervals``; the others stay invisible and are removed."""
        keep = frozenset(intervals)
        kept = [a for _, b, a in self._actions if self._of(b) in keep]
        gone = [a for b, a in self._removed if self._of(b) in keep]
        if not keep:
            self.drop()
            return None
        none, some = self._none(), self._jvm.scala.Some
        python_utils = self._jvm.org.apache.spark.api.python.PythonUtils
        where = _where(self._column, keep) if self._replaces else None
        operation = getattr(self._delta, "DeltaOperations$Write")(
            self._jvm.org.apache.spark.sql.SaveMode.Overwrite,
            some(python_utils.toSeq([self._column] if self._column else [])),
            some(where) if where else none,
            some(metadata),
            none, none, none, none, none,
        )  # fmt: skip
        try:
            version = self._txn.commitIfNeeded(
                python_utils.toSeq([*gone, *kept]), operation, python_utils.toScalaMap({})
            )
        except Exception as error:
            # pyspark turns most of Delta's conflicts into classes of its own; one is left as text.
            if "Concurrent" in type(error).__name__ or "DELTA_CONCURRENT" in str(error):
                raise ConcurrentWriteError(self._product, type(error).__name__) from error
            raise
        published = {path for path, b, _ in self._actions if self._of(b) in keep}
        reach("committed")
        self._remove([p for p, _, _ in self._actions if p not in published] + self._dropped)
        reach("leftovers-removed")
        self._actions, self._dropped = [], []
        return int(version.get()) if version.isDefined() else None

    def drop(self) -> None:
        """Remove every file that was written and not published."""
        self._remove([path for path, _, _ in self._actions] + self._dropped)
        self._actions, self._dropped = [], []

    def _of(self, body: Mapping[str, Any]) -> str:
        return _interval_of(body.get("partitionValues") or {}, self._column)

    def _remove(self, paths: list[str]) -> None:
        # A leftover is invisible and swept later: failing to remove it must not fail the run.
        for path in paths:
            with suppress(OSError, ExlakeError):
                self._table.remove(path)


class StagedWrite:
    """The fallback over Delta's public API: stage as Parquet, judge, write again."""

    def __init__(
        self,
        spark: SparkSession,
        df: DataFrame,
        table: Place,
        product: str,
        interval_column: str | None,
        intervals: Collection[str],
        adds_columns: bool,
        staging: Path,
    ) -> None:
        self._spark, self._table, self._product = spark, table, product
        self._column, self._intervals = interval_column, frozenset(intervals)
        self._options = {"mergeSchema": "true"} if adds_columns else {}
        self._schema = df.schema
        self._before = self._stored()
        self._root = staging / f"{product}-{uuid.uuid4().hex}"
        self._parts = [self._stage(df)]
        self._dirty: set[str] = set()
        outside = sum(f.rows for f in self.files if f.interval not in self._intervals)
        if outside:
            self.drop()
            raise RowsOutsideIntervalsError(product, outside, tuple(sorted(self._intervals)))

    def _stored(self) -> dict[str, frozenset[str]]:
        """Committed files by interval: what they are decides whether another writer came first."""
        from pipelines.engine.tables import stored_files

        found: dict[str, set[str]] = {}
        for file in stored_files(self._table, self._column)[1]:
            found.setdefault(file.interval, set()).add(file.path)
        return {interval: frozenset(paths) for interval, paths in found.items()}

    def _stage(self, df: DataFrame) -> Path:
        part = self._root / uuid.uuid4().hex
        writer = df.write.mode("error")
        (writer.partitionBy(self._column) if self._column else writer).parquet(str(part))
        return part

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The staged files that would be published now."""
        import pyarrow.parquet as pq

        found = []
        for part in self._parts:
            for path in sorted(part.rglob("*.parquet")):
                if str(path) in self._dirty:
                    continue
                interval = ALL if self._column is None else path.parent.name.split("=", 1)[1]
                rows = pq.read_metadata(path).num_rows
                found.append(DataFile(str(path), interval, rows, path.stat().st_size))
        return tuple(found)

    def rewrite(self, dirty: Collection[str], accepted: DataFrame) -> None:
        """Stage ``accepted`` beside the clean files and leave the ``dirty`` ones out."""
        self._parts.append(self._stage(accepted))
        self._dirty |= set(dirty)

    def commit(self, intervals: Collection[str], metadata: str) -> int | None:
        """Write the staged files of ``intervals`` with ``replaceWhere`` in one commit."""
        from delta.tables import DeltaTable

        keep = frozenset(intervals)
        if not keep:
            self.drop()
            return None
        now = self._stored()
        if any(now.get(i) != self._before.get(i) for i in self._intervals):
            raise ConcurrentWriteError(self._product, "its files are others now")
        frames = [
            self._spark.read.schema(self._schema)
            .option("basePath", str(part))
            .parquet(
                *[f.path for f in self.files if f.interval in keep and f.path.startswith(str(part))]
            )
            for part in self._parts
            if any(f.interval in keep and f.path.startswith(str(part)) for f in self.files)
        ]
        df = frames[0] if frames else self._spark.createDataFrame([], self._schema)
        for frame in frames[1:]:
            df = df.unionByName(frame)
        writer = df.write.format("delta").mode("overwrite").option("userMetadata", metadata)
        writer = writer.options(**self._options)
        exists = DeltaTable.isDeltaTable(self._spark, str(self._table))
        where = _where(self._column, keep)
        if exists and where:
            writer = writer.option("replaceWhere", where)
        (writer.partitionBy(self._column) if self._column else writer).save(str(self._table))
        reach("committed")
        self.drop()
        reach("leftovers-removed")
        history = DeltaTable.forPath(self._spark, str(self._table)).history(1).collect()
        return int(history[0]["version"])

    def drop(self) -> None:
        """Remove the staging folder."""
        shutil.rmtree(self._root, ignore_errors=True)
