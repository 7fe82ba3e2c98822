"""Parquet: every value as text, decimals and timestamps in their canonical spelling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.model import Contract, Format
from pipelines.sources.errors import MalformedFileError
from pipelines.sources.shape import ROW_NUMBER, delivered_columns, differences, shape_batch

BATCH = 65_536


def probe(path: Path, name: str, form: Format, contract: Contract) -> tuple[str, ...]:
    """How the file's columns differ from the format's; empty when they agree."""
    with _open(path, name) as file:
        return differences(file.schema_arrow.names, delivered_columns(form, contract))


def batches(path: Path, name: str, form: Format, contract: Contract) -> Iterator[pa.RecordBatch]:
    """Record batches of text; ``_row_number`` is the row's ordinal in the file."""
    count = 0
    with _open(path, name) as file:
        try:
            for batch in file.iter_batches(batch_size=BATCH):
                columns = {n: _text(batch.column(n)) for n in batch.schema.names}
                numbers = pa.array(range(count + 1, count + 1 + batch.num_rows), pa.int64())
                count += batch.num_rows
                yield shape_batch({**columns, ROW_NUMBER: numbers}, form, contract)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            reason = str(error).split("\n", 1)[0][:200]
            raise MalformedFileError(name, "Parquet", reason) from None


def _open(path: Path, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).split("\n", 1)[0][:200]
        raise MalformedFileError(name, "Parquet", reason) from None


def _text(values: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(values.type):
        pattern = "%Y-%m-%d %H:%M:%S" + ("+00:00" if values.type.tz else "")
        utc = values.cast(pa.timestamp("us", values.type.tz and "UTC"))
        return pc.strftime(utc, format=pattern)
    return values.cast(pa.string())
