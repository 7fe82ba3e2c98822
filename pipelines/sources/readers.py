"""The readers by format kind, behind two functions: does it fit, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from contracts.model import Contract, Format
from pipelines.sources import (
    csv_reader,
    json_reader,
    lines_reader,
    page_reader,
    parquet_reader,
)
from pipelines.sources.base import Limits
from pipelines.sources.shape import fill
from pipelines.sources.text import TextFile, inspect_text


class TextReader(Protocol):
    """A module that reads one kind of text file."""

    def probe(self, file: TextFile, form: Format, contract: Contract) -> tuple[str, ...]:
        """How the file differs from the format; empty when it fits."""

    def batches(self, file: TextFile, form: Format, contract: Contract) -> Iterator[pa.RecordBatch]:
        """The file's records as text, in file order."""


_TEXT: dict[str, TextReader] = {
    "csv": csv_reader,
    "json": json_reader,
    "dat": json_reader,
    "jsonl": lines_reader,
    "html": page_reader,
}


@dataclass(frozen=True)
class OpenFile:
    """A file on disk that was inspected; ``text`` is None for binary kinds."""

    path: Path
    name: str
    text: TextFile | None
    limits: Limits

    @property
    def encoding(self) -> str | None:
        """The encoding that was found, None for binary kinds."""
        return self.text.encoding if self.text else None

    def moved(self, path: Path) -> OpenFile:
        """The same file, inspected already, under its new path."""
        return replace(self, path=path, text=self.text and replace(self.text, path=path))


def open_file(
    path: Path, name: str, form: Format, limits: Limits, encoding: str | None = None
) -> OpenFile:
    """Inspect a file for a format; ``encoding``: the manifest's, then the only one tried."""
    if form.kind == "parquet":
        return OpenFile(path, name, None, limits)
    encodings = (encoding,) if encoding else form.encoding
    return OpenFile(path, name, inspect_text(path, name, encodings, limits), limits)


def probe(file: OpenFile, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the file differs from what the format expects; empty when it fits."""
    if file.text is None:
        return parquet_reader.probe(file.path, file.name, form, contract)
    return _TEXT[form.kind].probe(file.text, form, contract)


def read(
    file: OpenFile, form: Format, contract: Contract, named: Sequence[tuple[str, str]] = ()
) -> Iterator[pa.RecordBatch]:
    """The file's records as text in the contract's columns, streaming, in file order.

    ``named``: columns that the file's name fills, each with its value.
    """
    if file.text is None:
        batches = parquet_reader.batches(file.path, file.name, form, contract, file.limits)
    else:
        batches = _TEXT[form.kind].batches(file.text, form, contract)
    return (fill(batch, named) for batch in batches) if named else batches
