"""Hold a Delta commit: write files, let them be judged, then publish or drop them.

This is the only module that touches Delta's JVM internals. ``hold`` writes a batch's data files
with statistics and *does not commit*: no reader sees them. The caller reads exactly those files,
judges them, may rewrite the ones that hold rejected rows, and commits the intervals it keeps in
one transaction whose metadata is the authority on what was published.

Where the internal API is missing (``can_hold`` is False), ``staged.StagedWrite`` gives the same
calls over the public one: files are staged outside the table and written again with
``replaceWhere``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from contracts.errors import ExlakeError, TerminalError, TransientError
from pipelines.engine.faults import reach
from quality.measure import SUSPECT

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from pipelines.engine.place import Place

ALL = "all"
APART = timedelta(days=1_460_970)
"""Four thousand years: the date under which a held write keeps an interval's suspects apart."""


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


class SuspectsLeftError(TerminalError):
    """Raised when rows that were kept apart were neither taken out nor written back."""

    code: ClassVar[str] = "suspects-left"

    def __init__(self, product: str, rows: int) -> None:
        self.rows = rows
        super().__init__(
            f"{rows} rows that were kept apart as suspects were neither rejected nor accepted; "
            "nothing was published.",
            product=product,
            next_step="This is an error of ours: please report it with the run's id.",
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
    """One written, uncommitted data file: its URI, its interval, rows and bytes.

    ``suspect``: it holds the interval's suspects, is never published as it is, and is dropped or
    rewritten.
    """

    path: str
    interval: str
    rows: int
    size: int
    suspect: bool = False


class HeldWrite(Protocol):
    """A batch that is on disk and that no reader can see."""

    apart: bool
    """True when suspects are in files of their own, and nowhere else."""

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
        return "writeAndReturnCommitData" in _calls_of(spark._jvm)
    except Exception:
        return False


@lru_cache(maxsize=2)
def _calls_of(jvm: Any) -> frozenset[str]:
    """The names of the write command's calls, asked once per JVM: each one is a call into it."""
    cls = jvm.java.lang.Class.forName("org.apache.spark.sql.delta.commands.WriteIntoDelta")
    return frozenset(method.getName() for method in cls.getMethods())


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

    ``df`` has exactly the table's columns, and may have ``quality.measure.SUSPECT`` to tell rows
    that probably leave again: those get files of their own, so that taking them out rewrites no
    other. ``interval_column`` is its partition column (None: the product is the single interval
    ``all``). Rows outside ``intervals`` are refused, and columns
    that the table does not have unless ``adds_columns`` says that the contract has new ones.
    """
    where = (product, interval_column, intervals)
    if force_staged or not can_hold(spark):
        from pipelines.engine.staged import StagedWrite

        return StagedWrite(spark, df, table, *where, adds_columns, staging)
    return TransactionWrite(spark, df, table, *where, adds_columns)


def where_in(interval_column: str | None, intervals: Collection[str]) -> str | None:
    """Spark SQL for the rows of these intervals; None where there is but one."""
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
        self._suspects: dict[str, DataFile] = {}
        self.apart = interval_column is not None and SUSPECT in df.columns
        # The date that suspects are written under -> their interval.
        self._shifted = {
            str(date.fromisoformat(i) + APART): i for i in (self._intervals if self.apart else ())
        }
        for kind, body, action in self._write(self._parted(df)):
            if kind == "add" and self._of(body) in self._shifted:
                self._put_apart(body)
            elif kind == "add":
                self._actions.append((table.file(body["path"]), body, action))
            elif kind == "remove":
                self._removed.append((body, action))

    def _parted(self, df: DataFrame) -> DataFrame:
        """Suspects under a date of their own: the writer opens other files for it, no row moves."""
        from pyspark.sql import functions as F

        if not self.apart:
            return df.drop(SUSPECT)
        column = str(self._column)
        shifted = F.date_add(column, APART.days)
        moved = F.when(F.col(SUSPECT), shifted).otherwise(F.col(column))
        return df.withColumn(column, moved).drop(SUSPECT)

    def _put_apart(self, body: Mapping[str, Any]) -> None:
        """Move a file of suspects to its interval, where everybody reads its rows' true date."""
        interval = self._shifted[self._of(body)]
        reach("suspects-written")
        name = f"{self._column}={interval}/aside-{body['path'].rsplit('/', 1)[-1]}"
        self._table.move(body["path"], name)
        path, rows = self._table.file(name), int(json.loads(body["stats"])["numRecords"])
        self._suspects[path] = DataFile(path, interval, rows, int(body["size"]), suspect=True)

    def _write(self, df: DataFrame) -> list[tuple[str, dict[str, Any], Any]]:
        python_utils = self._jvm.org.apache.spark.api.python.PythonUtils
        intervals = {*self._intervals, *self._shifted}
        where = where_in(self._column, intervals) if self._replaces else None
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
        """The files that would be published now, and those of suspects."""
        written = (
            DataFile(
                path,
                _interval_of(body["partitionValues"], self._column),
                int(json.loads(body["stats"])["numRecords"]),
                int(body["size"]),
            )
            for path, body, _ in self._actions
        )
        return (*written, *self._suspects.values())

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
        self._dropped += dirty
        self._actions = [item for item in self._actions if item[0] not in dirty] + fresh
        self._suspects = {p: file for p, file in self._suspects.items() if p not in dirty}

    def commit(self, intervals: Collection[str], metadata: str) -> int | None:
        """Publish the files of ``intervals``; the others stay invisible and are removed."""
        keep = frozenset(intervals)
        kept = [a for _, b, a in self._actions if self._of(b) in keep]
        gone = [a for b, a in self._removed if self._of(b) in keep]
        if not keep:
            self.drop()
            return None
        left = sum(file.rows for file in self._suspects.values() if file.interval in keep)
        if left:
            raise SuspectsLeftError(self._product, left)
        none, some = self._none(), self._jvm.scala.Some
        python_utils = self._jvm.org.apache.spark.api.python.PythonUtils
        where = where_in(self._column, keep) if self._replaces else None
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
        self._remove([file.path for file in self.files if file.path not in published])
        self._remove(self._dropped)
        reach("leftovers-removed")
        self._actions, self._suspects, self._dropped = [], {}, []
        return int(version.get()) if version.isDefined() else None

    def drop(self) -> None:
        """Remove every file that was written and not published."""
        self._remove([file.path for file in self.files] + self._dropped)
        self._actions, self._suspects, self._dropped = [], {}, []

    def _of(self, body: Mapping[str, Any]) -> str:
        return _interval_of(body.get("partitionValues") or {}, self._column)

    def _remove(self, paths: list[str]) -> None:
        # A leftover is invisible and swept later: failing to remove it must not fail the run.
        for path in paths:
            with suppress(OSError, ExlakeError):
                self._table.remove(path)
