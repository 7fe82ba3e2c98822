"""One offer: decide what it is, check it whole, and keep a byte-for-byte copy."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from contracts.model import Contract
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.delivery import Delivery, Manifest, delivery_id, from_manifest
from pipelines.engine.ledgers import period_of
from pipelines.sources import readers
from pipelines.sources.base import Limits, Offer, Source
from pipelines.sources.bronze import Landed
from pipelines.sources.dating import latest_date
from pipelines.sources.errors import (
    ChangedWhileReadError,
    ChecksumMismatchError,
    DateMismatchError,
    DeliveryError,
    EmptyDeliveryError,
    SequenceConflictError,
    UnknownFileError,
)
from pipelines.sources.file_drop import SIDECAR
from pipelines.sources.formats import Match, check_body_date, choose, matches
from pipelines.sources.json_reader import holds_data
from pipelines.sources.manifests import check_content, check_date, check_origin, read_manifest

INCOMING = ".incoming"
KEEP_ROWS_BYTES = 64_000_000
"""Arrow bytes of a checked file kept for its append; larger files are read a second time."""


@dataclass
class Known:
    """Deliveries already recorded or about to be, by dataset and interval.

    ``recorded`` gives those of a month (or ``all``). A month is read when it is first asked for:
    landing a day costs what its months hold, not what the lake holds.
    """

    recorded: Callable[[str], Iterable[Delivery]] = lambda period: ()
    deliveries: dict[tuple[str, str], list[Delivery]] = field(default_factory=dict)
    periods: set[str] = field(default_factory=set)

    def add(self, delivery: Delivery) -> None:
        """Take note of one more delivery."""
        self.deliveries.setdefault((delivery.dataset, delivery.interval), []).append(delivery)

    def of(self, dataset: str, interval: str) -> list[Delivery]:
        """Every delivery of one dataset and interval, in order of sequence."""
        period = period_of(interval)
        if period not in self.periods:
            self.periods.add(period)
            for delivery in self.recorded(period):
                self.add(delivery)
        found = self.deliveries.get((dataset, interval), [])
        return sorted(found, key=lambda d: d.sequence)

    def landed(self, dataset: str, interval: str) -> list[Delivery]:
        """Those that landed."""
        return [d for d in self.of(dataset, interval) if d.status == "landed"]


@dataclass(frozen=True)
class Receiver:
    """What receiving needs; ``now`` is the clock (UTC), ``run_id`` marks the records."""

    source: Source
    landing: Path
    limits: Limits
    calendar: TradingCalendar
    now: Callable[[], datetime]
    run_id: str | None = None

    def receive(
        self, offer: Offer, candidates: Sequence[Match], known: Known
    ) -> Landed | Delivery | None:
        """Land one offer's copy.

        Returns what waits to be appended; the earlier Delivery when this one is known already;
        None when the file belongs to no dataset. Raises DeliveryError when it is refused.
        """
        if offer.problem is not None:
            raise offer.problem
        manifest = read_manifest(offer)
        if manifest is not None:
            candidates = _of_manifest(offer, manifest, candidates)
        candidates = [c for c in candidates if c.contract == candidates[0].contract]
        if not candidates:
            return None
        sha256 = self.source.checksum(offer)
        if manifest is not None:
            check_content(offer, manifest, sha256)
        day = manifest.interval if manifest else _interval(candidates[0])
        if day is None and not any(c.format.date_column for c in candidates):
            raise DateMismatchError(offer.name, "a date (YYYYMMDD)", "name", "none")
        earlier = day and _earlier(offer, manifest, candidates[0], day, sha256, known)
        if earlier:
            return earlier
        folder = self.landing / INCOMING / uuid.uuid4().hex
        folder.mkdir(parents=True, mode=0o700)
        try:
            return self._check_and_keep(offer, manifest, candidates, sha256, known, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _check_and_keep(
        self,
        offer: Offer,
        manifest: Manifest | None,
        candidates: Sequence[Match],
        sha256: str,
        known: Known,
        folder: Path,
    ) -> Landed | Delivery:
        copy = folder / offer.file
        if self.source.fetch(offer, copy) != sha256:
            raise ChangedWhileReadError(offer.name)
        encoding = manifest.encoding if manifest else None
        match, file = choose(copy, offer.name, candidates, self.limits, encoding)
        contract, form = match.contract, match.format
        if manifest is not None:
            check_date(offer, manifest, match.interval)
            check_origin(offer, manifest, contract, form)
        # The whole file is read before anything is stored: a bad one leaves nothing behind.
        rows, kept, filled, latest = _read_all(file, match)
        interval = _dated(offer, manifest, match, latest)
        check_body_date(file, match, interval)
        if manifest is None and form.date_column is not None:
            earlier = _earlier(offer, manifest, match, interval, sha256, known)
            if earlier is not None:
                return earlier
        if not filled and (manifest is None or manifest.mode != "withdrawal"):
            rows = 0
            self._allow_empty(offer, match, interval)
        counted_here = any(rule.kind == "row_count" for rule in contract.rules)
        if manifest is not None and counted_here and manifest.rows != rows:
            # Silver does not keep these rows one by one (documents are unfolded, changes become
            # chains), so the count is judged here; elsewhere the gate compares it.
            raise ChecksumMismatchError(offer.name, "rows", manifest.rows, rows)
        delivery = self._record(offer, manifest, match, interval, sha256, file, rows, known)
        final = self._keep(folder, delivery, offer)
        again = file.moved(final)

        def batches() -> Iterator[pa.RecordBatch]:
            if kept is not None:
                return iter(kept)
            return readers.read(again, form, contract, match.named)

        return Landed(delivery, contract, batches, rows)

    def _allow_empty(self, offer: Offer, match: Match, interval: str) -> None:
        if match.format.empty == "allowed":
            return
        if self.calendar.is_trade_date(date.fromisoformat(interval)):
            raise EmptyDeliveryError(offer.name, match.contract.product, interval)

    def _record(
        self,
        offer: Offer,
        manifest: Manifest | None,
        match: Match,
        interval: str,
        sha256: str,
        file: readers.OpenFile,
        rows: int,
        known: Known,
    ) -> Delivery:
        dataset, form = match.contract.name, match.format
        if manifest is not None:
            path = _landed_path(dataset, interval, manifest.sequence, sha256, offer.file)
            record = from_manifest(manifest, received_at=self.now(), path=path, format=form.name)
            message = None if manifest.rows == rows else f"the file holds {rows} rows"
            return replace(record, run_id=self.run_id, encoding=file.encoding, message=message)
        sequence = max((d.sequence for d in known.of(dataset, interval)), default=0) + 1
        return Delivery(
            delivery_id=delivery_id(dataset, interval, sequence, sha256),
            system=form.system or match.contract.source or "unknown",
            dataset=dataset,
            interval=interval,
            mode="part" if match.publisher else form.mode,
            part=match.publisher,
            parts=1 if match.publisher == 1 else None,
            sequence=sequence,
            file=offer.file,
            rows=rows,
            bytes=offer.size,
            sha256=sha256,
            encoding=file.encoding,
            format=form.name,
            path=_landed_path(dataset, interval, sequence, sha256, offer.file),
            status="landed",
            has_manifest=False,
            generated_at=None,
            received_at=self.now(),
            run_id=self.run_id,
            message=_note(match, file, rows),
        )

    def _keep(self, folder: Path, delivery: Delivery, offer: Offer) -> Path:
        """Rename the checked folder to its final name; the same content there already is fine."""
        assert delivery.path is not None
        final = self.landing.parent / delivery.path
        if offer.manifest is not None:
            sidecar = folder / f"{offer.file}.manifest.json"
            sidecar.write_bytes(offer.manifest)
            _flush(sidecar)
        if offer.evidence is not None:
            answer = folder / f"{offer.file}.response.json"
            answer.write_bytes(offer.evidence)
            _flush(answer)
        _flush(folder)
        final.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if final.parent.exists():
            # Left by a run that was killed before it recorded the delivery.
            shutil.rmtree(final.parent)
        folder.rename(final.parent)
        _flush(final.parent.parent)
        return final


def dated_by_rows(
    path: Path, name: str, candidates: Sequence[Match], limits: Limits
) -> tuple[str, str | None] | None:
    """(format, interval) of a file whose rows may date it; None when it will be refused."""
    try:
        match, file = choose(path, name, candidates, limits, None)
        day = _interval(match) or _read_all(file, match)[3]
    except DeliveryError:
        return None
    return match.format.name, day


def candidates_of(contracts: Sequence[Contract], offer: Offer) -> tuple[Match, ...]:
    """Formats that fit the offer's name (that of its lost file, for a manifest alone)."""
    return matches(contracts, offer.name.removesuffix(SIDECAR))


