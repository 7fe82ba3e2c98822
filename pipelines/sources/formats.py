"""Which dataset and which generation a file belongs to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from contracts.model import Contract, Format
from pipelines.sources import json_reader, page_reader, readers
from pipelines.sources.base import Limits
from pipelines.sources.errors import (
    DateMismatchError,
    DeliveryError,
    SchemaDriftError,
)
from pipelines.sources.shape import NAME_GROUPS


@dataclass(frozen=True)
class Match:
    """A format whose file pattern fits a name, and what the name says.

    ``interval``: its date, None without one; ``publisher``: the place among the format's
    publishers, from 1, None where all come in one file; ``named``: the values of columns that the
    name fills.
    """

    contract: Contract
    format: Format
    interval: date | None
    publisher: int | None = None
    named: tuple[tuple[str, str], ...] = ()


def matches(contracts: Iterable[Contract], name: str) -> tuple[Match, ...]:
    """Formats whose pattern fits the whole path or the plain file name, in the contracts' order.

    ``name``: the path with ``/``, drop folder included. The interval comes from the format, or
    from the pattern's group ``date`` (YYYYMMDD); a date that does not exist is no match.
    """
    found = []
    for contract in contracts:
        for form in contract.formats:
            pattern = _pattern(form.file)
            match = pattern.fullmatch(name) or pattern.fullmatch(name.rsplit("/", 1)[-1])
            if match is None:
                continue
            day = _date(form, match.groupdict().get("date"))
            if day is not None and not (form.valid_from <= day <= (form.valid_to or date.max)):
                continue
            if day is None and match.groupdict().get("date") is not None:
                continue
            found.append(Match(contract, form, day, _publisher(form, match), _named(match)))
    return tuple(found)


def choose(
    path: Path, name: str, candidates: Sequence[Match], limits: Limits, encoding: str | None
) -> tuple[Match, readers.OpenFile]:
    """The first generation the file fits, with the file inspected for it.

    Raises SchemaDriftError naming the nearest generation and every difference when none fits, and
    the reader's own error when the file cannot be read at all.
    """
    opened: dict[object, readers.OpenFile] = {}
    errors: list[DeliveryError] = []
    nearest: tuple[int, Match, tuple[str, ...]] | None = None
    for match in candidates:
        form = match.format
        binary = form.kind == "parquet"
        try:
            how = (binary, form.encoding)
            if how not in opened:
                opened[how] = readers.open_file(path, name, form, limits, encoding)
            found = readers.probe(opened[how], form, match.contract)
        except DeliveryError as error:
            errors.append(error)
            continue
        if not found:
            return match, opened[how]
        size = sum(len(words.split(", ")) for words in found)
        if nearest is None or size < nearest[0]:
            nearest = (size, match, found)
    if nearest is not None:
        _, match, found = nearest
        raise SchemaDriftError(name, match.contract.product, match.format.name, found)
    raise errors[0]


def check_body_date(file: readers.OpenFile, match: Match, interval: str) -> None:
    """Raise DateMismatchError when a document's own date is not the interval.

    The date is looked for wherever a generation of the dataset has it, not only where this one
    has: a document under another generation's name still says what day it is about.
    """
    places = dict.fromkeys(f.date_keys for f in match.contract.formats if f.date_keys)
    if file.text is None or not places:
        return
    page = match.format.kind == "html"
    header = page_reader.header_of(file.text) if page else json_reader.header_of(file.text)
    for keys in places:
        parts = [str(header.get(key) or "").strip() for key in keys]
        if any(parts) and "".join(parts) != interval.replace("-", ""):
            raise DateMismatchError(file.name, interval, " + ".join(keys), "".join(parts))


def fingerprint(contracts: Iterable[Contract]) -> str:
    """Digest of all formats: a refused file is tried again when this changes."""
    body = [
        (c.product, [f.model_dump(mode="json") for f in c.formats], [x.name for x in c.columns])
        for c in contracts
        if c.formats
    ]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def _publisher(form: Format, match: re.Match[str]) -> int | None:
    if not form.publishers:
        return None
    return form.publishers.index(match.groupdict().get("publisher") or "") + 1


def _named(match: re.Match[str]) -> tuple[tuple[str, str], ...]:
    groups = match.groupdict()
    return tuple((k, v) for k, v in groups.items() if k not in NAME_GROUPS and v is not None)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _date(form: Format, digits: str | None) -> date | None:
    if form.interval is not None:
        return date.fromisoformat(form.interval)
    if digits is None:
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
