"""The portable hash of a product, by DuckDB over its committed Delta files: no Spark."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import NoTableError
from catalog.snapshot import scan_sql
from contracts.catalogue import Catalogue
from pipelines.engine.settings import Settings
from pipelines.engine.tables import ALL, interval_column_of, open_table
from quality.hashing import EMPTY, portable_hash_sql


@dataclass(frozen=True)
class ProductHash:
    """The hash of a product (``interval`` None) or of one interval at a Delta version."""

    product: str
    interval: str | None
    version: int
    rows: int
    hash: str


def product_hash(
    settings: Settings, catalogue: Catalogue, product: str, interval: str | None = None
) -> ProductHash:
    """Hash what readers of the newest version see, technical columns aside.

    Raises UnknownProductError, and NoTableError when the product, or the interval of it, has
    never been written.
    """
    [found] = _hashes(settings, catalogue, product, [interval])
    return found


def interval_hashes(
    settings: Settings, catalogue: Catalogue, product: str
) -> tuple[ProductHash, ...]:
    """The hash of every interval of a product that holds rows, in order."""
    contract = catalogue[product]
    table = open_table(settings.storage, product, interval_column_of(contract))
    return _hashes(settings, catalogue, product, [i for i in table.intervals if i != ALL] or [None])


def _hashes(
    settings: Settings, catalogue: Catalogue, product: str, intervals: list[str | None]
) -> tuple[ProductHash, ...]:
    import duckdb

    contract = catalogue[product]
    table = open_table(settings.storage, product, interval_column_of(contract))
    if table.version < 0:
        raise NoTableError(product)
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        settings.storage.open_to(connection)
        found = []
        for interval in intervals:
            files = table.of(None if interval in (None, ALL) else [str(interval)])
            if interval is not None and not files:
                raise NoTableError(product, interval)
            sql = portable_hash_sql(contract, "duckdb", scan_sql(files, contract))
            row = connection.execute(sql).fetchone() if files else (EMPTY,)
            assert row is not None
            value = str(row[0])
            count = int(value.split(":")[0])
            found.append(ProductHash(product, interval, table.version, count, value))
        return tuple(found)
    finally:
        connection.close()
