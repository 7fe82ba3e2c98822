"""XLSX with ids as text, no formula, and a second sheet that says where the rows come from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.export.sheet import ExportRefusedError, Sheet, rows_of

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_575
"""Excel's limit, less the header (Microsoft: Excel specifications and limits)."""
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767
"""Of one cell, same source."""
EXACT_DIGITS = 15
"""Numbers with more significant digits are rounded by Excel, so they are written as text."""
FIRST_DAY = date(1900, 3, 1)
"""Excel counts a 29 February 1900 that never was; dates before its end are written as text."""
OPTIONS: dict[str, Any] = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_workbook(sheet: Sheet, draft: Path) -> tuple[int, tuple[str, ...]]:
    """Write the rows and their origin; returns the row count and what had to be changed.

    Raises ExportRefusedError when there is more than Excel can hold.
    """
    import xlsxwriter

    names = sheet.schema.names
    if len(names) > MOST_COLUMNS:
        raise _too_much(draft, f"{len(names)} columns, Excel holds {MOST_COLUMNS:,}")
    with xlsxwriter.Workbook(str(draft), OPTIONS | {"tmpdir": str(draft.parent)}) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        page = _Page(
            book.add_worksheet("data 数据"),
            book.add_format({"num_format": "@"}),
            book.add_format({"num_format": "yyyy-mm-dd"}),
            book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}),
        )
        page.sheet.freeze_panes(1, 0)
        page.sheet.set_column(0, len(names) - 1, 16)
        for column, name in enumerate(names):
            page.sheet.write_string(0, column, name[:MOST_CHARACTERS], bold)
        count = 0
        for batch in sheet.batches:
            for row in rows_of(batch):
                count += 1
                if count > MOST_ROWS:
                    raise _too_much(draft, f"more than {MOST_ROWS:,} rows, which is all a sheet of "
                                    "Excel holds")  # fmt: skip
                for column, value in enumerate(row):
                    page.write(count, column, value)
        notes = page.notes()
        about = book.add_worksheet("about 说明")
        about.set_column(0, 1, 18)
        about.set_column(2, 2, 100)
        for line, texts in enumerate(sheet.about.lines(count, notes)):
            for column, text in enumerate(texts):
                about.write_string(line, column, text[:MOST_CHARACTERS])
    return count, notes


def _too_much(draft: Path, what: str) -> ExportRefusedError:
    hint = "narrow the query, or write .csv or .parquet, which have no limit."
    return ExportRefusedError(draft, what, hint)


@dataclass
class _Page:
    """Writes one cell by what it holds."""

    sheet: Worksheet
    text: Any
    day: Any
    moment: Any
    counts: dict[str, int] = field(default_factory=dict)

    def write(self, row: int, column: int, value: object) -> None:
        match value:
            case None:
                pass
            case bool():
                self.sheet.write_boolean(row, column, value)
            case int() if len(str(abs(value))) <= EXACT_DIGITS:
                self.sheet.write_number(row, column, value)
            case Decimal() if _exact(value):
                self.sheet.write_number(row, column, float(value))
            case float() if math.isfinite(value):
                self.sheet.write_number(row, column, value)
            case datetime() if value.date() >= FIRST_DAY:
                plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
                if plain.microsecond % 1000:
                    self._count("times have a fraction below the millisecond, cut here")
                    plain = plain.replace(microsecond=plain.microsecond // 1000 * 1000)
                self.sheet.write_datetime(row, column, plain, self.moment)
            case date() if not isinstance(value, datetime) and value >= FIRST_DAY:
                self.sheet.write_datetime(row, column, value, self.day)
            case Decimal():
                self._count("numbers have more digits than Excel keeps, so they are texts")
                self._string(row, column, format(value, "f"))
            case int():
                self._count("numbers have more digits than Excel keeps, so they are texts")
                self._string(row, column, str(value))
            case _:
                self._string(row, column, str(value))

    def notes(self) -> tuple[str, ...]:
        """What differs from the answer, with how many cells."""
        return tuple(f"{n:,} {what}" for what, n in self.counts.items())

    def _string(self, row: int, column: int, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            self._count(f"texts are cut at {MOST_CHARACTERS:,} characters, all that a cell holds")
            text = text[: MOST_CHARACTERS - 1] + "…"
        self.sheet.write_string(row, column, text, self.text)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def _exact(value: Decimal) -> bool:
    """True when the number's digits, trailing zeros aside, are no more than Excel keeps."""
    return len(format(value, "f").strip("-0").replace(".", "").strip("0")) <= EXACT_DIGITS
