"""What a failed question to a published file is told: the error itself, and the next step."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

BATCH_ROWS = 10_000


def first_line(error: Exception) -> str:
    """What DuckDB says in one line; the error inside it where it only says that one came late."""
    lines = str(error).splitlines() or [type(error).__name__]
    inner = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (inner or lines)[0].rstrip(".!")


def interrupted(error: Exception) -> bool:
    """True for a statement that was stopped, by a person or by another thread's error."""
    return str(error).startswith("INTERRUPT")


def own_error(
    connection: DuckDBPyConnection,
    sql: str | Statement,
    error: Exception,
    parameters: Sequence[Any] = (),
) -> Exception:
    """The error that stopped a statement, where ``error`` only says that something did.

    A row that cannot be computed stops the statement's other threads, and now and then (a few in
    a thousand, more on a busy machine) DuckDB answers with one of those. Asking once more tells;
    the rows are not kept. Not for statements that a person or a timer stopped, or that write.
    """
    import duckdb
    import pyarrow as pa

    if not interrupted(error):
        return error
    try:
        reader = connection.execute(sql, list(parameters) or None).to_arrow_reader(BATCH_ROWS)
        while True:
            reader.read_next_batch()
    except StopIteration:
        return error
    except (duckdb.Error, OSError, pa.ArrowException) as again:
        return again


def next_step(connection: DuckDBPyConnection, error: Exception, sql: str) -> str:
    """What the asker can do about an error, from the file's own tables."""
    import duckdb

    message = str(error)
    if isinstance(error, duckdb.PermissionException):
        return "published files reach no other file or network; `exlake sql --to FILE` exports."
    if "read-only mode" in message:
        return "published files are read-only; use a temporary table or your own database."
    if "configuration" in message and "locked" in message:
        return "settings of a published file cannot be changed."
    if isinstance(error, duckdb.CatalogException) and "does not exist" in message:
        tables = [
            f"{s}.{t}"
            for s, t in connection.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() "
                "WHERE NOT temporary ORDER BY ALL"
            ).fetchall()
        ]
        words = [w.strip(';(),"') for w in sql.split()]
        near = {m for w in words for m in difflib.get_close_matches(w, tables, n=1, cutoff=0.6)}
        near |= {t for t in tables for w in words if t.split(".")[1] == w}
        near -= set(words)
        meant = f"did you mean {', '.join(sorted(near))}? " if near else ""
        return f"{meant}this file has {', '.join(tables)}."
    if isinstance(error, duckdb.BinderException) and "Candidate" in message:
        line = next(x for x in message.splitlines() if "Candidate" in x)
        return f"{line.strip()}; a column above your clearance is left out (see _meta.column)."
    if interrupted(error):
        return "it was stopped; ask again, and filter by trade_date or by key columns."
    if isinstance(error, duckdb.ConversionException) or "Invalid Input" in message:
        return "some row cannot be computed: try_cast, or leave it out with WHERE."
    if isinstance(error, duckdb.OutOfMemoryException):
        return "filter by trade_date or by key columns, or take fewer columns."
    return "see docs/analyst.md for tables and examples."
