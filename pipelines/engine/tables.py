"""Stored tables: where they are, and reading exact intervals of an exact version.

Reads go through the table's own file list (delta-rs reads the log, no JVM) and Spark's Parquet
reader with the contract's schema: exactly pinned, and without a Delta snapshot per read. This is
safe because tables carry no deletion vectors and no column mapping (``check_protocol``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from contracts.errors import TerminalError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from contracts.model import Contract
    from pipelines.engine.delivery import Effective
    from pipelines.engine.place import Place, Storage

ALL = "all"
FILE, ROW = "__file", "__row"


class UnreadableTableError(TerminalError):
    """Raised when a table has features that other readers (DuckDB, delta-rs) cannot follow."""

    code: ClassVar[str] = "unreadable-table"

    def __init__(self, product: str, features: Sequence[str]) -> None:
        self.features = tuple(features)
        super().__init__(
            f"the table uses {', '.join(features)}, which marts must not.",
            product=product,
            next_step="Rebuild it; create tables only through the engine.",
        )


@dataclass(frozen=True)
class StoredFile:
    """One committed data file: its URI, its interval, rows and bytes."""

    path: str
    interval: str
    rows: int
    size: int


@dataclass(frozen=True)
class Table:
    """A product's table at one version (-1: it does not exist yet)."""

    product: str
    place: Place
    version: int
    files: tuple[StoredFile, ...]

    def of(self, intervals: Collection[str] | None) -> tuple[StoredFile, ...]:
        """Files of the given intervals (None: all)."""
        if intervals is None:
            return self.files
        wanted = frozenset(intervals)
        return tuple(file for file in self.files if file.interval in wanted)

    @property
    def intervals(self) -> tuple[str, ...]:
        """Intervals that hold files, sorted."""
        return tuple(sorted({file.interval for file in self.files}))


def exists(place: Place) -> bool:
    """Tell whether a Delta table is at ``place``."""
    return place.version() >= 0


def open_table(
    storage: Storage, product: str, interval_column: str | None, version: int | None = None
) -> Table:
    """Return the table's file list at ``version`` (None: the newest), without a JVM."""
    place = storage.table(product)
    found, files = stored_files(place, interval_column, version, product)
    return Table(product, place, found, files)


def stored_files(
    place: Place,
    interval_column: str | None,
    version: int | None = None,
    product: str | None = None,
) -> tuple[int, tuple[StoredFile, ...]]:
    """Version and committed files of the table at ``place``; -1 and none when it is not there."""
    if not exists(place):
        return -1, ()
    table = place.delta(version)
    protocol = table.protocol()
    if protocol.min_reader_version > 1:
        features = protocol.reader_features or ["a newer protocol"]
        raise UnreadableTableError(product or place.uri, features)
    actions = table.get_add_actions(flatten=True)
    rows = {name: actions.column(name).to_pylist() for name in actions.schema.names}
    column = f"partition.{interval_column}"
    count = len(rows["path"])
    days = [str(day) for day in rows[column]] if interval_column else [ALL] * count
    records = rows.get("num_records") or [0] * count
    files = tuple(
        StoredFile(place.file(name), day, int(n or 0), size)
        for name, day, n, size in zip(rows["path"], days, records, rows["size_bytes"], strict=True)
    )
    return int(table.version()), files


def interval_column_of(contract: Contract) -> str | None:
    """The partition column: ``_interval`` in bronze, the contract's own elsewhere."""
    return "_interval" if contract.layer == "bronze" else contract.interval_column


def read(
    spark: SparkSession, contract: Contract, table: Table, intervals: Collection[str] | None = None
) -> DataFrame:
    """Return the rows of ``intervals`` (None: all) with exactly the contract's schema.

    A table or interval that is not there gives an empty frame of that schema.
    """
    return read_files(spark, contract, table.place, [file.path for file in table.of(intervals)])


def read_files(
    spark: SparkSession,
    contract: Contract,
    base: Place | Path,
    paths: Sequence[str],
    *,
    placed: bool = False,
) -> DataFrame:
    """Return the rows of exactly these data files below ``base``, with the contract's schema.

    ``placed`` adds where each row is: ``FILE`` (string) and ``ROW`` (bigint, its ordinal there).
    """
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    from contracts.compile.spark import schema_json

    place = [F.col("_metadata.file_path").alias(FILE), F.col("_metadata.row_index").alias(ROW)]
    if not paths:
        # Not createDataFrame: an empty list would start Python workers.
        nulls = ", ".join(f"CAST(NULL AS {c.type}) AS `{c.name}`" for c in contract.columns)
        nowhere = f", '' AS {FILE}, 0L AS {ROW}" if placed else ""
        return spark.sql(f"SELECT {nulls}{nowhere} WHERE false")
    schema = StructType.fromJson(json.loads(schema_json(contract)))
    frame = spark.read.schema(schema).option("basePath", str(base)).parquet(*paths)
    return frame.select(*[c.name for c in contract.columns], *(place if placed else []))


def read_effective(
    spark: SparkSession, contract: Contract, table: Table, effective: Sequence[Effective]
) -> DataFrame:
    """Return bronze rows that count, plus ``_sequence`` (int): corrections and withdrawals applied.

    A row stays unless a later correction or withdrawal holds its key (``Effective.steps``); rows
    of withdrawals never stay. Later means: by step, that is by the deliveries' sequence.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.window import Window

    steps = [(e, i, step) for e in effective for i, step in enumerate(e.steps)]
    rows = read(spark, contract, table, {e.interval for e in effective})
    if not steps:
        return rows.where("false").withColumn("_sequence", F.lit(None).cast("int"))
    order = _mapped({step.delivery_id: step.sequence for _, _, step in steps})
    rows = rows.withColumn("_sequence", order.cast("int")).where("_sequence IS NOT NULL")
    if not any(e.resolves_by_key for e in effective):
        return rows
    position = _mapped({s.delivery_id: i for _, i, s in steps}).cast("int")
    overlays = [s.delivery_id for _, _, s in steps if s.action != "rows"]
    withdrawals = [s.delivery_id for _, _, s in steps if s.action == "withdraw"]
    key = Window.partitionBy("_interval", *contract.key)
    last = F.max(F.when(F.col("_delivery_id").isin(overlays), position)).over(key)
    kept = (last.isNull() | (position >= last)) & ~F.col("_delivery_id").isin(withdrawals)
    return rows.withColumn("_kept", kept).where("_kept").drop("_kept")


def _mapped(values: dict[str, int]) -> Column:
    from pyspark.sql import functions as F

    pairs = [F.lit(part) for pair in values.items() for part in pair]
    return F.try_element_at(F.create_map(*pairs), F.col("_delivery_id"))