def _of_manifest(offer: Offer, manifest: Manifest, candidates: Sequence[Match]) -> Sequence[Match]:
    named = [m for m in candidates if m.contract.name == manifest.dataset]
    if not named:
        known = [f.name for m in candidates for f in m.contract.formats]
        raise UnknownFileError(offer.name, manifest.dataset, known)
    return named


def _note(match: Match, file: readers.OpenFile, rows: int) -> str | None:
    """What is worth knowing of a file that nobody vouches for."""
    if not rows:
        return "no data: not a trade date, or nothing to report"
    lines = match.format.kind in ("csv", "jsonl")
    if lines and file.text is not None and not file.text.ended:
        return "its last line has no line end: it may be cut; nothing vouches for it"
    return None


def _earlier(
    offer: Offer, manifest: Manifest | None, match: Match, interval: str, sha256: str, known: Known
) -> Delivery | None:
    """The delivery that this offer repeats, or None; raises SequenceConflictError."""
    landed = known.landed(match.contract.name, interval)
    if manifest is None:
        return next((d for d in landed if d.sha256 == sha256), None)
    for d in landed:
        if d.sequence == manifest.sequence and d.sha256 != sha256:
            raise SequenceConflictError(offer.name, d.sequence, d.delivery_id)
        if d.sequence == manifest.sequence:
            return d
    return None


