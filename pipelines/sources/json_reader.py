"""JSON documents: the exchange's ``.dat`` replies and lists of reference data.

A record keeps the exact text it was delivered as, so that every generation of a source fits the
same bronze table: columns ``section`` (where the record stood), ``header`` (the document's
top-level scalars as JSON) and ``record``. Columns named in the contract besides these are filled
from fields of the record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from contracts.model import Contract, Format
from pipelines.sources.errors import MalformedFileError
from pipelines.sources.shape import ROW_NUMBER, differences, shape_batch
from pipelines.sources.text import TextFile, text_chunks

BATCH = 8_192
BATCH_BYTES = 32_000_000
"""Text of one batch, roughly: the header is repeated in every record."""
HEADER_LIMIT = 64_000
"""Bytes of a document's top-level scalars; the exchange's are of some 100."""
WHOLE = "$"
Record = tuple[str, msgspec.Raw]
_raw_map = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_CALL = re.compile(rb"([\w.$]{1,40})\s*\(")


def probe(file: TextFile, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the document differs from the format's sections and keys; empty when it agrees.

    Keys are those of every record of the first section; of a document of objects that hold no
    records but figures or lists, those of every such object.
    """
    top = _document(file, form)
    words = _section_differences(top, form)
    if words or not (form.required_keys or form.absent_keys):
        return words
    for place, keys in _keyed(file, form, top):
        if keys is None:
            return (f"{place} is not an object",)
        if keys.issuperset(form.required_keys) and keys.isdisjoint(form.absent_keys):
            continue
        words = tuple(
            f"{said}, as {place}"
            for said in differences(sorted(keys), form.required_keys)
            if not said.startswith("unexpected ")
        )
        extra = [k for k in form.absent_keys if k in keys]
        return (*words, *([f"unexpected {', '.join(extra)}, as {place}"] if extra else []))
    return ()


