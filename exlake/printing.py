"""Listings, as a table for people or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Row = Mapping[str, Any]


def listing(
    rows: Iterable[Row], columns: Sequence[str], *, title: str, as_json: bool, empty: str = ""
) -> None:
    """Print rows: all fields as JSON, or the named columns as a table."""
    found = list(rows)
    if as_json:
        document(found)
    elif not found:
        typer.echo(empty or f"{title}: nothing.")
    else:
        _table(found, columns, title)


def document(value: Any) -> None:
    """Print a value as JSON; Chinese stays readable."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def _table(rows: list[Row], columns: Sequence[str], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        number = all(isinstance(r.get(column), int | float | None) for r in rows)
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text(row.get(column)) for column in columns))
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def plain(value: Decimal | None) -> str:
    """A sum, grouped, without zeros that say nothing; a dash for none.

    >>> plain(Decimal("7894887130.500000")), plain(None)
    ('7,894,887,130.5', '-')
    """
    if value is None:
        return "-"
    shown = f"{value:,f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def text(value: Any) -> str:
    """One cell: numbers grouped, times short, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, timedelta):
        hours, rest = divmod(int(value.total_seconds()), 3600)
        return f"{hours // 24}d {hours % 24}h" if hours >= 24 else f"{hours}h {rest // 60:02d}m"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ", ".join(text(v) for v in value)
    return str(value)
