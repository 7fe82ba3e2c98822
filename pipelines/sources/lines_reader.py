"""JSON Lines: one object per line; every value as the text it was delivered as."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from contracts.model import Contract, Format
from pipelines.sources.errors import MalformedFileError
from pipelines.sources.json_reader import as_texts
from pipelines.sources.shape import ROW_NUMBER, delivered_columns, differences, shape_batch
from pipelines.sources.text import TextFile, text_chunks

BATCH = 8_192
BATCH_BYTES = 32_000_000
LINE_LIMIT = 16_000_000


def probe(file: TextFile, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the first object's keys differ from the format's; empty when they agree."""
    for _, line in _lines(file):
        found = list(_object(file, 1, line))
        expected = delivered_columns(form, contract)
        return tuple(w for w in differences(found, expected) if not _optional(w, form))
    return ()


def batches(file: TextFile, form: Format, contract: Contract) -> Iterator[pa.RecordBatch]:
    """Record batches of text; ``_row_number`` counts non-blank lines from 1.

    Raises MalformedFileError with the record's number for a line that is not a JSON object or
    that carries a field the format does not know.
    """
    expected = delivered_columns(form, contract)
    known = frozenset(expected)
    rows: list[dict[str, str | None]] = []
    count = size = 0
    for number, line in _lines(file):
        row = _object(file, number, line)
        if not known.issuperset(row):
            extra = ", ".join(sorted(set(row) - known)[:5])
            raise MalformedFileError(
                file.name, "JSON Lines", f"record {number:,} has {extra[:200]}"
            )
        rows.append(row)
        size += len(line)
        if len(rows) == BATCH or size > BATCH_BYTES:
            yield _batch(rows, count, expected, form, contract)
            count += len(rows)
            rows, size = [], 0
    if rows:
        yield _batch(rows, count, expected, form, contract)


def _batch(
    rows: list[dict[str, str | None]],
    before: int,
    expected: tuple[str, ...],
    form: Format,
    contract: Contract,
) -> pa.RecordBatch:
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in expected}
    numbers = pa.array(range(before + 1, before + 1 + len(rows)), pa.int64())
    return shape_batch({**columns, ROW_NUMBER: numbers}, form, contract)


def _lines(file: TextFile) -> Iterator[tuple[int, bytes]]:
    """(ordinal, line) of every non-blank line; LF, CRLF and CR all end a line."""
    rest, number = b"", 0
    for chunk in text_chunks(file):
        parts = (rest + chunk).splitlines(keepends=True)
        # A chunk that ends in CR may continue with LF: keep the last piece either way.
        rest = parts.pop() if parts else b""
        if len(rest) > LINE_LIMIT:
            reason = f"the line after record {number:,} is longer than {LINE_LIMIT:,} bytes"
            raise MalformedFileError(file.name, "JSON Lines", reason)
        for part in parts:
            if part.strip():
                number += 1
                yield number, part
    for part in rest.splitlines():
        if part.strip():
            number += 1
            yield number, part


def _object(file: TextFile, number: int, line: bytes) -> dict[str, str | None]:
    try:
        row = as_texts(line)
    except (ValueError, RecursionError) as error:
        what = "half a character" if isinstance(error, UnicodeError) else str(error)
        raise MalformedFileError(
            file.name, "JSON Lines", f"record {number:,} is not valid JSON ({what})"
        ) from None
    if not line.lstrip().startswith(b"{"):
        raise MalformedFileError(file.name, "JSON Lines", f"record {number:,} is not an object")
    return row


def _optional(words: str, form: Format) -> bool:
    # JSON writers may leave a null field out: missing keys are NULL unless the format insists.
    return words.startswith("missing ") and not any(
        key in words.removeprefix("missing ").split(", ") for key in form.required_keys
    )
