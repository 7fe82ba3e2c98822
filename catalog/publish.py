"""Publishing: one masked, read-only DuckDB file per audience, swapped in atomically.

The new file is written beside the old one and replaces it in one step; whoever has the old one
open keeps reading it. When nothing changed nothing is written. Intervals that changed are
applied to a copy of the last file; anything that shapes the file (columns, masks, key, texts)
rebuilds it from the lake, and so does ``force``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from catalog import earlier
from catalog.alerts import alert_tables
from catalog.audience import pick, products_of
from catalog.build import Content, create_table, replace_intervals, writing
from catalog.causes import Causes
from catalog.changes import Change, Seen, carried, change_tables, find_changes, kept_changes
from catalog.compare import attached
from catalog.copying import copy_file
from catalog.keys import MaskKey, load_or_create_key
from catalog.masking import MaskPlan, mask_plan
from catalog.meta import Edition, Published, meta_tables, write_meta
from catalog.sidecar import (
    Part,
    Sidecar,
    Stamp,
    digest,
    read_sidecar,
    shape_digest,
    states_digest,
    write_sidecar,
)
from catalog.snapshot import Head, digests, head
from catalog.states import IntervalState, interval_states
from catalog.waived import Waived, waived, waived_table
from contracts.catalogue import Catalogue
from contracts.standards import Audience
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.faults import reach
from pipelines.engine.ledgers import Ledgers
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.repair import unrecorded
from pipelines.engine.rows import IntervalRow
from pipelines.engine.settings import Settings
from pipelines.engine.state import Record, load_records
from pipelines.engine.tables import Table, open_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ProductCopy:
    """What was done for one product: ``replaced`` intervals copied, or all of them."""

    product: str
    source_version: int
    rows: int
    replaced: int


@dataclass(frozen=True)
class Publication:
    """What ``publish`` did for one audience; ``products`` lists only what was copied anew."""

    audience: str
    path: Path
    outcome: Literal["unchanged", "updated", "rebuilt"]
    publication_id: str
    published_at: datetime
    products: tuple[ProductCopy, ...]
    bytes: int
    seconds: float


def publish(
    settings: Settings,
    catalogue: Catalogue,
    audience: str | None = None,
    *,
    force: bool = False,
    on_progress: Progress | None = None,
    run_id: str | None = None,
    now: datetime | None = None,
) -> list[Publication]:
    """Bring the files of every audience (or one) up to date with the lake, without Spark.

    ``force`` rebuilds them in full. ``now`` (zone-aware) is the clock. Raises
    UnknownAudienceError, MaskKeyError, NotPublishableError (the last file stays) and
    LockHeldError when another process is publishing.
    """
    moment = now or datetime.now(UTC)
    chosen = list(catalogue.audiences.values())
    if audience is not None:
        chosen = [pick(catalogue.audiences, audience)]
    say = on_progress or (lambda _: None)
    with locked(lock_path(settings.locks, "publish"), wait_seconds=settings.lock_wait_seconds):
        settings.publish.mkdir(parents=True, exist_ok=True, mode=0o750)
        ledgers = Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)
        states, mended = _states(ledgers, settings, catalogue, moment)
        causes = Causes(ledgers, mended)
        excused = waived(ledgers)
        return [
            _publish(settings, catalogue, one, states, excused, causes, force, say, run_id, moment)
            for one in chosen
        ]


def read_states(
    settings: Settings, catalogue: Catalogue, now: datetime
) -> tuple[IntervalState, ...]:
    """The state of every interval in the lake, as readers must see it."""
    ledgers = Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)
    return _states(ledgers, settings, catalogue, now)[0]


def _states(
    ledgers: Ledgers, settings: Settings, catalogue: Catalogue, now: datetime
) -> tuple[tuple[IntervalState, ...], list[IntervalRow]]:
    """States, and the rows that a killed run committed and could not record.

    Those are read from its commit: the table is ahead of the ledger then, and its readers too.
    """
    state = load_records(ledgers)
    built = [c.product for c in catalogue.contracts.values() if c.layer != "bronze"]
    mended, _ = unrecorded(settings.storage, built, state)
    records = (r for of in state.with_rows(mended).records.values() for r in of.values())
    rows = [_standing(record) for record in records]
    states = interval_states(catalogue.contracts, rows, TradingCalendar.default(), now)
    return states, mended


def _standing(record: Record) -> IntervalRow:
    """The newest row; a refused or broken attempt leaves standing what was published before."""
    stored = record.published
    if record.latest.readable or stored is None:
        return record.latest
    return replace(
        record.latest, fingerprint=stored.fingerprint, delta_version=stored.delta_version
    )


def published_path(settings: Settings, audience: str) -> Path:
    """The audience's file."""
    return settings.publish / f"{audience}.duckdb"


