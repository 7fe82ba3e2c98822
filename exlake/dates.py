"""Ranges of dates as people type them: ``2026-01-05`` or ``2026-01-05..2026-01-07``."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

Dates = Annotated[
    str | None, typer.Option("--dates", metavar="A..B", help="Trade dates, both included.")
]


def parse_range(text: str) -> tuple[date, date]:
    """Both ends of a range, included. Raises typer.BadParameter for anything else."""
    first, _, last = text.partition("..")
    try:
        start, end = parse_day(first), parse_day(last or first)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no range of dates: write 2026-01-05 or 2026-01-05..2026-01-07"
        ) from None
    if end < start:
        raise typer.BadParameter(f"{text!r} ends before it begins")
    return start, end


def parse_day(text: str) -> date:
    """An ISO date; raises ValueError."""
    return date.fromisoformat(text.strip())


def optional_range(text: str | None) -> tuple[date, date] | None:
    """As ``parse_range``, None for None."""
    return parse_range(text) if text else None
