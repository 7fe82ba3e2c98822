"""Parquet: every value as text, decimals and timestamps in their canonical spelling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.model import Contract, Format
from pipelines.sources.base import Limits
from pipelines.sources.errors import MalformedFileError, UnpackedSizeError
from pipelines.sources.shape import (
    ROW_NUMBER,
    delivered_columns,
    differences,
    ordinals,
    shape_batch,
)

BATCH = 65_536
BATCH_BYTES = 256_000_000
"""Text of one batch at most, before it is made: a long value repeated by reference costs nothing
in the file."""
FOOTER_LIMIT = 50_000_000
FOOTER = "in the footer, at the file's end"
_DAMAGED = (pa.ArrowException, OSError, ValueError, OverflowError)


def probe(path: Path, name: str, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the file's columns differ from the format's; empty when they agree."""
    with _open(path, name) as file:
        try:
            names = file.schema_arrow.names
        except _DAMAGED as error:
            raise _malformed(name, error, FOOTER) from None
    return differences(names, delivered_columns(form, contract))


def batches(
    path: Path, name: str, form: Format, contract: Contract, limits: Limits
) -> Iterator[pa.RecordBatch]:
    """Record batches of text; ``_row_number`` is the row's ordinal in the file.

    Raises MalformedFileError with the rows that could be read before the damage,
    UnpackedSizeError when the text grows beyond the limits.
    """
    count, unpacked, packed = 0, 0, path.stat().st_size
    with _open(path, name) as file:
        try:
            for batch in file.iter_batches(batch_size=BATCH):
                batch.validate(full=True)  # bytes that are no text, references out of bounds
                unpacked += _text_bytes(batch, name)
                limits.check(name, packed, unpacked)
                columns = {n: _text(batch.column(n)) for n in batch.schema.names}
                numbers = ordinals(count, batch.num_rows)
                count += batch.num_rows
                yield shape_batch({**columns, ROW_NUMBER: numbers}, form, contract)
        except _DAMAGED as error:
            raise _malformed(name, error, f"after row {count:,}") from None
        if count != file.metadata.num_rows:
            reason = f"its footer promises {file.metadata.num_rows:,} rows, it holds {count:,}"
            raise MalformedFileError(name, "Parquet", reason)


def _open(path: Path, name: str) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(
            path,
            page_checksum_verification=True,
            thrift_string_size_limit=FOOTER_LIMIT,
            thrift_container_size_limit=1_000_000,
        )
        # Text stays in its dictionary until it is known how much it unpacks to.
        texts = [
            field.name
            for field in file.schema_arrow
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        file.close()
        return pq.ParquetFile(
            path,
            read_dictionary=texts,
            page_checksum_verification=True,
            thrift_string_size_limit=FOOTER_LIMIT,
            thrift_container_size_limit=1_000_000,
        )
    except _DAMAGED as error:
        raise _malformed(name, error, FOOTER) from None


def _malformed(name: str, error: Exception, where: str) -> MalformedFileError:
    reason = str(error).split("\n", 1)[0][:200].rstrip(".") or type(error).__name__
    return MalformedFileError(name, "Parquet", f"{reason}, {where}")


def _text_bytes(batch: pa.RecordBatch, name: str) -> int:
    """Bytes of the batch as text, told from dictionaries and references."""
    total = 0
    for values in batch.columns:
        if pa.types.is_dictionary(values.type):
            lengths = pc.binary_length(values.dictionary)
            total += pc.sum(lengths.take(values.indices)).as_py() or 0
        else:
            total += values.nbytes
    if total > BATCH_BYTES:
        raise UnpackedSizeError(name, "bytes of text in one batch", BATCH_BYTES)
    return total


def _text(values: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(values.type):
        pattern = "%Y-%m-%d %H:%M:%S" + ("+00:00" if values.type.tz else "")
        utc = values.cast(pa.timestamp("us", values.type.tz and "UTC"))
        return pc.strftime(utc, format=pattern)
    return values.cast(pa.string())
