"""Read a sample file and say what its columns look like, with the evidence.

Only a drafting person reads the result: everything is a guess from the rows at hand.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from contracts.errors import TerminalError

LIMIT = 50_000
_DECIMAL = re.compile(r"[-+]?\d+(?:\.(\d+))?")
_LEADING_ZERO = re.compile(r"[-+]?0\d")
_FORMATS = {
    "date": ("%Y%m%d", "%Y-%m-%d"),
    "timestamp": ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"),
}


class SampleUnreadableError(TerminalError):
    """Raised when no contract can be drafted from a file; ``file`` and ``reason`` say why."""

    code = "sample-unreadable"

    def __init__(self, file: Path, reason: str, mend: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: {reason}.", next_step=mend)


@dataclass(frozen=True)
class Sample:
    """The rows of a sample as text, ``None`` where empty, in the file's column order."""

    file: Path
    kind: Literal["csv", "jsonl", "parquet"]
    encoding: str
    delimiter: str
    headerless: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    truncated: bool

    def values(self, position: int) -> list[str | None]:
        """Return one column."""
        return [row[position] for row in self.rows]


@dataclass(frozen=True)
class Profile:
    """What one column of a sample looks like."""

    source: str
    type: str
    given: int
    rows: int
    distinct: int
    low: str | None
    high: str | None
    examples: tuple[str, ...]

    @property
    def evidence(self) -> str:
        """One line for a YAML comment."""
        shown = ", ".join(json.dumps(e, ensure_ascii=False) for e in self.examples[:4])
        span = f", {self.low} to {self.high}" if self.low is not None else ""
        return f"{self.given} of {self.rows} given, {self.distinct} distinct{span}; e.g. {shown}"

    @property
    def codes(self) -> tuple[str, ...]:
        """The values, when they look like a code list: few, short and often repeated."""
        few = self.type == "string" and 1 < self.distinct <= len(self.examples) <= 12
        if few and self.given >= 5 * self.distinct and all(len(e) <= 12 for e in self.examples):
            return tuple(sorted(self.examples))
        return ()


def read_sample(file: Path) -> Sample:
    """Read up to 50,000 rows of a CSV, JSON Lines or Parquet file (the first two also as .gz).

    Raises SampleUnreadableError for other kinds, for files without rows and for broken ones.
    """
    name = file.name.removesuffix(".gz")
    try:
        if name.endswith((".csv", ".txt", ".tsv")):
            sample = _csv(file)
        elif name.endswith((".jsonl", ".ndjson")):
            sample = _jsonl(file)
        elif name.endswith(".parquet"):
            sample = _parquet(file)
        else:
            raise SampleUnreadableError(
                file, "not a CSV, JSON Lines or Parquet file", "Convert it, or write the contract."
            )
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise SampleUnreadableError(file, str(error), "Check the file, or take another.") from None
    if not sample.rows or not sample.columns:
        raise SampleUnreadableError(file, "holds no rows", "Take a sample with rows.")
    return sample


def profile(sample: Sample) -> tuple[Profile, ...]:
    """Describe every column."""
    return tuple(_profile(name, sample.values(i)) for i, name in enumerate(sample.columns))


def find_key(sample: Sample, profiles: Sequence[Profile]) -> tuple[str, ...]:
    """Return the fewest, leftmost columns (at most three) that are unique and always given.

    Measures (decimals, timestamps) are tried last; an empty tuple means none was found.
    """
    full = [i for i, p in enumerate(profiles) if p.given == p.rows and p.distinct > 1]
    full.sort(key=lambda i: (profiles[i].type.startswith(("decimal", "timestamp")), i))
    for size in (1, 2, 3):
        for some in combinations(full[:14], size):
            if len({tuple(row[i] for i in some) for row in sample.rows}) == len(sample.rows):
                return tuple(sample.columns[i] for i in sorted(some))
    return ()


