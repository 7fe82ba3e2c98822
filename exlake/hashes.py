"""Portable hashes of what is stored, computed by DuckDB over exact files: no JVM."""

from __future__ import annotations

from typing import Any

from exlake.lake import Lake


def interval_hashes(lake: Lake, product: str, interval: str | None) -> list[dict[str, Any]]:
    """Rows ``product, interval, rows, version, hash``: the whole product, then each interval.

    With ``interval`` only that one. A product never built has none. Raises UnknownProductError.
    """
    import duckdb

    from catalog.snapshot import scan_sql
    from quality.hashing import portable_hash_sql

    contract = lake.catalogue[product]
    table = lake.table(product)
    if table.version < 0:
        return []
    wanted = [interval] if interval else [None, *table.intervals]
    rows: list[dict[str, Any]] = []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        for each in wanted:
            files = table.of(None if each is None else [each])
            sql = portable_hash_sql(contract, "duckdb", scan_sql(files, contract))
            found = connection.execute(sql).fetchone()
            value = found[0] if found else ""
            rows.append(
                {
                    "product": product,
                    "interval": each or "(all of it)",
                    "rows": int(value.split(":")[0]),
                    "version": table.version,
                    "hash": value,
                }
            )
    return rows
