"""What is exported: rows in batches, and what the file says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import TerminalError

if TYPE_CHECKING:
    import pyarrow as pa


class ExportRefusedError(TerminalError):
    """Raised when an export cannot be written as asked: format, place, size or values."""

    code = "export-refused"

    def __init__(self, file: Path, reason: str, hint: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file.name} is not written: {reason}.", next_step=hint)


@dataclass(frozen=True)
class About:
    """Where an export comes from. Times are UTC; ``state`` says what is not clean, or that
    nothing is."""

    query: str
    audience: str
    person: str
    publication_id: str | None
    published_at: datetime | None
    state: str
    exported_at: datetime

    def lines(self, rows: int, notes: tuple[str, ...] = ()) -> tuple[tuple[str, str, str], ...]:
        """(Chinese, English, value) of every line that goes with the rows."""
        said = {k: "" if v is None else str(v) for k, v in asdict(self).items()}
        return (
            ("查询", "query", said["query"]),
            ("发布编号", "publication id", said["publication_id"]),
            ("发布时间（UTC）", "published at, UTC", said["published_at"]),
            ("数据状态", "data state", said["state"]),
            ("行数", "rows", str(rows)),
            ("受众", "audience", said["audience"]),
            ("导出人", "exported by", said["person"]),
            ("导出时间（UTC）", "exported at, UTC", said["exported_at"]),
            *(("备注", "note", note) for note in notes),
        )


@dataclass(frozen=True)
class Sheet:
    """Rows of named columns, in Arrow batches that are read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    about: About


def rows_of(batch: pa.RecordBatch) -> Iterator[tuple[object, ...]]:
    """The rows of a batch as Python values; names may repeat."""
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)
