"""Land: every new file of a source into landing, bronze and the delivery ledger, exactly once.

Order of effects: the checked copy, then one bronze append per product, then the ledger, then the
cache of seen files. A kill between any two is repaired by the next run: bronze commits carry their
delivery records, and everything before them is invisible.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from contracts.catalogue import Catalogue
from contracts.errors import ExlakeError, TerminalError
from contracts.model import Contract
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.delivery import Delivery, delivery_id
from pipelines.engine.faults import reach
from pipelines.engine.lake_format import note_tables
from pipelines.engine.ledgers import DELIVERY, Ledgers
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.settings import Settings
from pipelines.sources.base import Limits, Offer, Source
from pipelines.sources.bronze import Landed, append, unrecorded
from pipelines.sources.errors import BUSY, FileBusyError, UnsafePathError
from pipelines.sources.file_drop import FileDrop
from pipelines.sources.formats import Match, fingerprint
from pipelines.sources.manifests import read_manifest
from pipelines.sources.receive import INCOMING, Known, Receiver, candidates_of
from pipelines.sources.seen import Seen

Progress = Callable[[int, int, str], None]
"""(files done, files in all, what happens now)."""
APPEND_FILES = 200
"""Deliveries in one bronze commit at most: its metadata carries all their records."""


class UnknownSourceError(TerminalError):
    """Raised when no bronze contract comes from the named system or dataset."""

    code = "unknown-source"

    def __init__(self, source: str, known: Iterable[str]) -> None:
        self.source, self.known = source, tuple(sorted(set(known)))
        super().__init__(
            f"no bronze contract has the source {source!r}.",
            next_step=f"use one of {', '.join(self.known)}.",
        )


class DropFolderError(TerminalError):
    """Raised when the folder to land from does not exist."""

    code = "drop-folder"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} does not exist.", next_step="give an existing folder or file with --from."
        )


def land(
    settings: Settings,
    catalogue: Catalogue,
    source: str | None = None,
    interval: date | None = None,
    from_path: Path | None = None,
    on_progress: Progress | None = None,
    *,
    run_id: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Delivery]:
    """Land what is new of a source (a system or a dataset; None: all) below a drop folder.

    ``from_path`` defaults to the inbox, ``interval`` keeps one date. Returns the deliveries
    recorded by this call, refused ones included; files seen before cost one ``stat``. Raises
    UnknownSourceError, DropFolderError, LockHeldError; a bad file never raises. One that
    is busy or still being written does (transient), when all others have landed.
    """
    contracts = contracts_of(catalogue, source)
    if from_path is not None and not from_path.exists():
        raise DropFolderError(from_path)
    drop = FileDrop((from_path or settings.inbox).absolute())
    if not drop.root.exists():
        return []
    return land_source(
        settings, catalogue, contracts, drop, interval, on_progress, run_id=run_id, now=now
    )


def land_source(
    settings: Settings,
    catalogue: Catalogue,
    contracts: tuple[Contract, ...],
    source: Source,
    interval: date | None = None,
    on_progress: Progress | None = None,
    *,
    run_id: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Delivery]:
    """As ``land``, for any kind of source and the bronze contracts it may deliver."""
    lock = lock_path(settings.locks, "landing")
    with locked(lock, wait_seconds=settings.lock_wait_seconds):
        note_tables(settings)
        formats = fingerprint(catalogue.layer("bronze"))
        run = _Landing(settings, contracts, formats, source, now, run_id)
        offers = [o for o in source.offers(interval) if not run.seen.knows(o)]
        landed = run.land(offers, interval, on_progress or (lambda *_: None))
        if run.busy:
            raise run.busy[0]
        return landed


class _Landing:
    """One call of ``land``, under the landing lock."""

    def __init__(
        self,
        settings: Settings,
        contracts: tuple[Contract, ...],
        formats: str,
        source: Source,
        now: Callable[[], datetime],
        run_id: str | None,
    ) -> None:
        self.settings, self.contracts, self.now, self.run_id = settings, contracts, now, run_id
        self.ledgers = Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)
        ledger = settings.ops / DELIVERY.name / "_delta_log"
        self.seen = Seen.load(settings.landing, formats, trusted=ledger.is_dir())
        self.recorded: list[Delivery] = []
        self.busy: list[ExlakeError] = []
        """What a later landing may read: told when everything else has landed."""
        self.known = Known(lambda period: self.ledgers.read(DELIVERY, periods=[period]))
        self.receiver = Receiver(
            source, settings.landing, Limits.of(settings), TradingCalendar.default(), now, run_id
        )

    def land(
        self, offers: list[Offer], interval: date | None, on_progress: Progress
    ) -> list[Delivery]:
        """Repair, receive, append, record."""
        moved = {p: v for p, v in self._versions().items() if v != self.seen.versions.get(p, -1)}
        if not offers and not moved:
            return []
        self._repair(moved)
        shutil.rmtree(self.settings.landing / INCOMING, ignore_errors=True)
        waiting: dict[str, list[tuple[Landed, Offer]]] = {}
        for done, offer in enumerate(offers):
            on_progress(done, len(offers), offer.name)
            landed = self._receive(offer, interval)
            if landed is not None:
                waiting.setdefault(landed.contract.product, []).append((landed, offer))
        reach("delivery-copied")
        for product, items in waiting.items():
            on_progress(len(offers), len(offers), product)
            self._append(product, items)
            reach("delivery-appended")
        self._record(self.recorded)
        reach("delivery-recorded")
        for items in waiting.values():
            for _, offer in items:
                self.seen.landed(offer)
        self._note_versions()
        self.seen.save()
        reach("deliveries-noted")
        on_progress(len(offers), len(offers), "done")
        return self.recorded

    def _receive(self, offer: Offer, interval: date | None) -> Landed | None:
        candidates = candidates_of(self.contracts, offer)
        if interval is not None:
            candidates = tuple(m for m in candidates if m.interval in (interval, None))
        if not candidates and not self._claimed(offer, interval):
            return None
        try:
            result = self.receiver.receive(offer, candidates, self.known)
        except ExlakeError as error:
            if error.transient:
                self.busy.append(error)
            else:
                self._refuse(offer, candidates, error)
            return None
        except OSError as error:
            if error.errno not in BUSY:
                raise
            self.busy.append(FileBusyError(offer.name, str(error.strerror)))
            return None
        if isinstance(result, Landed):
            self.known.add(result.delivery)
            self.recorded.append(result.delivery)
            return result
        if result is not None:
            self.seen.landed(offer)
        return None

    def _claimed(self, offer: Offer, interval: date | None) -> bool:
        """True when a manifest claims an unrecognised file for one of our systems."""
        if offer.manifest is None or interval is not None:
            return False
        try:
            manifest = read_manifest(offer)
        except ExlakeError:
            return True
        return manifest is not None and manifest.system in {c.source for c in self.contracts}

    def _refuse(self, offer: Offer, candidates: tuple[Match, ...], error: ExlakeError) -> None:
        self.seen.refused(offer)
        refused = self._refusal(offer, candidates, error)
        if any(
            d.delivery_id == refused.delivery_id and d.error_code == error.code
            for d in self.known.of(refused.dataset, refused.interval)
        ):
            return
        self.known.add(refused)
        self.recorded.append(refused)

    def _refusal(self, offer: Offer, candidates: tuple[Match, ...], error: ExlakeError) -> Delivery:
        """The record of a refused file, with as much as is known of it."""
        try:
            manifest = read_manifest(offer)
        except ExlakeError:
            manifest = None
        named = [m for m in candidates if manifest and m.contract.name == manifest.dataset]
        match = next(iter([*named, *candidates]), None)
        contract = match.contract if match else None
        dataset = contract.name if contract else manifest.dataset if manifest else "unknown"
        said = contract.source if contract else manifest.system if manifest else None
        day = match.interval if match else None
        interval = day.isoformat() if day else manifest.interval if manifest else "all"
        # What must not be opened is known by its name.
        sha256 = hashlib.sha256(offer.name.encode()).hexdigest()
        if not isinstance(offer.problem, UnsafePathError):
            with suppress(ExlakeError):
                sha256 = self.receiver.source.checksum(offer)
        sequence = manifest.sequence if manifest else 0
        return Delivery(
            delivery_id=delivery_id(dataset, interval, sequence, sha256),
            system=said or "unknown",
            dataset=dataset,
            interval=interval,
            mode=manifest.mode if manifest else match.format.mode if match else "full",
            part=manifest.part if manifest else None,
            parts=manifest.parts if manifest else None,
            sequence=sequence,
            file=offer.file,
            rows=manifest.rows if manifest else None,
            bytes=offer.size,
            sha256=sha256,
            encoding=None,
            format=None,
            path=None,
            status="refused",
            has_manifest=manifest is not None,
            generated_at=manifest.generated_at if manifest else None,
            received_at=self.now(),
            run_id=self.run_id,
            error_code=error.code,
            message=f"{error.what} Next: {error.next_step}",
        )

    def _append(self, product: str, items: list[tuple[Landed, Offer]]) -> None:
        lock = lock_path(self.settings.locks, product)
        with locked(lock, wait_seconds=self.settings.lock_wait_seconds):
            for start in range(0, len(items), APPEND_FILES):
                part = [landed for landed, _ in items[start : start + APPEND_FILES]]
                append(self.settings.table(product), part[0].contract, part)

    def _repair(self, moved: dict[str, int]) -> None:
        """Record what bronze commits carry and the ledger lacks."""
        if not moved:
            return
        lost: list[Delivery] = []
        recorded = self.ledgers.read(DELIVERY, where={"status": ["landed"]})
        ids = {d.delivery_id for d in recorded}
        for product in moved:
            after = self.seen.versions.get(product, -1)
            lost += unrecorded(self.settings.table(product), after, ids)
        for delivery in lost:
            self.known.add(delivery)
        self.recorded += lost

    def _record(self, deliveries: list[Delivery]) -> None:
        self.ledgers.append((DELIVERY, deliveries))

    def _versions(self) -> dict[str, int]:
        found = {c.product: self.settings.table(c.product).version() for c in self.contracts}
        return {product: version for product, version in found.items() if version >= 0}

    def _note_versions(self) -> None:
        for product, version in self._versions().items():
            self.seen.table_at(product, version)


def contracts_of(catalogue: Catalogue, source: str | None) -> tuple[Contract, ...]:
    """Bronze contracts of a system or dataset (None: all). Raises UnknownSourceError."""
    bronze = [c for c in catalogue.layer("bronze") if c.formats]
    if source is None:
        return tuple(bronze)
    named = tuple(c for c in bronze if source in (c.source, c.name, c.product))
    if not named:
        raise UnknownSourceError(source, [*(c.source or c.name for c in bronze)])
    return named
