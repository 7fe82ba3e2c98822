"""A hash of a product's content that every engine computes alike.

The hash is ``rows:high:low``: the row count and the sums, over rows, of the upper and lower 64
bits of md5 over the row's canonical text. Sums count duplicates (XOR would cancel them) and do
not depend on order. A row's text is, per business column in contract order, ``~`` for null or
``<length>:<text>``: no value can imitate a boundary. Canonical text: strings as they are,
integers and decimals as plain digits (decimals with their scale), booleans ``true``/``false``,
dates ``yyyy-mm-dd``, timestamps as microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from typing import Literal

from contracts.model import Column, Contract

Dialect = Literal["spark", "duckdb"]

EMPTY = "0:0:0"
"""The hash of no rows."""


def portable_hash_sql(
    contract: Contract, dialect: Dialect, relation: str, where: str | None = None
) -> str:
    """SQL that returns one row with one string column ``hash``.

    ``relation`` is anything that may follow FROM (a table, a view, ``read_parquet(...)``, an
    Arrow table registered in DuckDB, which is how delta-rs' rows are hashed); ``where`` limits
    the rows, for example to one interval. Timestamps must be stored as UTC instants.
    """
    texts = [_netstring(c, dialect) for c in contract.business_columns]
    row = f"concat({', '.join(texts)})"
    if dialect == "spark":
        high = "cast(conv(substr(m, 1, 16), 16, 10) as decimal(20,0))"
        low = "cast(conv(substr(m, 17, 16), 16, 10) as decimal(20,0))"
        text = "string"
    else:
        high = "('0x' || substr(m, 1, 16))::UBIGINT"
        low = "('0x' || substr(m, 17, 16))::UBIGINT"
        text = "varchar"
    limit = f" WHERE {where}" if where else ""
    return (
        f"SELECT concat(cast(count(*) as {text}), ':', "
        f"cast(coalesce(sum({high}), 0) as {text}), ':', "
        f"cast(coalesce(sum({low}), 0) as {text})) AS hash "
        f"FROM (SELECT md5({row}) AS m FROM {relation}{limit}) AS canonical"
    )


def _netstring(column: Column, dialect: Dialect) -> str:
    text = _canonical(column, dialect)
    return (
        f"coalesce(concat(cast(length({text}) as string), ':', {text}), '~')"
        if (dialect == "spark")
        else f"coalesce(length({text}) || ':' || {text}, '~')"
    )


def _canonical(column: Column, dialect: Dialect) -> str:
    name = f"`{column.name}`" if dialect == "spark" else f'"{column.name}"'
    text = "string" if dialect == "spark" else "varchar"
    kind = column.type
    if kind == "string":
        return name
    if kind == "timestamp":
        micros = f"unix_micros({name})" if dialect == "spark" else f"epoch_us({name})"
        return f"cast({micros} as {text})"
    if kind.startswith("decimal"):
        # The cast pins precision and scale, whatever a reader made of the column.
        return f"cast(cast({name} as {kind}) as {text})"
    return f"cast({name} as {text})"
