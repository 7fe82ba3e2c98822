"""Rejected rows, kept whole: one table per product under ``quarantine/``.

A row carries every rule it broke, its delivery, its line there, the built row and the row as it
was delivered. Rows count only when their batch is the one the interval ledger names: a crash
between this write and the commit leaves rows that nobody reads and the sweep removes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.engine.conform import LINEAGE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from contracts.model import Contract
    from pipelines.engine.place import Place, Storage
    from pipelines.engine.rows import IntervalRow

COLUMNS = (
    "product", "interval", "batch_id", "run_id", "state", "rules", "row_key", "delivery_id",
    "row_number", "row", "original",
)  # fmt: skip

JSON_OPTIONS = {
    # A missing value is often the very reason a row is here.
    "ignoreNullFields": "false",
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
}


@dataclass(frozen=True)
class Aside:
    """Quarantined rows that count, in the product's columns, and their number per interval."""

    frame: DataFrame
    rows: Mapping[str, int]


def rejected_rows(
    rows: DataFrame,
    contract: Contract,
    *,
    batch_id: str,
    run_id: str,
    states: Mapping[str, str],
    originals: Sequence[DataFrame],
) -> DataFrame:
    """Shape flagged rows for the quarantine table.

    ``rows`` has the product's columns and ``_broken``; ``states``: interval -> ``quarantined`` or
    ``blocked``; ``originals``: bronze rows (as delivered) with the lineage columns, per source.
    """
    from pyspark.sql import functions as F

    business = [column.name for column in contract.business_columns]
    lineage = set(LINEAGE) <= set(rows.columns)
    interval = (
        F.lit("all")
        if contract.interval_column is None
        else F.col(contract.interval_column).cast("string")
    )
    state = F.lit("quarantined")
    for name, value in states.items():
        state = F.when(F.col("interval") == name, F.lit(value)).otherwise(state)
    options = JSON_OPTIONS
    shaped = rows.select(
        F.lit(contract.product).alias("product"),
        interval.alias("interval"),
        F.lit(batch_id).alias("batch_id"),
        F.lit(run_id).alias("run_id"),
        F.to_json("_broken").alias("rules"),
        F.to_json(F.struct(*contract.key), options).alias("row_key"),
        (F.col("_delivery_id") if lineage else F.lit(None).cast("string")).alias("delivery_id"),
        (F.col("_row_number") if lineage else F.lit(None).cast("bigint")).alias("row_number"),
        F.to_json(F.struct(*business), options).alias("row"),
    ).withColumn("state", state)
    if not originals or not lineage:
        return shaped.withColumn("original", F.lit(None).cast("string")).select(*COLUMNS)
    kept = _as_delivered(originals[0])
    for frame in originals[1:]:
        kept = kept.unionAll(_as_delivered(frame))
    on = (F.col("delivery_id") == F.col("__d")) & (F.col("row_number") == F.col("__n"))
    return shaped.join(kept, on, "left").select(*COLUMNS)


def _as_delivered(rows: DataFrame) -> DataFrame:
    """Bronze rows as one text each, with the place they were delivered at."""
    from pyspark.sql import functions as F

    delivered = [name for name in rows.columns if not name.startswith("_")]
    return rows.select(
        F.col("_delivery_id").alias("__d"),
        F.col("_row_number").alias("__n"),
        F.to_json(F.struct(*delivered), JSON_OPTIONS).alias("original"),
    )


def append(rows: DataFrame, place: Place) -> None:
    """Append shaped rows (the caller holds the product's lock)."""
    (rows.coalesce(1).write.format("delta").mode("append").partitionBy("interval").save(str(place)))


def put_aside(
    spark: SparkSession, storage: Storage, contract: Contract, stored: Sequence[IntervalRow]
) -> Aside | None:
    """The rows that published intervals left in quarantine; None when there are none.

    With them the built batch is whole again: what was built is what is stored and this.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    from contracts.compile.spark import schema_json
    from pipelines.engine.tables import stored_files

    short = {row.interval: row for row in stored if row.quarantined}
    if not short:
        return None
    place = storage.quarantine(contract.product)
    files = [f.path for f in stored_files(place, "interval")[1] if f.interval in short]
    batches = sorted({row.batch_id for row in short.values()})
    schema = StructType.fromJson(json.loads(schema_json(contract)))
    business = StructType([f for f in schema.fields if not f.name.startswith("_")])
    rows = (
        spark.read.option("basePath", str(place))
        .parquet(*files)
        .where(F.col("batch_id").isin(batches))
        .withColumn("__row", F.from_json("row", business, JSON_OPTIONS))
    )
    lineage = {"_delivery_id": F.col("delivery_id"), "_row_number": F.col("row_number")}
    columns = [
        F.col(f"__row.{c.name}")
        if not c.technical
        else lineage.get(c.name, F.lit(None)).cast(c.type).alias(c.name)
        for c in contract.columns
    ]
    return Aside(rows.select(*columns), {i: row.quarantined for i, row in short.items()})
