"""What a product's Delta table holds at one exact version, seen by DuckDB without a JVM."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from contracts.compile.duckdb import duckdb_type
from contracts.model import Contract
from pipelines.engine.place import Place
from pipelines.engine.tables import StoredFile, Table, interval_column_of

_COMMIT = re.compile(r"^(\d{20})\.(?:json|checkpoint.*\.parquet)$")


class Head(NamedTuple):
    """A table's newest version, and a mark of its log entry.

    The mark tells a table from another one that was built anew and counts from 0 again.
    """

    version: int
    mark: str


def head(table: Place) -> Head:
    """The newest commit, from the log's listing alone; version -1 without a table."""
    entries = [(m, e) for e in table.log() if (m := _COMMIT.match(e.name))]
    if not entries:
        return Head(-1, "")
    match, entry = max(entries, key=lambda each: (int(each[0].group(1)), each[1].name))
    return Head(int(match.group(1)), f"{entry.size}:{entry.written_ns}")


def latest_version(table: Place) -> int:
    """The newest committed version; -1 without a table."""
    return head(table).version


def digests(table: Table) -> dict[str, str]:
    """Interval -> digest of its file names: equal while its content was not replaced."""
    names: dict[str, list[str]] = {}
    for file in table.files:
        names.setdefault(file.interval, []).append(Path(file.path).name)
    return {
        interval: hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]
        for interval, found in sorted(names.items())
    }


def scan_sql(files: Sequence[StoredFile], contract: Contract) -> str:
    """A DuckDB table expression over committed files, with the contract's columns and types.

    No files: an empty relation of the same shape. The session's time zone must be UTC, in which
    the files' instants become the TIMESTAMP that DuckDB files hold.
    """
    columns = [(c.name, duckdb_type(c.type)) for c in contract.columns]
    if not files:
        empty = ", ".join(f"NULL::{kind} AS {quote(name)}" for name, kind in columns)
        return f"(SELECT {empty} WHERE false)"
    paths = ", ".join(literal(file.path) for file in files)
    options = "union_by_name=true, hive_partitioning=false"
    partition = interval_column_of(contract)
    if partition:  # the partition's value is in the path, not in the file
        kinds = f"{{{literal(partition)}: DATE}}"
        options = f"union_by_name=true, hive_partitioning=true, hive_types={kinds}"
    wanted = ", ".join(f"CAST({quote(name)} AS {kind}) AS {quote(name)}" for name, kind in columns)
    return f"(SELECT {wanted} FROM read_parquet([{paths}], {options}))"


def quote(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A SQL string."""
    return "'" + value.replace("'", "''") + "'"
