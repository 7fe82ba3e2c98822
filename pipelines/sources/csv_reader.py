"""CSV: with or without a header line, LF, CRLF or CR, quoted line breaks; every value as text."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import deque
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from contracts.model import Contract, Format
from pipelines.sources.errors import MalformedFileError
from pipelines.sources.shape import (
    ROW_NUMBER,
    delivered_columns,
    differences,
    ordinals,
    shape_batch,
)
from pipelines.sources.text import ChunkStream, TextFile, text_chunks

BLOCK = 4 << 20
HEADER_LIMIT = 64_000
AROUND = " \t\ufeff"
"""What may stand around a name of a header that comes again, a byte-order mark included."""
SEPARATORS = ",;\t|"
PAGES = ("<!doctype", "<html", "<table", "<meta", "<?xml")
"""How a page begins that stands where a table should: an error, or what a program exported."""
# Of the whole process; without it a long quoted text would be an error of the standard library's.
csv.field_size_limit(BLOCK)


def probe(file: TextFile, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the header differs from the format's; empty when it agrees.

    Without a header line the number of fields of the first record is compared, and its text with
    the format's ``record``.
    """
    first = _first_record(file, form)
    expected = delivered_columns(form, contract)
    if first is not None and first[0].lstrip().lower().startswith(PAGES):
        return ("a web page instead of a table",)
    if first is not None and len(first) == 1 and (other := _separator(first[0], expected, form)):
        return (f"fields separated by {other!r} instead of {form.delimiter!r}",)
    if form.headerless:
        if first is not None and len(first) != len(expected):
            return (f"{len(first)} fields instead of {len(expected)}",)
        line = None if first is None else form.delimiter.join(first)
        if line is None or form.record is None or re.fullmatch(form.record, line):
            return ()
        return (f"a first record unlike {form.record}",)
    if first is None:
        return ("the file has no header line",)
    return differences([name.strip() for name in first], expected)


def batches(file: TextFile, form: Format, contract: Contract) -> Iterator[pa.RecordBatch]:
    """Record batches of text in the contract's business columns, plus the record's ordinal.

    ``_row_number`` counts data records from 1 (not lines: a quoted value may hold line breaks).
    Raises MalformedFileError with the record's number when a record has another number of fields
    or is the header line again, with the line's when a quotation mark is not closed.
    """
    names = list(delivered_columns(form, contract))
    if not form.headerless:
        header = _first_record(file, form)
        if header is None:
            return
        names = [name.strip() for name in header]
    if file.quoted:
        _check_quotes(file, form)
    bad: list[pacsv.InvalidRow] = []

    def refuse(row: pacsv.InvalidRow) -> str:
        bad.append(row)
        return "error"

    chunks = _from_first_record(file)
    start = next(chunks, b"")
    if not start:
        return
    read = pacsv.ReadOptions(
        use_threads=False,
        block_size=BLOCK,
        column_names=names,
        skip_rows_after_names=0 if form.headerless else 1,
    )
    parse = pacsv.ParseOptions(
        delimiter=form.delimiter,
        quote_char='"' if file.quoted else False,
        newlines_in_values=file.quoted,
        invalid_row_handler=refuse,
    )
    convert = pacsv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=False
    )
    stream = pa.PythonFile(ChunkStream(itertools.chain([start], chunks)), mode="r")
    count = 0
    try:
        for batch in pacsv.open_csv(stream, read, parse, convert):
            if batch.num_rows == 0:
                continue
            if not form.headerless:
                _refuse_header(file, batch, names, count)
            numbers = ordinals(count, batch.num_rows)
            count += batch.num_rows
            columns = {name: batch.column(i) for i, name in enumerate(names)}
            yield shape_batch({**columns, ROW_NUMBER: numbers}, form, contract)
    except pa.ArrowException as error:
        if _only_header(file, form):
            return
        raise MalformedFileError(file.name, "CSV", _reason(error, bad, form, count)) from None


def _separator(line: str, expected: tuple[str, ...], form: Format) -> str | None:
    """The other character that parts the line into the expected fields; None when none does."""
    for other in SEPARATORS:
        fields = [field.strip(f'{AROUND}"') for field in line.split(other)]
        same = len(fields) == len(expected) if form.headerless else set(fields) == set(expected)
        if other != form.delimiter and len(fields) > 1 and same:
            return other
    return None


def _from_first_record(file: TextFile) -> Iterator[bytes]:
    """The text from its first line that is not empty."""
    begun = False
    for chunk in text_chunks(file):
        data = chunk if begun else chunk.lstrip(b"\r\n")
        begun = begun or bool(data)
        if data:
            yield data


def _first_record(file: TextFile, form: Format) -> list[str] | None:
    """The first record's fields, None when the file has none."""
    head = b""
    for chunk in _from_first_record(file):
        head += chunk
        if len(head) >= HEADER_LIMIT:
            break
    if not head.strip():
        return None
    text = head[:HEADER_LIMIT].decode("utf-8", errors="ignore")
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter), None)


def _check_quotes(file: TextFile, form: Format) -> None:
    """Raise MalformedFileError for a quotation mark that is not closed, or not where it may be.

    Arrow takes whatever follows as part of the value, up to the end of the file: lost rows.
    """
    raw = io.BufferedReader(ChunkStream(_from_first_record(file)), BLOCK)
    lines = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    reader = csv.reader(lines, delimiter=form.delimiter, strict=True)
    try:
        deque(reader, maxlen=0)
    except csv.Error as error:
        reason = f"{error}, at line {reader.line_num:,}"
        raise MalformedFileError(file.name, "CSV", reason) from None


def _refuse_header(file: TextFile, batch: pa.RecordBatch, names: list[str], before: int) -> None:
    """Raise MalformedFileError when a record is the header line: two files in one."""
    same = pc.equal(pc.utf8_trim(batch.column(0), characters=AROUND), names[0])
    for at in pc.indices_nonzero(same).to_pylist():
        if [str(batch.column(i)[at]).strip(AROUND) for i in range(len(names))] == names:
            reason = f"record {before + at + 1:,} is the header line again"
            raise MalformedFileError(file.name, "CSV", reason)


def _only_header(file: TextFile, form: Format) -> bool:
    """True for a header line alone, without a line end."""
    lines = b"".join(itertools.islice(text_chunks(file), 2)).strip().splitlines()
    return not form.headerless and len(lines) <= 1


def _reason(error: Exception, bad: list[pacsv.InvalidRow], form: Format, count: int) -> str:
    if bad:
        row = bad[0]
        number = row.number - (0 if form.headerless else 1) if row.number is not None else None
        where = f"record {number:,}" if number is not None else f"a record after {count:,}"
        return f"{where} has {row.actual_columns} fields instead of {row.expected_columns}"
    # Arrow's text may quote the row itself: keep only its first clause.
    what = str(error).split(":", 1)[0].strip().rstrip(".") or type(error).__name__
    return f"{what}, after record {count:,}"
