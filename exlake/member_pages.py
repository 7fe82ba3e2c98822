"""Writing the member pages of a date from an audience's published file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.members.asking import Desk


@dataclass(frozen=True)
class Written:
    """Where the pages of a date stand, and how many there are."""

    date: str
    pages: int
    index: Path


def put_pages(desk: Desk, on: date, folder: Path | None = None) -> Written:
    """Write league table, member pages and chart library into ``folder`` (default
    ``reports/members/<date>`` of the lake). Raises UnknownMemberError for a date without any."""
    from catalog.charts import chart_files
    from catalog.members.pages import write_pages

    made = write_pages(desk, on)
    to = folder or desk.settings.home / "reports" / "members" / on.isoformat()
    to.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (to / name).write_text(text, encoding="utf-8")
    for name, data in chart_files(desk.settings.jars).items():
        (to / name).write_bytes(data)
    return Written(on.isoformat(), len(made), to / "index.html")
