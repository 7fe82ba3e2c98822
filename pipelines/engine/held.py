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
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from contracts.errors import ExlakeError
from pipelines.engine.faults import reach
from pipelines.engine.held_errors import ConcurrentWriteError, SuspectsLeftError
from pipelines.engine.tables import ALL, stored_files
from quality.errors import RowsOutsideIntervalsError
from quality.measure import SUSPECT

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from pipelines.engine.place import Place

APART = timedelta(days=1_460_970)
"""Four thousand years: the date under which a held write keeps an interval's suspects apart."""


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
        written = self._write(self._parted(df))
        self._refuse_strays(body for kind, body, _ in written if kind == "add")
        for kind, body, action in written:
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
        if self._fits(df):
            return [*self._written(df), *self._replaced()]
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

    def _fits(self, df: DataFrame) -> bool:
        """True when the table is there with just these columns and this partitioning.

        Then Delta's write command has nothing to check or change that is not checked here, and its
        way of finding what to replace costs three Spark jobs over the whole snapshot.
        """
        if not self._replaces:
            return False
        metadata = json.loads(self._txn.metadata().json())["metaData"]
        stored = json.loads(metadata["schemaString"])["fields"]
        columns = json.loads(df.schema.json())["fields"]
        return metadata["partitionColumns"] == ([self._column] if self._column else []) and [
            (c["name"], c["type"]) for c in columns
        ] == [(c["name"], c["type"]) for c in stored]

    def _written(self, df: DataFrame) -> list[tuple[str, dict[str, Any], Any]]:
        """Write without committing. ``writeFiles`` checks little: its callers do."""
        to_seq = self._jvm.org.apache.spark.api.python.PythonUtils.toSeq
        return self._parsed(self._txn.writeFiles(df._jdf, self._none(), to_seq([])))

    def _replaced(self) -> list[tuple[str, dict[str, Any], Any]]:
        """What these intervals hold now, from the log; and that it was read, for conflicts."""
        where = where_in(self._column, self._intervals)
        if where is None:
            self._txn.readWholeTable()
        else:
            parsed = self._session.sessionState().sqlParser().parseExpression(where)
            to_seq = self._jvm.org.apache.spark.api.python.PythonUtils.toSeq
            self._txn.trackReadPredicates(to_seq([parsed]), False, True)
        from_json = getattr(getattr(self._delta.actions, "Action$"), "MODULE$").fromJson
        files = stored_files(self._table, self._column, int(self._txn.readVersion()))[1]
        now = int(time.time() * 1000)
        bodies: list[dict[str, Any]] = [
            {
                "path": file.path.removeprefix(self._table.file("")),
                "deletionTimestamp": now,
                "dataChange": True,
                "extendedFileMetadata": True,
                "partitionValues": {self._column: file.interval} if self._column else {},
                "size": file.size,
            }
            for file in files
            if file.interval in self._intervals or self._column is None
        ]
        return [("remove", b, from_json(json.dumps({"remove": b}))) for b in bodies]

    def _refuse_strays(self, added: Iterable[Mapping[str, Any]]) -> None:
        """Remove everything and raise where rows are of other intervals than the batch's."""
        files = list(added)
        allowed = {*self._intervals, *self._shifted} if self._column else {ALL}
        strays = [json.loads(f["stats"])["numRecords"] for f in files if self._of(f) not in allowed]
        if strays:
            self._remove([self._table.file(file["path"]) for file in files])
            asked = tuple(sorted(self._intervals))
            raise RowsOutsideIntervalsError(self._product, sum(strays), asked)

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
        # table. These rows come from files that were checked.
        fresh = [
            (self._table.file(body["path"]), body, action)
            for kind, body, action in self._written(accepted)
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
