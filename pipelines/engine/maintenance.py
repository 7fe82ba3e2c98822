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
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipelines.engine.faults import reach
from pipelines.engine.ledgers import Ledgers
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.place import Entry, Place, is_commit
from pipelines.engine.retention import Expiry, Retention, expire, plan_expiry
from pipelines.engine.tables import exists

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
    for table, product, place in _tables(settings, products):
        small, expired, orphans = _survey(place, settings.retention_hours)
        care = _care(table, small, expired, orphans)
        if retention is not None and table == product:
            care = _aged(care, plan_expiry(settings.storage, retention, product))
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
    for table, product, place in _tables(settings, products):
        with locked(lock_path(settings.locks, product), wait_seconds=wait):
            age = None
            if retention is not None and table == product:
                age = expire(settings, ledgers, retention, product)
            small, expired, orphans = _survey(place, settings.retention_hours)
            care = _aged(_care(table, small, expired, orphans), age)
            if small:
                _compact(place, small)
                reach("compacted")
            if expired:
                place.delta().vacuum(
                    settings.retention_hours, dry_run=False, enforce_retention_duration=False
                )
                reach("vacuumed")
            for orphan in orphans:
                place.remove(place.file(orphan.name))
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


def _tables(settings: Settings, products: Iterable[str]) -> Iterator[tuple[str, str, Place]]:
    """(name, the product whose lock guards it, place) of every table that is there."""
    for product in products:
        for table, place in (
            (product, settings.storage.table(product)),
            (f"quarantine.{product}", settings.storage.quarantine(product)),
        ):
            if exists(place):
                yield table, product, place


def _survey(place: Place, retention_hours: int) -> tuple[dict[str, int], list[Entry], list[Entry]]:
    """Small files per interval worth merging, expired files, orphans."""
    table = place.delta()
    there = {entry.name: entry for entry in place.data()}
    expired = {
        unquote(name)
        for name in table.vacuum(retention_hours, dry_run=True, enforce_retention_duration=False)
    }
    named = {unquote(uri) for uri in table.file_uris()} | {
        place.file(name) for name in _named_in_log(place)
    }
    orphans = [there[name] for name in sorted(there) if place.file(name) not in named]
    return _small(table), [there[name] for name in sorted(expired & there.keys())], orphans


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


def _named_in_log(place: Place) -> Iterator[str]:
    for entry in place.log():
        if not is_commit(entry.name):
            continue
        for line in place.log_text(entry.name).splitlines():
            action = json.loads(line)
            body = action.get("add") or action.get("remove")
            if body:
                yield unquote(body["path"])


def _compact(place: Place, small: dict[str, int]) -> None:
    from deltalake import WriterProperties

    table = place.delta()
    columns = table.metadata().partition_columns
    only = [(columns[0], "in", sorted(small))] if columns else None
    table.optimize.compact(
        partition_filters=only,
        target_size=4 * SMALL_BYTES,
        writer_properties=WriterProperties(compression="SNAPPY"),
    )


def _care(table: str, small: dict[str, int], expired: list[Entry], orphans: list[Entry]) -> Care:
    return Care(
        table=table,
        compact=tuple(small),
        small_files=sum(small.values()),
        expired=len(expired),
        orphans=len(orphans),
        bytes=sum(entry.size for entry in (*expired, *orphans)),
    )
