"""The exchange's web page of warehouse stocks, which took the place of its file in 2026.

Each line of its tables becomes a record with the keys of the earlier JSON files (VARNAME, REGNAME,
WHABBRNAME, WGHTUNIT, WRTWGHTS, WRTCHANGE, ROWSTATUS), so that one job reads all generations. A
region stands once for all its lines; texts are as on the page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pyarrow as pa

from contracts.model import Contract, Format
from pipelines.sources.errors import MalformedFileError
from pipelines.sources.shape import ROW_NUMBER, shape_batch
from pipelines.sources.text import TextFile, text_chunks

SECTION = "page"
SUBTOTAL = "合计"
PAGE_LIMIT = 500_000
"""Bytes of a page: the exchange's are of some 50,000, and a parser of pages can be made slow."""
COLUMNS = 4
HEADINGS = (("地区",), ("仓库", "厂库", "交割仓库"), ("期货", "本日数量"), ("增减",))
"""How the columns are headed: region, warehouse, stock, change."""
_DATE = re.compile(r"(20\d\d)-(\d\d)-(\d\d)")
_UNIT = re.compile(r"单位[:：]\s*(\S+)")


@dataclass
class _Cell:
    columns: int = 1
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What the cell says."""
        return "".join(self.pieces).strip()


@dataclass
class _Line:
    style: str
    number: int
    """Line of the file, from 1."""
    heading: bool = False
    cells: list[_Cell] = field(default_factory=list)


class _Tables(HTMLParser):
    """Collects the lines of all tables; knows whether the page came to its end."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[_Line] = []
        self.ended = False
        self._cell: _Cell | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line or a cell."""
        given = dict(attrs)
        if tag == "tr":
            self.lines.append(_Line(given.get("class") or "", self.getpos()[0]))
        elif tag in ("td", "th") and self.lines:
            self._cell = _Cell(columns=_span(given.get("colspan")))
            self.lines[-1].heading |= tag == "th"
            self.lines[-1].cells.append(self._cell)

    def handle_endtag(self, tag: str) -> None:
        """End a cell, or the page."""
        if tag in ("td", "th"):
            self._cell = None
        self.ended |= tag == "html"

    def handle_data(self, data: str) -> None:
        """Add text to the cell it stands in."""
        if self._cell is not None:
            self._cell.pieces.append(data)


def probe(file: TextFile, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the page's tables differ from what is known; empty when they fit."""
    headings = [line for line in _lines(file) if line.heading]
    if not headings:
        return ("the page has no table with headings",)
    for line in headings:
        if len(line.cells) != COLUMNS:
            return (f"a table of {len(line.cells)} columns instead of {COLUMNS}",)
        wrong = tuple(
            f"column {place} headed {cell.text[:20]!r} instead of {' or '.join(known)},"
            f" as line {line.number}"
            for place, (cell, known) in enumerate(zip(line.cells, HEADINGS, strict=True), start=1)
            if cell.text not in known
        )
        if wrong:
            return wrong
    return ()


def batches(file: TextFile, form: Format, contract: Contract) -> Iterator[pa.RecordBatch]:
    """One record batch; ``_row_number`` is the ordinal of the line among the tables' lines."""
    lines = _lines(file)
    records = list(_records(file, lines))
    if not records:
        return
    head = json.dumps({"report_date": _report_date(lines)}, ensure_ascii=False)
    columns = {
        "section": pa.array([SECTION] * len(records), pa.string()),
        "header": pa.array([head] * len(records), pa.string()),
        "record": pa.array([json.dumps(r, ensure_ascii=False) for r in records], pa.string()),
        ROW_NUMBER: pa.array(range(1, len(records) + 1), pa.int64()),
    }
    yield shape_batch(columns, form, contract)


def header_of(file: TextFile) -> dict[str, str]:
    """The date the page gives itself, as ``report_date`` (YYYYMMDD; empty when it gives none)."""
    return {"report_date": _report_date(_lines(file))}


def _lines(file: TextFile) -> list[_Line]:
    if file.unpacked > PAGE_LIMIT:
        reason = f"{file.unpacked:,} bytes are too many for a page"
        raise MalformedFileError(file.name, "page", reason)
    page = _Tables()
    # Without close(): what stands open at the end of a page makes the parser quadratic there, and
    # nothing behind the end tag is wanted.
    page.feed(b"".join(text_chunks(file)).decode())
    if not page.ended:
        raise MalformedFileError(
            file.name, "page", f"it ends early at line {page.getpos()[0]}, or is no web page"
        )
    return page.lines


def _records(file: TextFile, lines: list[_Line]) -> Iterator[dict[str, str]]:
    commodity = unit = region = ""
    known = False
    for line in lines:
        cells = line.cells
        said = _UNIT.search(cells[-1].text) if cells else None
        if line.heading or not cells:
            known = known or line.heading
            continue
        if said is not None:
            commodity, unit, region = cells[0].text, said[1], ""
            continue
        if not known:
            continue  # lines above the first table: title and notes
        if len(cells) == COLUMNS:
            region, cells = cells[0].text, cells[1:]
        if len(cells) != COLUMNS - 1:
            reason = f"the row at line {line.number} has {len(cells)} cells"
            raise MalformedFileError(file.name, "page", reason)
        total = "isTotal" in line.style or cells[0].columns > 1
        name, stock, change = (cell.text for cell in cells)
        status = "0" if not total else "1" if name == SUBTOTAL else "2"
        yield {
            "VARNAME": commodity,
            "REGNAME": "" if status == "2" else region,
            "WHABBRNAME": name,
            "WGHTUNIT": unit,
            "WRTWGHTS": stock,
            "WRTCHANGE": change,
            "ROWSTATUS": status,
        }


def _report_date(lines: list[_Line]) -> str:
    for line in lines:
        for cell in line.cells:
            found = _DATE.search(cell.text)
            if found:
                return "".join(found.groups())
    return ""


def _span(text: str | None) -> int:
    return int(text) if text and re.fullmatch("[1-9][0-9]{0,3}", text) else 1
