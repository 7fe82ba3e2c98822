"""The fallback of ``held``: a batch held over Delta's public API alone."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine.faults import reach
from pipelines.engine.held import DataFile, where_in
from pipelines.engine.held_errors import ConcurrentWriteError
from pipelines.engine.tables import ALL, stored_files
from quality.errors import RowsOutsideIntervalsError
from quality.measure import SUSPECT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from pipelines.engine.place import Place


class StagedWrite:
    """The fallback over Delta's public API: stage as Parquet, judge, write again."""

    apart = False

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
        df = df.drop(SUSPECT)
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
        where = where_in(self._column, keep)
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
