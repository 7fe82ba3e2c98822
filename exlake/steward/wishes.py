"""What a steward asks for, from the command line or a file: one wish per decision in words.

A file is CSV (one wish a line; Excel's byte order mark is fine) or JSON (a list of objects), with
the fields of ``Wish``. Nothing is checked against the lake here.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from exlake.steward.errors import DecisionTermsError
from quality.outcome import DecisionKind

KINDS: tuple[str, ...] = get_args(DecisionKind)


@dataclass(frozen=True)
class Wish:
    """One decision as asked for.

    ``row``: ``DELIVERY:LINE``, or the line alone where one delivery is meant; None with a rule:
    every row that broke it. ``column`` and ``value`` (empty: no value) belong to a patch,
    ``until`` (ISO trade date) to a waiver or a release that stands for one.
    """

    kind: str
    product: str
    interval: str
    reason: str
    row: str | None = None
    rule: str | None = None
    column: str | None = None
    value: str | None = None
    until: str | None = None


NAMES = tuple(f.name for f in fields(Wish))
REQUIRED = NAMES[:4]


def wishes_of(path: Path) -> tuple[Wish, ...]:
    """Read a file of wishes. Raises DecisionTermsError naming the first line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        records = json.loads(text) if path.suffix == ".json" else _lines(text)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise _refused(path, 0, f"cannot be read: {error}") from error
    if not isinstance(records, list) or not records:
        raise _refused(path, 0, "holds no list of decisions")
    return tuple(_wish(path, number, record) for number, record in enumerate(records, 1))


def _lines(text: str) -> list[Any]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def _wish(path: Path, number: int, record: Any) -> Wish:
    if not isinstance(record, dict):
        raise _refused(path, number, "is no object")
    unknown = sorted(str(k) for k in record.keys() - set(NAMES))
    if unknown:
        raise _refused(path, number, f"has unknown fields {', '.join(unknown)}")
    given = {k: str(v).strip() for k, v in record.items() if v is not None and str(v).strip()}
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise _refused(path, number, f"has no {', '.join(missing)}")
    if given["kind"] not in KINDS:
        raise _refused(path, number, f"is of kind {given['kind']!r}")
    return Wish(**given)


def _refused(path: Path, number: int, what: str) -> DecisionTermsError:
    where = f"decision {number} of {path.name}" if number else path.name
    return DecisionTermsError(
        f"{where} {what}; nothing was recorded.",
        f"Give the fields {', '.join(NAMES)}; kind is one of {', '.join(KINDS)}.",
    )
