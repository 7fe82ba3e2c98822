"""CSV that Excel opens rightly and that runs nothing."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from catalog.export.sheet import Sheet, rows_of

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First characters that make a spreadsheet take a text for a formula (OWASP, CSV injection; the
wide forms are taken alike by Chinese and Japanese editions)."""


def neutral(text: str) -> str:
    """A text that no spreadsheet runs: an apostrophe goes before one that looks like a formula.

    >>> neutral("=cmd|'/c calc'!A1"), neutral("00010001"), neutral("-")
    ("'=cmd|'/c calc'!A1", '00010001', "'-")
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def write_csv(sheet: Sheet, draft: Path) -> tuple[int, tuple[str, ...]]:
    """Write UTF-8 with a byte order mark, every text quoted, numbers bare; rows and notes.

    Quoted or not, Excel turns a text of digits into a number when it opens a CSV by a double
    click; XLSX keeps it. Where an apostrophe was added, a note says so.
    """
    count = changed = 0
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow([neutral(name) for name in sheet.schema.names])
        for batch in sheet.batches:
            for row in rows_of(batch):
                cells = [_cell(value) for value in row]
                changed += sum(
                    isinstance(v, str) and v != c for v, c in zip(row, cells, strict=True)
                )
                writer.writerow(cells)
                count += 1
    notes = [f"{changed} texts that look like formulas have an apostrophe before them"]
    return count, tuple(notes if changed else ())


def write_about(sheet: Sheet, beside: Path, rows: int, notes: tuple[str, ...]) -> None:
    """Write ``<file>.about.json``: a CSV has no room for what it comes from."""
    said = {en: value for _, en, value in sheet.about.lines(rows)}
    body = said | {"notes": list(notes)}
    beside.write_text(json.dumps(body, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _cell(value: object) -> object:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if isinstance(value, Decimal):
        return _Plain(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return neutral(str(value))


class _Plain(Decimal):
    """A decimal that the writer takes for a number and prints without an exponent."""

    def __str__(self) -> str:
        return format(self, "f")
