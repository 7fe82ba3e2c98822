"""Tables by choice as Parquet: the same rows and texts as the CSV delivery."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from contracts.errors import TerminalError
from pipelines.simulation.deliveries import Outgoing

FILE_FORMATS: Final = ("csv", "parquet")
_CSV: Final = ".csv.gz"
_BLOCK: Final = 16 << 20


class UnknownFileFormatError(TerminalError):
    """Raised when deliveries are wanted in a format that the simulation does not write."""

    code = "simulation-unknown-file-format"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no file format '{name}'.",
            next_step=f"Use one of: {', '.join(FILE_FORMATS)}.",
        )


def check_file_format(name: str) -> None:
    """Raise UnknownFileFormatError unless it is one of ``FILE_FORMATS``."""
    if name not in FILE_FORMATS:
        raise UnknownFileFormatError(name)


def in_format(
    deliveries: Sequence[Outgoing], truth: Sequence[dict[str, Any]], name: str
) -> tuple[list[Outgoing], list[dict[str, Any]]]:
    """Return the deliveries in a format, and the truth with the files' new names."""
    if name == "csv":
        return list(deliveries), list(truth)
    sent = [as_parquet(delivery) for delivery in deliveries]
    names = {(d.dataset, d.file): s.file for d, s in zip(deliveries, sent, strict=True)}
    told = [
        {**r, "file": names.get((r["dataset"], r["file"]), r["file"])} if "file" in r else dict(r)
        for r in truth
    ]
    return sent, told


def as_parquet(delivery: Outgoing) -> Outgoing:
    """Return a CSV delivery as Parquet, every value as the text it was.

    Read and written block by block, so that memory stays bounded. What is no whole CSV in UTF-8
    (JSON, a file cut short or in another encoding) stays as it is.
    """
    if not delivery.file.endswith(_CSV) or delivery.claimed_sha256 is not None:
        return delivery
    if delivery.encoding != "utf-8":
        return delivery
    out = io.BytesIO()
    try:
        with pa.CompressedInputStream(pa.BufferReader(delivery.data), "gzip") as stream:
            _copy(stream, out, _header(delivery.data))
    except (pa.ArrowInvalid, UnicodeDecodeError):  # not in the encoding it claims
        return delivery
    return replace(
        delivery, file=delivery.file.removesuffix(_CSV) + ".parquet", data=out.getvalue()
    )


def _copy(stream: pa.NativeFile, out: io.BytesIO, names: list[str]) -> None:
    schema = pa.schema([(name, pa.string()) for name in names])
    reader = pacsv.open_csv(
        stream,
        pacsv.ReadOptions(use_threads=False, block_size=_BLOCK),
        pacsv.ParseOptions(quote_char=False),
        pacsv.ConvertOptions(column_types=schema, strings_can_be_null=False),
    )
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def _header(data: bytes) -> list[str]:
    with pa.CompressedInputStream(pa.BufferReader(data), "gzip") as stream:
        start = stream.read(8_192)
    names: list[str] = start.split(b"\n", 1)[0].decode("utf-8").split(",")
    return names
