"""Maintenance: fewer files and no waste; rows stay as they are while their contract keeps them.

Four kinds of work, each done under the table's own lock, so that no batch is held meanwhile:

- *retire*: intervals past their retention go, unless a legal hold keeps them (``retention``);
- *compact*: an interval of many small files gets fewer, larger ones (a version without a change);
- *vacuum*: files of replaced versions go when they are older than ``retention_hours``. Queries of
  older versions (``exlake trace``, time travel) end there;
- *sweep*: files that no version names go at once. Killed batches leave them.

Uses delta-rs: no JVM is started. The same table is left alone until something accumulates again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipelines.engine.faults import reach
from pipelines.engine.ledgers import Ledgers
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.quarantine import quarantine_path
from pipelines.engine.retention import Expiry, Retention, expire, plan_expiry
from pipelines.engine.tables import exists, table_path

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from pipelines.engine.settings import Settings

MANY_FILES = 8
"""Small files of one interval from which merging them pays (a batch writes two to four)."""
SMALL_BYTES = 32 * 1024 * 1024
"""A file below this size is small; merged files are not larger than four of them."""
ONE = "all"


@dataclass(frozen=True)
class Care:
    """What one table needs (or got): ``table`` is a product, or ``quarantine.<product>``."""

    table: str
    compact: tuple[str, ...]
    """Intervals whose small files are merged (``all`` for a table without intervals)."""
    small_files: int
    """How many files those merge."""
    expired: int
    """Files of versions older than the retention."""
    orphans: int
    """Files that no version names."""
    bytes: int
    """What the expired and orphaned files take."""
    retired: tuple[str, ...] = ()
    """Intervals past their retention."""
    on_hold: tuple[str, ...] = ()
    """Intervals past their retention that a legal hold keeps."""

    @property
    def idle(self) -> bool:
        """True when there is nothing to do."""
        return not (self.compact or self.expired or self.orphans or self.retired)


def plan_care(
    settings: Settings, products: Iterable[str], retention: Retention | None = None
) -> list[Care]:
    """What each table of these products needs; changes nothing. Tables not there are left out."""
    found = []
    for table, product, path in _tables(settings, products):
        small, expired, orphans = _survey(path, settings.retention_hours)
        care = _care(table, small, expired, orphans)
        if retention is not None and table == product:
            care = _aged(care, plan_expiry(settings.home, retention, product))
        found.append(care)
    return found


def maintain(
    settings: Settings,
    products: Iterable[str],
    on_progress: Callable[[Care], None] = lambda care: None,
    retention: Retention | None = None,
) -> list[Care]:
    """Do what ``plan_care`` names, table by table, and compact the ledgers; what was done.

    Nothing is removed for its age without ``retention``.

    Safe to kill at any point and to repeat. Raises LockHeldError when a table's writer does not
    end within ``lock_wait_seconds``; the tables before it are done.
    """
    done = []
    wait = settings.lock_wait_seconds
    ledgers = Ledgers(settings.ops, settings.locks, wait)
    for table, product, path in _tables(settings, products):
        with locked(lock_path(settings.locks, product), wait_seconds=wait):
            age = None
            if retention is not None and table == product:
                age = expire(settings.home, ledgers, retention, product)
            small, expired, orphans = _survey(path, settings.retention_hours)
            care = _aged(_care(table, small, expired, orphans), age)
            if small:
                _compact(path, small)
                reach("compacted")
            if expired:
                _open(path).vacuum(
                    settings.retention_hours, dry_run=False, enforce_retention_duration=False
                )
                reach("vacuumed")
            for orphan in orphans:
                orphan.unlink(missing_ok=True)
                reach("orphan-removed")
        if not care.idle:
            done.append(care)
            on_progress(care)
    ledgers.compact()
    return done


def _aged(care: Care, expiry: Expiry | None) -> Care:
    if expiry is None:
        return care
    return replace(care, retired=expiry.gone, on_hold=expiry.held)


def _tables(settings: Settings, products: Iterable[str]) -> Iterator[tuple[str, str, Path]]:
    """(name, the product whose lock guards it, path) of every table that is there."""
    for product in products:
        for table, path in (
            (product, table_path(settings.home, product)),
            (f"quarantine.{product}", quarantine_path(settings.home, product)),
        ):
            if exists(path):
                yield table, product, path


def _open(path: Path) -> DeltaTable:
    from deltalake import DeltaTable

    return DeltaTable(str(path))


def _survey(path: Path, retention_hours: int) -> tuple[dict[str, int], list[Path], list[Path]]:
    """Small files per interval worth merging, expired files, orphans."""
    table = _open(path)
    expired = [
        path / unquote(name)
        for name in table.vacuum(retention_hours, dry_run=True, enforce_retention_duration=False)
    ]
    return _small(table), [p for p in expired if p.exists()], sorted(_orphans(path, table))


def _small(table: DeltaTable) -> dict[str, int]:
    import pyarrow as pa

    columns = table.metadata().partition_columns
    actions = pa.table(table.get_add_actions(flatten=True))
    sizes = actions.column("size_bytes").to_pylist()
    values = (
        [str(v) for v in actions.column(f"partition.{columns[0]}").to_pylist()]
        if columns
        else [ONE] * len(sizes)
    )
    counts = Counter(v for v, size in zip(values, sizes, strict=True) if size < SMALL_BYTES)
    return {value: n for value, n in sorted(counts.items()) if n >= MANY_FILES}


def _orphans(path: Path, table: DeltaTable) -> Iterator[Path]:
    """Data files that neither the newest version nor any kept log entry names."""
    named = {unquote(uri) for uri in table.file_uris()}
    relative = set(_named_in_log(path))
    for file in path.rglob("*.parquet"):
        inside = file.relative_to(path)
        if inside.parts[0] == "_delta_log":
            continue
        if str(file) not in named and inside.as_posix() not in relative:
            yield file


def _named_in_log(path: Path) -> Iterator[str]:
    for entry in (path / "_delta_log").glob("[0-9]*.json"):
        for line in entry.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            body = action.get("add") or action.get("remove")
            if body:
                yield unquote(body["path"])


def _compact(path: Path, small: dict[str, int]) -> None:
    from deltalake import WriterProperties

    table = _open(path)
    columns = table.metadata().partition_columns
    only = [(columns[0], "in", sorted(small))] if columns else None
    table.optimize.compact(
        partition_filters=only,
        target_size=4 * SMALL_BYTES,
        writer_properties=WriterProperties(compression="SNAPPY"),
    )


def _care(table: str, small: dict[str, int], expired: list[Path], orphans: list[Path]) -> Care:
    return Care(
        table=table,
        compact=tuple(small),
        small_files=sum(small.values()),
        expired=len(expired),
        orphans=len(orphans),
        bytes=sum(p.stat().st_size for p in (*expired, *orphans) if p.exists()),
    )
