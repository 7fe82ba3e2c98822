"""What differs between an interval in the last published file and in the one being made.

Both are masked files of one audience. Compared are the columns that both show in the same way,
so nothing above the audience's clearance is ever looked at; totals are of columns in clear that
the field dictionary declares additive (``sum: true``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.build import interval_filter
from catalog.masking import MaskPlan
from catalog.snapshot import literal, quote
from contracts.compile.duckdb import duckdb_type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAST = "was"
"""The alias under which the last published file is attached."""


@dataclass(frozen=True)
class Total:
    """The sum of one additive column over an interval, before and after; None without rows."""

    column: str
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True)
class Difference:
    """Rows of an interval by key; ``changed`` is None where the file has no key to match by."""

    rows_before: int
    rows_after: int
    added: int
    removed: int
    changed: int | None
    totals: tuple[Total, ...]

    @property
    def found(self) -> bool:
        """True when any row differs."""
        return bool(self.added or self.removed or self.changed)


@contextmanager
def attached(connection: DuckDBPyConnection, last: Path, audience: str) -> Iterator[bool]:
    """Attach the last published file as ``was``; False when it is not there or not readable."""
    import duckdb

    there = False
    try:
        if last.exists():
            connection.execute(f"ATTACH {literal(str(last))} AS {LAST} (READ_ONLY)")
            named = connection.execute(f"SELECT audience FROM {LAST}._meta.publication").fetchone()
            there = named == (audience,)
    except duckdb.Error:  # damaged, or not ours: the new file is built from the lake all the same
        there = False
    try:
        yield there
    finally:
        connection.execute(f"DETACH DATABASE IF EXISTS {LAST}")


def comparable(
    connection: DuckDBPyConnection, plan: MaskPlan, same_key: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns of a product that both files show alike: all of them, and those in clear.

    ``same_key``: both files were masked with one key, so that hashed ids can be compared.
    """
    rows = connection.execute(
        f"SELECT column_name, type, shown FROM {LAST}._meta.column WHERE product = ?",
        [plan.contract.product],
    ).fetchall()
    then: Mapping[str, tuple[str, str]] = {name: (kind, shown) for name, kind, shown in rows}
    treatment = {c.name: t for c, t in plan.treatments}
    alike = [
        c.name
        for c in plan.published.columns
        if then.get(c.name) == (duckdb_type(c.type), treatment[c.name])
        and (treatment[c.name] == "clear" or same_key)
    ]
    return tuple(alike), tuple(n for n in alike if treatment[n] == "clear")


def difference(
    connection: DuckDBPyConnection,
    plan: MaskPlan,
    interval: str,
    columns: Sequence[str],
    clear: Sequence[str],
) -> Difference:
    """Compare one interval of ``was`` with the current database, over ``columns``.

    Rows of one key that are there several times count as often; the cost is one scan of the
    interval in each file.
    """
    table = f"{quote(plan.contract.layer)}.{quote(plan.contract.name)}"
    where = interval_filter(plan, interval)
    key = plan.published.key if set(plan.published.key) <= set(columns) else ()
    values = [quote(c) for c in columns if c not in key]
    hashed = f"hash({', '.join(values)})" if values else "hash(0)"
    # No column of a product starts with _ in a published file, so these two names are free.
    # Without a key whole rows are matched: then a changed row is one less and one more.
    by = ", ".join(quote(k) for k in key) or "_row"
    shown = f"{by}, {hashed} AS _row" if key else f"{hashed} AS _row"
    rows = connection.execute(
        f"""
        WITH both_files AS (
          SELECT 0 AS _file, {shown} FROM {LAST}.{table} WHERE {where}
          UNION ALL SELECT 1, {shown} FROM {table} WHERE {where}
        ), matched AS (
          SELECT count(*) FILTER (_file = 0) AS o, count(*) FILTER (_file = 1) AS n,
                 sum(_row::HUGEINT) FILTER (_file = 0) AS old_rows,
                 sum(_row::HUGEINT) FILTER (_file = 1) AS new_rows
          FROM both_files GROUP BY {by}
        )
        SELECT coalesce(sum(o), 0), coalesce(sum(n), 0),
               coalesce(sum(greatest(n - o, 0)), 0), coalesce(sum(greatest(o - n, 0)), 0),
               coalesce(sum(CASE WHEN o > 0 AND n > 0 AND old_rows <> new_rows
                                 THEN least(o, n) ELSE 0 END), 0)
        FROM matched
        """
    ).fetchone()
    assert rows is not None
    before, after, added, removed, changed = (int(n) for n in rows)
    summed = [c.name for c in plan.published.columns if c.values_from == "sum" and c.name in clear]
    totals = _totals(connection, table, where, summed)
    return Difference(before, after, added, removed, changed if key else None, totals)


def _totals(
    connection: DuckDBPyConnection, table: str, where: str, columns: Sequence[str]
) -> tuple[Total, ...]:
    if not columns:
        return ()
    sums = ", ".join(f"CAST(sum({quote(c)}) AS VARCHAR)" for c in columns)
    found = []
    for place in (f"{LAST}.", ""):
        sql = f"SELECT {sums} FROM {place}{table} WHERE {where}"
        row = connection.execute(sql).fetchone() or ()
        found.append([None if v is None else Decimal(v) for v in row])
    return tuple(Total(*each) for each in zip(columns, *found, strict=True))
