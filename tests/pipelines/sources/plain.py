"""The same files read in the plainest way, to compare the readers with: whole, slow, strict."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.catalogue import Catalogue
from pipelines.sources import readers
from pipelines.sources.base import Limits
from pipelines.sources.formats import Match, choose, matches

LIMITS = Limits(bytes=8_000_000_000, ratio=200)
Row = tuple[str | None, ...]


def candidates(catalogue: Catalogue, name: str) -> tuple[Match, ...]:
    """Formats of the first contract that knows the name, as landing takes them."""
    found = matches([c for c in catalogue.layer("bronze") if c.formats], name)
    return tuple(m for m in found if m.contract == found[0].contract)


def read_through(path: Path, name: str, fitting: tuple[Match, ...]) -> int:
    """The number of rows landing would store of a file, none of them kept."""
    match, file = choose(path, name, fitting, LIMITS, None)
    return sum(b.num_rows for b in readers.read(file, match.format, match.contract, match.named))


def rows_of(
    path: Path, name: str, fitting: tuple[Match, ...]
) -> tuple[Match, str | None, list[Row]]:
    """What landing would store of a file: (format, encoding, rows); raises what landing catches."""
    match, file = choose(path, name, fitting, LIMITS, None)
    names = [c.name for c in match.contract.business_columns]
    rows: list[Row] = []
    for batch in readers.read(file, match.format, match.contract, match.named):
        assert batch.column("_row_number")[0].as_py() == len(rows) + 1
        rows += list(zip(*(batch.column(n).to_pylist() for n in names), strict=True))
        assert batch.column("_row_number")[-1].as_py() == len(rows)
    return match, file.encoding, rows


def plain_rows(data: bytes, encoding: str, match: Match) -> list[Row] | None:
    """The rows by the standard library alone; None for kinds it does not read."""
    form, contract = match.format, match.contract
    kinds = {"csv": _csv, "jsonl": _lines, "dat": _document, "json": _document}
    if form.kind not in kinds:
        return None
    body = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    text = body.decode(encoding).removeprefix("\ufeff")
    columns = [c.name for c in contract.business_columns]
    said = dict(match.named)
    return [
        tuple(said.get(name, record.get(name)) for name in columns)
        for record in kinds[form.kind](text, match)
    ]


def _csv(text: str, match: Match) -> Iterator[dict[str, str | None]]:
    form = match.format
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter, strict=True)
    records = [record for record in reader if record]
    names = form.header or tuple(c.name for c in match.contract.business_columns)
    header = list(names) if form.headerless else [n.strip() for n in records[0]]
    for record in records if form.headerless else records[1:]:
        assert len(record) == len(header), "ragged"
        yield {form.rename.get(n, n): v for n, v in zip(header, record, strict=True)}


def _lines(text: str, match: Match) -> Iterator[dict[str, str | None]]:
    for line in io.StringIO(text, newline=None):
        if line.strip():
            record = json.loads(line, parse_int=str, parse_float=str, object_pairs_hook=_once)
            yield {match.format.rename.get(k, k): _text(v) for k, v in record.items()}


def _document(text: str, match: Match) -> Iterator[dict[str, str | None]]:
    form = match.format
    hook = dict if form.repeated_keys == "last" else _once
    top = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=hook)
    found: list[tuple[str, Any]] = []
    if form.sections == ("$",):
        found = [("$", record) for record in top]
    else:
        for key, value in top.items():
            if key in form.sections:
                found += [(key, record) for record in value]
            elif isinstance(value, dict) and {f"{key}.*", "*.*"} & set(form.sections):
                found += [(f"{key}.{name}", record) for name, record in value.items()]
    for section, record in found:
        fields = record if isinstance(record, dict) else {"value": record}
        named = {form.rename.get(k, k): _text(v) for k, v in fields.items()}
        yield {**named, "section": section, "record": json.dumps(record, sort_keys=True)}


def same(found: list[Row], expected: list[Row], match: Match) -> bool:
    """Equal rows; a document's records by what they say, its header apart."""
    names = [c.name for c in match.contract.business_columns]
    if match.format.kind not in ("dat", "json"):
        return found == expected
    keep = [i for i, n in enumerate(names) if n != "header"]
    record = names.index("record") if "record" in names else None

    def plainly(row: Row) -> tuple[Any, ...]:
        return tuple(
            json.dumps(json.loads(str(row[i]), parse_int=str, parse_float=str), sort_keys=True)
            if i == record
            else row[i]
            for i in keep
        )

    return [plainly(r) for r in found] == [plainly(r) for r in expected]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs), "a key comes twice"
    return dict(pairs)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