def infer_type(values: Sequence[str]) -> str:
    """Guess the type of texts that are all given.

    Identifiers with leading zeros stay strings; decimals get the scale seen (at least 2), or 4.

    >>> infer_type(["20260105", "20260106"]), infer_type(["0012", "0013"]), infer_type(["1.25"])
    ('date', 'string', 'decimal(18,4)')
    """
    for type_, formats in _FORMATS.items():
        if any(all(_is_time(v, f) for v in values) for f in formats):
            return type_
    if all(v.lower() in {"true", "false"} for v in values):
        return "boolean"
    matches = [_DECIMAL.fullmatch(v) for v in values]
    if not values or not all(matches) or any(_LEADING_ZERO.match(v) for v in values):
        return "string"
    scale = max(len(m[1] or "") for m in matches if m)
    if scale == 0:
        longest = max(len(v.lstrip("+-")) for v in values)
        return "bigint" if longest <= 18 else "string"
    return f"decimal({'18,4' if scale <= 4 else '28,10'})" if scale <= 10 else "string"


def _profile(source: str, column: list[str | None]) -> Profile:
    given = [v for v in column if v is not None]
    distinct = dict.fromkeys(given)
    type_ = infer_type(list(distinct)) if given else "string"
    low = high = None
    if given and type_.startswith(("bigint", "decimal")):
        numbers = sorted((Decimal(v), v) for v in distinct)
        low, high = numbers[0][1], numbers[-1][1]
    elif given and type_ in {"date", "timestamp"}:
        low, high = min(given), max(given)
    return Profile(
        source, type_, len(given), len(column), len(distinct), low, high, tuple(distinct)[:12]
    )


def _is_time(text: str, form: str) -> bool:
    try:
        # Only the shape matters here, so the time zone does not.
        return 1990 <= datetime.strptime(text, form).year <= 2100  # noqa: DTZ007
    except ValueError:
        return False


def _bytes(file: Path) -> bytes:
    raw = file.read_bytes()
    return gzip.decompress(raw) if file.name.endswith(".gz") else raw


def _text(file: Path) -> tuple[str, str]:
    raw = _bytes(file)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding), "utf-8" if encoding == "utf-8-sig" else encoding
        except UnicodeDecodeError:
            continue
    raise ValueError("neither UTF-8 nor GB18030")


def _csv(file: Path) -> Sample:
    text, encoding = _text(file)
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",\t;|", key=first.count)
    rows = [r for r in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if r]
    if not rows:
        raise ValueError("the file is empty")
    head = [name.strip() for name in rows[0]]
    headerless = len(set(head)) < len(head) or any(
        not name or _DECIMAL.fullmatch(name) for name in head
    )
    columns = [f"column_{i + 1}" for i in range(len(head))] if headerless else head
    body = rows if headerless else rows[1:]
    if any(len(row) != len(columns) for row in body):
        raise ValueError("rows differ in their number of fields")
    texts = [tuple(v.strip() or None for v in row) for row in body[:LIMIT]]
    return Sample(
        file, "csv", encoding, delimiter, headerless, tuple(columns), tuple(texts),
        len(body) > LIMIT,
    )  # fmt: skip


def _jsonl(file: Path) -> Sample:
    text, encoding = _text(file)
    lines = [line for line in text.splitlines() if line.strip()]
    records: list[dict[str, Any]] = [json.loads(line) for line in lines[:LIMIT]]
    if not all(isinstance(r, dict) for r in records):
        raise ValueError("a line is not a JSON object")
    return _from_records(file, "jsonl", encoding, records, len(lines) > LIMIT)


def _parquet(file: Path) -> Sample:
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    records = table.slice(0, LIMIT).to_pylist()
    return _from_records(file, "parquet", "utf-8", records, table.num_rows > LIMIT)


def _from_records(
    file: Path,
    kind: Literal["jsonl", "parquet"],
    encoding: str,
    records: list[dict[str, Any]],
    truncated: bool,
) -> Sample:
    columns = tuple(dict.fromkeys(k for r in records for k in r))
    rows = tuple(tuple(_as_text(r.get(c)) for c in columns) for r in records)
    return Sample(file, kind, encoding, ",", False, columns, rows, truncated)


def _as_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)
