"""JSON documents: the exchange's ``.dat`` replies and lists of reference data.

A record keeps the exact text it was delivered as, so that every generation of a source fits the
same bronze table: columns ``section`` (where the record stood), ``header`` (the document's
top-level scalars as JSON) and ``record``. Columns named in the contract besides these are filled
from fields of the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from contracts.model import Contract, Format
from pipelines.sources.errors import MalformedFileError
from pipelines.sources.shape import ROW_NUMBER, shape_batch
from pipelines.sources.text import TextFile, text_chunks

BATCH = 8_192
WHOLE = "$"
Record = tuple[str, msgspec.Raw]
_raw_map = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


def probe(file: TextFile, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the document differs from the format's sections and keys; empty when it agrees."""
    header, records = _open(file, form)
    del header
    words: list[str] = []
    first = records[0][0] if records else None
    for section, raw in records:
        if section != first or not (form.required_keys or form.absent_keys):
            break
        keys = _keys(raw)
        missing = [k for k in form.required_keys if k not in keys]
        extra = [k for k in form.absent_keys if k in keys]
        if missing:
            words.append(f"records without {', '.join(missing)}")
        if extra:
            words.append(f"records with {', '.join(extra)}")
        if words:
            break
    return tuple(words)


def batches(file: TextFile, form: Format, contract: Contract) -> Iterator[pa.RecordBatch]:
    """Record batches of text; ``_row_number`` is the record's ordinal over all sections."""
    header, records = _open(file, form)
    head = msgspec.json.encode(header).decode()
    wanted = {c.name for c in contract.business_columns} - {"section", "header", "record"}
    for start in range(0, len(records), BATCH):
        part = records[start : start + BATCH]
        columns: dict[str, pa.Array] = {
            "section": pa.array([s for s, _ in part], pa.string()),
            "header": pa.array([head] * len(part), pa.string()),
            "record": pa.array([bytes(raw).decode() for _, raw in part], pa.string()),
            ROW_NUMBER: pa.array(range(start + 1, start + 1 + len(part)), pa.int64()),
        }
        if wanted:
            fields = [as_texts(bytes(raw)) for _, raw in part]
            for name in wanted:
                source = next((s for s, b in form.rename.items() if b == name), name)
                columns[source] = pa.array([f.get(source) for f in fields], pa.string())
        yield shape_batch(columns, form, contract)


def header_of(file: TextFile) -> dict[str, Any]:
    """The document's top-level scalars (dates, codes, messages)."""
    top = _parse(file, _raw_map.decode)
    return {k: msgspec.json.decode(v) for k, v in top.items() if bytes(v)[:1] not in (b"[", b"{")}


def holds_data(records: Iterable[str], keys: Sequence[str]) -> bool:
    """True when any record has a filled value under one of ``keys`` (no keys: any record)."""
    for text in records:
        if not keys:
            return True
        fields = as_texts(text.encode())
        if any((fields.get(key) or "").strip() for key in keys):
            return True
    return False


def as_texts(raw: bytes) -> dict[str, str | None]:
    """A JSON object's fields as delivered text; numbers keep every digit, null is None."""
    value = json.loads(raw, parse_int=str, parse_float=str, parse_constant=str)
    if not isinstance(value, dict):
        return {"value": _text(value)}
    return {str(k): _text(v) for k, v in value.items()}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _open(file: TextFile, form: Format) -> tuple[dict[str, Any], list[Record]]:
    """The header and the records, in document order."""
    if form.sections == (WHOLE,):
        return {}, [(WHOLE, raw) for raw in _parse(file, _raw_list.decode)]
    top = _parse(file, _raw_map.decode)
    header: dict[str, Any] = {}
    records: list[Record] = []
    for key, raw in top.items():
        if bytes(raw)[:1] not in (b"[", b"{"):
            header[key] = msgspec.json.decode(raw)
        elif key in form.sections:
            records += [(key, r) for r in _list(file, key, raw)]
        elif f"{key}.*" in form.sections or "*.*" in form.sections:
            records += [(f"{key}.{k}", r) for k, r in _map(file, key, raw).items()]
    first = form.sections[0] if form.sections else ""
    if "*" not in first and first not in top:
        raise MalformedFileError(file.name, form.kind, f"section {first!r} is missing")
    return header, records


def _parse(file: TextFile, decode: Any) -> Any:
    if file.unpacked > file.limits.document:
        reason = f"one JSON document of {file.unpacked:,} bytes is more than fits in memory"
        raise MalformedFileError(file.name, "JSON", reason)
    data = b"".join(text_chunks(file)).strip()
    if data[:1] == b"<":
        raise MalformedFileError(file.name, "JSON", "it is an HTML or XML page")
    try:
        return decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedFileError(file.name, "JSON", str(error).rstrip(".")) from None


def _list(file: TextFile, key: str, raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _raw_list.decode(raw)
    except msgspec.DecodeError:
        raise MalformedFileError(file.name, "JSON", f"{key!r} is not a list") from None


def _map(file: TextFile, key: str, raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _raw_map.decode(raw)
    except msgspec.DecodeError:
        raise MalformedFileError(file.name, "JSON", f"{key!r} is not an object") from None


def _keys(raw: msgspec.Raw) -> frozenset[str]:
    try:
        return frozenset(_raw_map.decode(raw))
    except msgspec.DecodeError:
        return frozenset()