def _interval(match: Match) -> str | None:
    return match.interval.isoformat() if match.interval else None


def _dated(offer: Offer, manifest: Manifest | None, match: Match, latest: str | None) -> str:
    """The interval: what the manifest says, or the name, or the latest date in the rows.

    Raises DateMismatchError when there is none, or rows and manifest disagree.
    """
    column = match.format.date_column
    said = manifest.interval if manifest else _interval(match)
    if column is None:
        if said is None:
            raise DateMismatchError(offer.name, "a date (YYYYMMDD)", "name", "none")
        return said
    if manifest is not None and latest not in (None, said):
        raise DateMismatchError(offer.name, manifest.interval, f"latest {column}", str(latest))
    if said is None and latest is None:
        raise DateMismatchError(offer.name, "a date", f"column {column}", "none")
    return said or str(latest)


def _read_all(
    file: readers.OpenFile, match: Match
) -> tuple[int, list[pa.RecordBatch] | None, bool, str | None]:
    """Rows, the batches when small enough to keep, whether any carries data, and the latest date.

    The date (ISO) is that of the format's ``date_column``; None without one.
    """
    rows, size, filled, latest = 0, 0, False, None
    kept: list[pa.RecordBatch] | None = []
    keys = match.format.data_keys
    dated = match.format.date_column
    for batch in readers.read(file, match.format, match.contract, match.named):
        rows += batch.num_rows
        size += batch.nbytes
        if not filled:
            filled = not keys or holds_data(batch.column("record").to_pylist(), keys)
        if dated is not None:
            latest = latest_date(batch.column(dated), latest)
        kept = [*kept, batch] if kept is not None and size <= KEEP_ROWS_BYTES else None
    return rows, kept, filled and rows > 0, latest


def _landed_path(dataset: str, interval: str, sequence: int, sha256: str, file: str) -> str:
    identity = delivery_id(dataset, interval, sequence, sha256)
    return f"landing/{dataset}/{interval}/{identity}/{file}"


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