def _publish(
    settings: Settings,
    catalogue: Catalogue,
    audience: Audience,
    states: tuple[IntervalState, ...],
    excused: tuple[Waived, ...],
    causes: Causes,
    force: bool,
    say: Progress,
    run_id: str | None,
    now: datetime,
) -> Publication:
    began = time.monotonic()
    target = published_path(settings, audience.name)
    # A product that was never built is an empty table: the file's shape stays, and _meta says why.
    heads = {
        c.product: head(settings.table(c.product))
        for c in products_of(audience, catalogue.contracts)
    }
    plans = {product: mask_plan(catalogue[product], audience) for product in heads}
    key = None
    if any(plan.hashed for plan in plans.values()):
        key = load_or_create_key(settings.secrets, audience.name)
    version = key.version if key else 0
    masks = {product: plan.fingerprint(key) for product, plan in plans.items()}
    shape = shape_digest(audience, plans, masks, catalogue)
    seen = states_digest(states, tuple(plans))
    if mine := [str(w) for w in excused if w.product in plans]:
        seen = digest([seen, mine])
    told, told_digest = alert_tables(
        Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds), plans
    )
    if told:
        seen = digest([seen, told_digest])
    last = None if force else read_sidecar(target)
    if last and (last.shape, last.states, last.heads) == (shape, seen, heads):
        at = datetime.fromisoformat(last.published_at)
        return Publication(
            audience.name, target, "unchanged", last.publication_id, at, (),
            last.stamp.size, time.monotonic() - began,
        )  # fmt: skip
    base = last if last and last.shape == shape else None
    standing = last or read_sidecar(target)
    if standing:  # a killed publisher may not have kept it
        stood = {product: part.mask for product, part in standing.parts.items()}
        earlier.keep(settings, audience.name, standing.publication_id, target, stood)
    source = digest([shape, seen, {p: h.version for p, h in heads.items()}])
    edition = Edition(f"{audience.name}-{now:%Y%m%dT%H%M%SZ}-{source[:8]}", now, run_id, source)
    draft = settings.publish / f".{audience.name}.{os.getpid()}.draft"
    _clear(settings.publish, audience.name)
    try:
        if base:
            copy_file(target, draft)
        with writing(draft) as connection:
            settings.storage.open_to(connection)
            parts, copies = _write(connection, settings, plans, heads, masks, key, base, say)
            published = [_published(plans[product], part) for product, part in parts.items()]
            tables = meta_tables(edition, published, states, catalogue)
            tables += (waived_table(excused, plans),)
            compared = Seen(standing, edition, plans, parts, version)
            tables += told
            tables += change_tables(_changes(connection, target, compared, causes))
            write_meta(connection, tables)
        reach("draft-written")
        _swap(draft, target)
        reach("file-published")
    finally:
        _clear(settings.publish, audience.name)
    stamp = Stamp.of(target)
    assert stamp is not None
    write_sidecar(
        target,
        Sidecar(
            shape=shape,
            states=seen,
            parts=parts,
            publication_id=edition.publication_id,
            published_at=now.isoformat(),
            stamp=stamp,
            key_version=version,
        ),
    )
    reach("publication-noted")
    earlier.keep(settings, audience.name, edition.publication_id, target, masks)
    outcome: Literal["updated", "rebuilt"] = "updated" if base else "rebuilt"
    return Publication(
        audience.name, target, outcome, edition.publication_id, now, copies,
        stamp.size, time.monotonic() - began,
    )  # fmt: skip


