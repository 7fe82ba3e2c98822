"""DuckDB tables with Chinese and English comments."""

from __future__ import annotations

from collections.abc import Collection

from contracts.model import Column, Contract

_TYPE = {"string": "VARCHAR", "int": "INTEGER", "timestamp": "TIMESTAMP"}


def ddl(
    contract: Contract,
    schema: str,
    *,
    columns: Collection[str] | None = None,
    as_text: Collection[str] = (),
) -> str:
    """Return CREATE TABLE and COMMENT ON statements for ``schema.name``.

    ``columns``: the business columns to keep (default: all); technical ones are never served.
    ``as_text``: columns stored as VARCHAR because a keyed hash replaces their value. Timestamps are
    TIMESTAMP in UTC: DuckDB's zoned type needs one more Python package to be fetched.
    """
    kept = served(contract, columns)
    lines = ",\n".join(
        f"  {_name(c.name)} {'VARCHAR' if c.name in as_text else duckdb_type(c.type)}" for c in kept
    )
    table = f"{_name(schema)}.{_name(contract.name)}"
    return f"CREATE TABLE {table} (\n{lines}\n);\n{comments(contract, schema, columns=columns)}"


def comments(contract: Contract, schema: str, *, columns: Collection[str] | None = None) -> str:
    """Return the COMMENT ON statements alone: ``中文名 (English name): description``."""
    table = f"{_name(schema)}.{_name(contract.name)}"
    text = f"{contract.title_zh} ({contract.title}): {contract.description}"
    if contract.description_zh:
        text += f" {contract.description_zh}"
    statements = [f"COMMENT ON TABLE {table} IS {_text(text)};"]
    statements += [
        f"COMMENT ON COLUMN {table}.{_name(c.name)} IS {_text(column_comment(c))};"
        for c in served(contract, columns)
    ]
    return "\n".join(statements) + "\n"


def served(contract: Contract, columns: Collection[str] | None) -> tuple[Column, ...]:
    """Return the business columns to serve, in contract order."""
    return tuple(c for c in contract.business_columns if columns is None or c.name in columns)


def column_comment(column: Column) -> str:
    """Return one column's comment."""
    unit = f" [{column.unit}]" if column.unit else ""
    said = " ".join(t for t in (column.description, column.description_zh) if t)
    return f"{column.title_zh} ({column.title}){unit}: {said}"


def duckdb_type(type_: str) -> str:
    """Return the DuckDB type of a column type.

    >>> duckdb_type("decimal(18,4)"), duckdb_type("timestamp")
    ('DECIMAL(18,4)', 'TIMESTAMP')
    """
    return _TYPE.get(type_, type_.upper())


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
