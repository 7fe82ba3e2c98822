"""Rewriting a stored table to what its contract promises by now: wider types and new names.

One commit replaces every file by the same rows in the new columns; no column mapping and no type
widening of Delta is used, so any reader follows. Intervals are built again afterwards, one by
one, because their recorded schema is another.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.engine.faults import reach
from pipelines.engine.schema_change import (
    REWRITTEN,
    SchemaChange,
    SchemaChangeRefusedError,
    SchemaPendingError,
    describe_schema,
)
from pipelines.engine.stored import stored_columns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from contracts.model import Contract
    from pipelines.engine.place import Place


def schema_changes(contract: Contract, table: Place) -> tuple[SchemaChange, ...]:
    """What differs between the stored table and the contract; nothing when there is no table."""
    stored = stored_columns(table)
    if stored is None:
        return ()
    return describe_schema(contract.product, stored, contract.columns)


def must_follow(contract: Contract, table: Place) -> None:
    """Raise SchemaPendingError when reading the table by the contract would give other values."""
    pending = [c for c in schema_changes(contract, table) if c.kind in REWRITTEN or c.refused]
    if pending:
        raise SchemaPendingError(contract.product, pending)


def evolve(spark: SparkSession, contract: Contract, table: Place) -> tuple[SchemaChange, ...]:
    """Rewrite the table when the contract renames or widens columns; the changes it found.

    The caller holds the table's lock. Raises SchemaChangeRefusedError before anything is written.
    A kill leaves the table as it was, or rewritten and its intervals stale.
    """
    changes = schema_changes(contract, table)
    refused = [c for c in changes if c.refused]
    if refused:
        raise SchemaChangeRefusedError(contract.product, refused)
    if not any(c.kind in REWRITTEN for c in changes):
        return changes
    stored = {name for name, _ in stored_columns(table) or ()}
    columns = []
    for column in contract.columns:
        before = column.name if column.name in stored else column.renamed_from
        source = f"`{before}`" if before in stored else "NULL"
        columns.append(f"CAST({source} AS {column.type}) AS `{column.name}`")
    said = {"schema": contract.version, "changes": [f"{c.kind} {c.column}" for c in changes]}
    writer = (
        spark.read.format("delta")
        .load(str(table))
        .selectExpr(*columns)
        .write.format("delta")
        .mode("overwrite")
        .option("overwriteSchema", "true")
        .option("userMetadata", json.dumps(said))
    )
    if contract.interval_column is not None:
        writer = writer.partitionBy(contract.interval_column)
    writer.save(str(table))
    reach("schema-rewritten")
    return changes
