"""Delivery files as an exchange's systems write them: gzip CSV or text, each with a manifest."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

BEIJING: Final = timezone(timedelta(hours=8))
_LEVEL: Final = 4
PART_ROWS: Final = 250_000


@dataclass(frozen=True)
class Outgoing:
    """One delivery before it is written; ``data`` is the file exactly as delivered."""

    system: str
    dataset: str
    trade_date: date
    file: str
    data: bytes
    rows: int
    generated_at: datetime
    mode: str = "full"
    part: int | None = None
    parts: int | None = None
    sequence: int = 1
    encoding: str = "utf-8"
    claimed_bytes: int | None = None
    claimed_sha256: str | None = None
    interval: str | None = None
    arrives: date | None = None

    def manifest(self) -> dict[str, Any]:
        """The sidecar's content; what is claimed may differ from the file (a truncated one)."""
        data = self.data
        return {
            "manifest_version": 1,
            "system": self.system,
            "dataset": self.dataset,
            "interval": self.interval or self.trade_date.isoformat(),
            "mode": self.mode,
            "part": self.part,
            "parts": self.parts,
            "sequence": self.sequence,
            "file": self.file,
            "rows": self.rows,
            "bytes": len(data) if self.claimed_bytes is None else self.claimed_bytes,
            "sha256": self.claimed_sha256 or hashlib.sha256(data).hexdigest(),
            "encoding": self.encoding,
            "generated_at": self.generated_at.isoformat(),
        }

    def write(self, inbox: Path) -> Path:
        """Write file and manifest under ``<inbox>/<system>/<date of arrival>/``, manifest last."""
        folder = inbox / self.system / f"{self.arrives or self.trade_date:%Y%m%d}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.file
        path.write_bytes(self.data)
        text = json.dumps(self.manifest(), ensure_ascii=False, indent=1) + "\n"
        (folder / f"{self.file}.manifest.json").write_text(text, encoding="utf-8")
        return path


def table_delivery(
    system: str, dataset: str, trade_date: date, table: pa.Table, ready: str, **more: Any
) -> Outgoing:
    """Return a CSV delivery of a table; ``ready`` is the Beijing time HH:MM it is generated."""
    return Outgoing(
        system=system,
        dataset=dataset,
        trade_date=trade_date,
        file=f"{dataset}_{trade_date:%Y%m%d}.csv.gz",
        data=gzip_bytes(csv_bytes(table)),
        rows=table.num_rows,
        generated_at=beijing(trade_date, ready),
        **more,
    )


def parts_delivery(
    system: str,
    dataset: str,
    trade_date: date,
    part: Callable[[int, int], pa.Table],
    rows: int,
    ready: str,
) -> Outgoing:
    """Return a CSV delivery built ``PART_ROWS`` rows at a time, so that memory stays bounded.

    ``part(start, end)`` makes the rows of a range; one range is compressed on a second thread
    while the next is made. The ranges are fixed, so the bytes do not depend on the cores.
    """
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    packed: list[bytes] = []
    with ThreadPoolExecutor(1) as pool:
        running: Future[bytes] | None = None
        for start in range(0, max(rows, 1), PART_ROWS):
            text = csv_bytes(part(start, min(start + PART_ROWS, rows)), header=start == 0)
            if running is not None:
                packed.append(running.result())
            running = pool.submit(packer.compress, text)
        if running is not None:
            packed.append(running.result())
    packed.append(packer.flush())
    return Outgoing(
        system=system,
        dataset=dataset,
        trade_date=trade_date,
        file=f"{dataset}_{trade_date:%Y%m%d}.csv.gz",
        data=b"".join(packed),
        rows=rows,
        generated_at=beijing(trade_date, ready),
    )


def beijing(day: date, clock: str) -> datetime:
    """Return a Beijing time on a day."""
    return datetime.combine(day, time.fromisoformat(clock), BEIJING)


def resent(delivery: Outgoing, sequence: int, minutes: int, **changes: Any) -> Outgoing:
    """Return a later delivery of the same dataset and interval under its own file name."""
    stem, _, suffix = delivery.file.partition(".")
    return replace(
        delivery,
        file=f"{stem}.c{sequence}.{suffix}",
        sequence=sequence,
        generated_at=delivery.generated_at + timedelta(minutes=minutes),
        **changes,
    )


def csv_bytes(table: pa.Table, *, header: bool = True) -> bytes:
    """Return a table as CSV, LF, no quotes (no delivered text holds a comma)."""
    out = io.BytesIO()
    if header:
        out.write((",".join(table.column_names) + "\n").encode("utf-8"))
    options = pacsv.WriteOptions(include_header=False, quoting_style="none", batch_size=65_536)
    pacsv.write_csv(table, out, options)
    return out.getvalue()


def gzip_bytes(data: bytes) -> bytes:
    """Compress with a header that holds neither time nor name, so that bytes repeat."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


# Columns --------------------------------------------------------------------------------------


def text(values: Sequence[str] | NDArray[np.str_], codes: NDArray[Any]) -> pa.Array:
    """Return ``values[codes]`` as text; a code of -1 is empty."""
    codes = np.asarray(codes)
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(values), pa.string())).cast(
        pa.string()
    )


def constant(value: str, rows: int) -> pa.Array:
    """Return the same text in every row."""
    return text([value], np.zeros(rows, np.int32))


def whole(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return integers, empty where ``missing``."""
    return pa.array(np.asarray(values, np.int64), mask=missing)


def hundredths(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return integers counted in 0.01 as decimals with two places, empty where ``missing``."""
    low = np.ascontiguousarray(values, np.int64)
    wide = np.empty((len(low), 2), np.int64)
    wide[:, 0] = low
    wide[:, 1] = low >> 63  # the sign, extended
    array = pa.Array.from_buffers(pa.decimal128(20, 2), len(low), [None, pa.py_buffer(wide)])
    if missing is None:
        return array
    return pa.compute.if_else(pa.array(~missing), array, pa.scalar(None, array.type))


def wall_time(clock: NDArray[np.int64], epoch: int) -> pa.Array:
    """Return Beijing wall time with microseconds from the trade date's clock."""
    return pa.array(clock + epoch).cast(pa.timestamp("us"))


def table(columns: Mapping[str, pa.Array]) -> pa.Table:
    """Return the columns as a table."""
    return pa.table(dict(columns))
