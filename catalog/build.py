"""Writing one audience's DuckDB file: masked copies of committed Delta files, sorted.

An in-memory DuckDB does the work and only what the audience may see is ever written to the
attached file: clear values above its clearance touch nothing but memory and a private spill
folder that goes with the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.as_of import as_of_macros
from catalog.errors import NotPublishableError
from catalog.keys import MaskKey
from catalog.masking import MaskPlan, mask_pads, mask_sql
from catalog.snapshot import literal, quote, scan_sql
from contracts.compile.duckdb import ddl
from pipelines.engine.tables import ALL, StoredFile, Table
from quality.hashing import portable_hash_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ATTACHED = "pub"
MEMORY_LIMIT = "2GB"
"""DuckDB spills sorts beyond this: a Spark driver may be running beside the publisher."""


@dataclass(frozen=True)
class Content:
    """What one interval of one product holds in the file: row count and portable hash."""

    rows: int
    hash: str


@contextmanager
def writing(draft: Path) -> Iterator[DuckDBPyConnection]:
    """An in-memory DuckDB with ``draft`` attached read-write as the current database.

    Leaves the file checkpointed and detached, without a write-ahead log.
    """
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": f"{draft}.spill",
        "memory_limit": MEMORY_LIMIT,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH {literal(str(draft))} AS {ATTACHED}")
        connection.execute(f"USE {ATTACHED}")
        yield connection
        connection.execute(f"CHECKPOINT {ATTACHED}")
        connection.execute("USE memory")
        connection.execute(f"DETACH {ATTACHED}")
    finally:
        connection.close()


def create_table(connection: DuckDBPyConnection, plan: MaskPlan) -> None:
    """Create the product's empty table and macros, with comments in Chinese and English."""
    schema = plan.contract.layer
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute(ddl(plan.published, schema))
    for macro in as_of_macros(plan):
        connection.execute(macro.statement)


def replace_intervals(
    connection: DuckDBPyConnection,
    plan: MaskPlan,
    table: Table,
    key: MaskKey | None,
    intervals: frozenset[str] | None,
) -> dict[str, Content]:
    """Replace ``intervals`` (None: everything) by what the Delta version holds, masked, sorted.

    Returns the content of each interval that has rows. Raises NotPublishableError when the
    copy does not hold exactly the rows that the version's log counts, or breaks the DDL.
    """
    import duckdb

    files = table.of(intervals)
    target = f"{quote(plan.contract.layer)}.{quote(plan.contract.name)}"
    try:
        connection.execute("BEGIN")
        if intervals is not None:
            _delete(connection, plan, target, intervals)
        _insert(connection, plan, target, files, key)
        found = _contents(connection, plan, target, intervals)
        _verify(plan, files, found)
        connection.execute("COMMIT")
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
        raise NotPublishableError(plan.contract.product, plan.audience.name, problem) from None
    return found


def _delete(
    connection: DuckDBPyConnection, plan: MaskPlan, target: str, intervals: frozenset[str]
) -> None:
    column = plan.contract.interval_column
    if column is None:
        connection.execute(f"DELETE FROM {target}")
        return
    days = ", ".join(f"DATE {literal(day)}" for day in sorted(intervals))
    connection.execute(f"DELETE FROM {target} WHERE {quote(column)} IN ({days})")


def interval_filter(plan: MaskPlan, interval: str) -> str:
    """A SQL condition on the published table that holds for the rows of one interval."""
    column = plan.contract.interval_column
    return "true" if column is None else f"{quote(column)} = DATE {literal(interval)}"


def _insert(
    connection: DuckDBPyConnection,
    plan: MaskPlan,
    target: str,
    files: Sequence[StoredFile],
    key: MaskKey | None,
) -> None:
    if not files:
        return
    source = scan_sql(files, plan.contract)
    if plan.hashed:
        if key is None:
            raise ValueError("a plan with hashed columns needs a key")
        values = " UNION ".join(
            f"SELECT CAST({quote(c)} AS VARCHAR) AS v FROM {source}" for c in plan.hashed
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE masks AS SELECT v, {mask_sql('v')} AS h"
            f" FROM (SELECT DISTINCT v FROM ({values}) WHERE v IS NOT NULL)",
            list(mask_pads(key)),
        )
    wanted, joins = [], []
    for number, column in enumerate(plan.published.columns):
        name = quote(column.name)
        if column.name in plan.hashed:
            wanted.append(f"m{number}.h AS {name}")
            joins.append(
                f"LEFT JOIN temp.masks AS m{number} ON m{number}.v = CAST(s.{name} AS VARCHAR)"
            )
        else:
            wanted.append(f"s.{name}")
    # Sorted by what is written, never by a clear value under a mask: the order would tell it.
    order = dict.fromkeys((*plan.published.sort_key, *plan.published.key))
    by = f" ORDER BY {', '.join(quote(n) for n in order)}" if order else ""
    rows = f"SELECT {', '.join(wanted)} FROM {source} AS s {' '.join(joins)}"
    connection.execute(f"INSERT INTO {target} BY NAME SELECT * FROM ({rows}){by}")
    if plan.hashed:
        connection.execute("DROP TABLE temp.masks")


def _contents(
    connection: DuckDBPyConnection, plan: MaskPlan, target: str, intervals: frozenset[str] | None
) -> dict[str, Content]:
    """Rows and portable hash per interval, of the rows in the file."""
    column = plan.contract.interval_column
    published = plan.published
    if column is None:
        whole = connection.execute(portable_hash_sql(published, "duckdb", target)).fetchone()
        assert whole is not None
        found = {ALL: str(whole[0])}
    else:
        name = quote(column)
        among = ""
        if intervals is not None:
            days = ", ".join(f"DATE {literal(day)}" for day in sorted(intervals))
            among = f" WHERE {name} IN ({days})"
        inner = portable_hash_sql(published, "duckdb", target, f"{name} = interval_of.i")
        found = {
            str(day): str(value)
            for day, value in connection.execute(
                f"SELECT i, ({inner}) FROM (SELECT DISTINCT {name} AS i FROM {target}{among})"
                " AS interval_of"
            ).fetchall()
        }
    return {i: Content(int(h.split(":")[0]), h) for i, h in sorted(found.items())}


def _verify(plan: MaskPlan, files: Sequence[StoredFile], found: dict[str, Content]) -> None:
    expected: dict[str, int] = {}
    for file in files:
        expected[file.interval] = expected.get(file.interval, 0) + file.rows
    copied = {i: c.rows for i, c in found.items() if c.rows}
    if copied != {i: n for i, n in expected.items() if n}:
        wrong = sorted(set(expected.items()) ^ set(copied.items()))[:4]
        raise NotPublishableError(
            plan.contract.product,
            plan.audience.name,
            f"the copy and the version's log disagree on rows: {wrong}",
        )


def total(contents: Sequence[Content]) -> Content:
    """The content of several intervals together: counts and sums add up."""
    parts = [[int(n) for n in c.hash.split(":")] for c in contents]
    rows, high, low = (sum(p[i] for p in parts) for i in range(3))
    return Content(rows, f"{rows}:{high}:{low}")