def _write(
    connection: DuckDBPyConnection,
    settings: Settings,
    plans: Mapping[str, MaskPlan],
    heads: Mapping[str, Head],
    masks: Mapping[str, str],
    key: MaskKey | None,
    base: Sidecar | None,
    say: Progress,
) -> tuple[dict[str, Part], tuple[ProductCopy, ...]]:
    """Fill the draft with the changed intervals of every product."""
    parts: dict[str, Part] = {}
    copies: list[ProductCopy] = []
    for product, plan in plans.items():
        old = base.parts.get(product) if base else None
        if old and base and base.heads[product] == heads[product]:
            parts[product] = old
            continue
        table = Table(product, settings.table(product), -1, ())
        if (version := heads[product].version) >= 0:
            column = plan.contract.interval_column
            table = open_table(settings.storage, product, column, version)
        sources = digests(table)
        changed = _changed(old, sources)
        if old is None:
            create_table(connection, plan)
        if changed:
            say(f"{plan.audience.name}: {product}, {len(changed)} intervals")
        found: dict[str, Content] = {}
        if changed:
            only = None if old is None else changed
            found = replace_intervals(connection, plan, table, key, only)
        parts[product] = _part(heads[product], masks[product], sources, old, changed, found)
        rows = sum(content.rows for content in found.values())
        if table.version >= 0:
            copies.append(ProductCopy(product, table.version, rows, len(changed)))
    return parts, tuple(copies)


def _published(plan: MaskPlan, part: Part) -> Published:
    contents = {i: Content(part.rows[i], part.hashes[i]) for i in part.rows}
    return Published(plan, part.version, contents)


def _changes(
    connection: DuckDBPyConnection, last_file: Path, seen: Seen, causes: Causes
) -> tuple[Change, ...]:
    """What is restated against the last file, after what that file knew of.

    A last file that cannot be read, or is another audience's, has nothing to tell.
    """
    with attached(connection, last_file, seen.audience) as there:
        if not there:
            return ()
        history = carried(connection, seen.plans)
        return kept_changes(history, find_changes(connection, seen, causes, history))


def _changed(old: Part | None, sources: Mapping[str, str]) -> frozenset[str]:
    """Intervals whose files differ from those that were copied, removed ones included."""
    before = old.sources if old else {}
    return frozenset(i for i in before.keys() | sources.keys() if before.get(i) != sources.get(i))


def _part(
    at: Head,
    mask: str,
    sources: dict[str, str],
    old: Part | None,
    changed: frozenset[str],
    found: dict[str, Content],
) -> Part:
    rows = {i: n for i, n in (old.rows if old else {}).items() if i not in changed}
    hashes = {i: h for i, h in (old.hashes if old else {}).items() if i not in changed}
    rows |= {i: c.rows for i, c in found.items()}
    hashes |= {i: c.hash for i, c in found.items()}
    return Part(
        version=at.version,
        log_mark=at.mark,
        mask=mask,
        sources=sources,
        rows=dict(sorted(rows.items())),
        hashes=dict(sorted(hashes.items())),
    )


def _swap(draft: Path, target: Path) -> None:
    """Make the draft durable and read-only, then put it in the target's place in one step."""
    handle = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.chmod(0o444)
    draft.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _clear(folder: Path, audience: str) -> None:
    """Remove drafts of this or a killed publisher (the lock is held)."""
    for left in folder.glob(f".{audience}.*.draft*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