def batches(file: TextFile, form: Format, contract: Contract) -> Iterator[pa.RecordBatch]:
    """Record batches of text; ``_row_number`` is the record's ordinal over all sections.

    Raises MalformedFileError for what is no JSON document, for a key that comes twice in one
    object (which of the two was meant?), and for a document too large to be held in memory.
    """
    head, records = _open(file, form)
    wanted = {c.name for c in contract.business_columns} - {"section", "header", "record"}
    length = max(1, min(BATCH, BATCH_BYTES // (len(head) + file.unpacked // (len(records) or 1))))
    for start in range(0, len(records), length):
        part = records[start : start + length]
        columns: dict[str, pa.Array] = {
            "section": pa.array([s for s, _ in part], pa.string()),
            "header": pa.array([head] * len(part), pa.string()),
            "record": pa.array([bytes(raw).decode() for _, raw in part], pa.string()),
            ROW_NUMBER: pa.array(range(start + 1, start + 1 + len(part)), pa.int64()),
        }
        if wanted:
            fields = [_fields(file, n, raw) for n, (_, raw) in enumerate(part, start=start + 1)]
            for name in wanted:
                source = next((s for s, b in form.rename.items() if b == name), name)
                columns[source] = pa.array([f.get(source) for f in fields], pa.string())
        yield shape_batch(columns, form, contract)


def header_of(file: TextFile) -> dict[str, Any]:
    """The document's top-level scalars (dates, codes, messages)."""
    top = _parse(file, _raw_map.decode, checked=True)
    return {k: as_texts(bytes(v))["value"] for k, v in top.items() if not _nested(v)}


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
    """A JSON object's fields as delivered text; numbers keep every digit, null is None.

    Anything else becomes a field ``value``. Raises ValueError for what is no JSON, for a key that
    comes twice and for half a character, RecursionError for what is nested too deeply.
    """
    value = json.loads(
        raw, parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_once
    )
    if isinstance(value, dict):
        fields = {str(k): _text(v) for k, v in value.items()}
    else:
        fields = {"value": _text(value)}
    if b"\\u" in raw:
        # Half a surrogate pair can be escaped, but is no text that can be stored.
        "".join(f"{k}{v}" for k, v in fields.items()).encode()
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _open(file: TextFile, form: Format) -> tuple[str, list[Record]]:
    """The header, a JSON object of the top-level scalars as delivered, and the records in order."""
    return _unfold(file, form, _document(file, form))


def _document(file: TextFile, form: Format) -> Any:
    """The outermost level: a list where the document is one, else an object."""
    decode = _raw_list.decode if form.sections == (WHOLE,) else _raw_map.decode
    return _parse(file, decode, form.repeated_keys == "last")


def _section_differences(top: Any, form: Format) -> tuple[str, ...]:
    """How the sections with something in them differ from the format's; one may be left out."""
    if isinstance(top, list) or not form.sections or "*.*" in form.sections:
        return ()
    known = [section.removesuffix(".*") for section in form.sections]
    other = [k for k, v in top.items() if k not in known and _nested(v) and bytes(v)[1:-1].strip()]
    needed = [] if known[0] in top else known[:1]
    return tuple(f"sections: {said}" for said in differences(other, needed))


def _keyed(file: TextFile, form: Format, top: Any) -> Iterator[tuple[str, frozenset[str] | None]]:
    """(place, keys) of what has to hold the format's keys; keys None where it is no object."""
    _, records = _unfold(file, form, top)
    if "*.*" in form.sections and any(bytes(memoryview(raw)[:1]) != b"{" for _, raw in records):
        groups: dict[str, set[str]] = {}
        for section, _ in records:
            outer, _, inner = section.rpartition(".")
            groups.setdefault(outer, set()).add(inner)
        for number, inside in enumerate(groups.values(), start=1):
            yield f"object {number:,}", frozenset(inside)
        return
    first = form.sections[0].split(".", 1)[0] if form.sections else ""
    for number, (section, raw) in enumerate(records, start=1):
        if first in ("*", section.split(".", 1)[0]):
            yield f"record {number:,}", _keys(raw)


def _unfold(file: TextFile, form: Format, top: Any) -> tuple[str, list[Record]]:
    if isinstance(top, list):
        return "{}", [(WHOLE, raw) for raw in top]
    scalars: list[str] = []
    records: list[Record] = []
    for key, raw in top.items():
        if not _nested(raw):
            scalars.append(f"{json.dumps(key, ensure_ascii=False)}:{bytes(raw).decode().strip()}")
        elif key in form.sections:
            records += [(key, r) for r in _list(file, key, raw)]
        elif f"{key}.*" in form.sections or "*.*" in form.sections:
            records += [(f"{key}.{k}", r) for k, r in _map(file, key, raw).items()]
    head = "{" + ",".join(scalars) + "}"
    if len(head) > HEADER_LIMIT:
        reason = f"the document's header has more than {HEADER_LIMIT:,} characters"
        raise MalformedFileError(file.name, "JSON", reason)
    return head, records


def _parse(file: TextFile, decode: Any, checked: bool) -> Any:
    """The document's outermost level; ``checked``: no matter whether a key comes twice."""
    if file.unpacked > file.limits.document:
        reason = f"one JSON document of {file.unpacked:,} bytes is more than fits in memory"
        raise MalformedFileError(file.name, "JSON", reason)
    data = b"".join(text_chunks(file))
    if data.count(b",") > file.limits.values:
        reason = (
            f"a document of more than {file.limits.values:,} values is more than fits in memory"
        )
        raise MalformedFileError(file.name, "JSON", reason)
    start = data[:1_000].lstrip()
    if start[:1] == b"<":
        raise MalformedFileError(file.name, "JSON", "its first byte is that of an HTML or XML page")
    try:
        json.loads(data, parse_int=_seen, parse_float=_seen, parse_constant=_no_number,
                   object_pairs_hook=None if checked else _seen_once)  # fmt: skip
        return decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        called = _CALL.match(start)
        if called:
            reason = f"its first bytes are a call of {called[1].decode()!r} around the document"
            raise MalformedFileError(file.name, "JSON", reason) from None
        reason = str(error).rstrip(".")
        place = "" if "byte" in reason or "char" in reason else f", document of {len(data):,} bytes"
        raise MalformedFileError(file.name, "JSON", reason + place) from None


def _seen(text: str) -> None:
    """A number that nobody keeps."""


def _seen_once(pairs: list[tuple[str, Any]]) -> None:
    """An object that nobody keeps, each key in it once."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key comes twice in one object")


def _nested(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:1]) in (b"[", b"{")


def _fields(file: TextFile, number: int, raw: msgspec.Raw) -> dict[str, str | None]:
    try:
        return as_texts(bytes(raw))
    except (ValueError, RecursionError) as error:
        what = "half a character" if isinstance(error, UnicodeError) else str(error)
        raise MalformedFileError(file.name, "JSON", f"record {number:,}: {what}") from None


def _list(file: TextFile, key: str, raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _raw_list.decode(raw)
    except msgspec.DecodeError:
        reason = f"the document's {key!r} is not a list"
        raise MalformedFileError(file.name, "JSON", reason) from None


def _map(file: TextFile, key: str, raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _raw_map.decode(raw)
    except msgspec.DecodeError:
        reason = f"the document's {key!r} is not an object"
        raise MalformedFileError(file.name, "JSON", reason) from None


def _keys(raw: msgspec.Raw) -> frozenset[str] | None:
    try:
        return frozenset(_raw_map.decode(raw))
    except msgspec.DecodeError:
        return None
