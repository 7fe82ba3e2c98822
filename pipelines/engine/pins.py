"""What an interval reads, pinned: which intervals of which products, with which content.

A pin's fingerprint is what staleness compares: of a dated input the content of
that interval; of a dimension the last batch that changed the date's as-of view;
of a snapshot its newest delivery; of a history all of them together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from contracts.model import Read
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.delivery import Effective
from pipelines.engine.graph import Graph, Node
from pipelines.engine.rows import Pin
from pipelines.engine.state import ALL, Record, State

ABSENT = "absent"
MOST_REASONS = 10


@dataclass(frozen=True)
class Slot:
    """One declared read of one interval, resolved.

    ``sources`` are the built intervals behind it (none for bronze); ``absent`` the intervals
    that are not there yet; ``incomplete`` why what is there is not the whole truth, ``partial``
    when that is because of deliveries still to come for this very interval.
    """

    read: Read
    pins: tuple[Pin, ...]
    sources: tuple[tuple[str, str], ...]
    absent: tuple[tuple[str, str], ...] = ()
    partial: bool = False
    incomplete: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """True when the interval cannot be built without it."""
        return not self.read.optional and self.read.how != "previous"


@dataclass(frozen=True)
class Resolver:
    """Resolves reads against a state."""

    graph: Graph
    calendar: TradingCalendar
    state: State

    def slot(self, node: Node, read: Read, interval: str) -> Slot:
        """One read of one interval of ``node``; raises DateOutsideCalendarError."""
        other = self.graph.nodes[read.product]
        match read.how:
            case "same" if other.dated:
                return self._at(read, other, (interval,))
            case "previous":
                return self._at(read, other, self._days_before(interval, read.n))
            case "latest" | "history" if other.dated:
                return self._many(read, other)
        return self._dimension(read, node, interval)

    def _days_before(self, interval: str, n: int) -> tuple[str, ...]:
        day = date.fromisoformat(interval)
        return tuple(self.calendar.previous(day, k).isoformat() for k in range(1, n + 1))

    def _at(self, read: Read, other: Node, intervals: tuple[str, ...]) -> Slot:
        """Intervals of a dated product, one pin each."""
        parts = [self._one(other, interval) for interval in intervals]
        return Slot(
            read=read,
            pins=tuple(
                Pin(read.product, i, p.fingerprint or ABSENT, p.version)
                for i, p in zip(intervals, parts, strict=True)
            ),
            sources=() if other.job is None else tuple((read.product, i) for i in intervals),
            absent=tuple(
                (read.product, i)
                for i, p in zip(intervals, parts, strict=True)
                if p.fingerprint is None
            ),
            partial=any(p.partial for p in parts) and read.how == "same",
            incomplete=_few(reason for p in parts for reason in p.incomplete),
        )

    def _many(self, read: Read, other: Node) -> Slot:
        """All intervals of a dated product (history) or the newest one (latest), as one pin."""
        product = read.product
        if other.job is None:
            known = counting(read.how, self.state.deliveries.get(product, {}))
        else:
            records = self.state.records.get(product, {})
            known = sorted(i for i, r in records.items() if r.published)
            known = known[-1:] if read.how == "latest" else known
        parts = [self._one(other, interval) for interval in known]
        body = [(i, p.fingerprint) for i, p in zip(known, parts, strict=True)]
        versions = [p.version for p in parts if p.version is not None]
        return Slot(
            read=read,
            pins=(
                Pin(
                    product,
                    read.how,
                    together(read.how, body),
                    max(versions, default=None),
                ),
            ),
            sources=() if other.job is None else tuple((product, i) for i in known),
            absent=() if known else ((product, read.how),),
            incomplete=_few(reason for p in parts for reason in p.incomplete),
        )

    def _dimension(self, read: Read, node: Node, interval: str) -> Slot:
        """A product of one interval: by the batches that matter on the date when there is one."""
        product = read.product
        other = self.graph.nodes[product]
        part = self._one(other, ALL)
        fingerprint, at = part.fingerprint, read.how if node.dated else ALL
        if node.dated and read.how in ("as_of", "same"):
            at = "as_of"
            # A reader of one date is indifferent to what changed on other dates.
            if other.contract.scd2 and fingerprint is not None:
                fingerprint = self._token(product, interval)
        return Slot(
            read=read,
            pins=(Pin(product, at, fingerprint or ABSENT, part.version),),
            sources=((product, ALL),),
            absent=() if part.fingerprint is not None else ((product, ALL),),
            incomplete=part.incomplete,
        )

    def _token(self, product: str, interval: str) -> str:
        """The last batch that changed the as-of view of a date (``none`` when none did)."""
        day = date.fromisoformat(interval)
        for row in reversed(self.state.changes.get(product, ())):
            first, last = row.changed_from, row.changed_to
            if first is not None and first <= day and (last is None or day <= last):
                return row.batch_id
        return "none"

    def _one(self, other: Node, interval: str) -> _Part:
        if other.job is None:
            found = self.state.deliveries.get(other.product, {}).get(interval)
            if found is None:
                return _Part()
            reasons = tuple(f"{other.product} {interval}: {r}" for r in found.reasons)
            return _Part(found.fingerprint, None, bool(reasons), reasons)
        return _part(self.state.record(other.product, interval))


@dataclass(frozen=True)
class _Part:
    fingerprint: str | None = None
    version: int | None = None
    partial: bool = False
    incomplete: tuple[str, ...] = ()


def _part(record: Record | None) -> _Part:
    row = record.published if record else None
    if row is None:
        return _Part()
    own = {"quarantine": "rows in quarantine", "flagged": "failed a later judgement"}
    where = f"{row.product} {row.interval}"
    reasons = row.incomplete_because
    if row.state in own:
        reasons = (f"{where}: {own[row.state]}", *reasons)
    return _Part(row.fingerprint, row.delta_version, row.partial, reasons)


def counting(how: str, delivered: Mapping[str, Effective]) -> list[str]:
    """The delivered intervals that ``history`` (or ``latest``) reads of a bronze product."""
    known = sorted(i for i, e in delivered.items() if e.steps)
    if how == "latest":
        return known[-1:]
    # A day on which nothing changed delivers an empty change file: no new input.
    return [i for i in known if any(s.rows != 0 for s in delivered[i].steps)] or known


def together(how: str, parts: Iterable[tuple[str, str | None]]) -> str:
    """The fingerprint of several intervals read as one; ``absent`` when there are none.

    A snapshot sent again with the same content is the same input, whatever its date.
    """
    body = [[f] if how == "latest" else [i, f] for i, f in parts]
    return _digest(body) if body else ABSENT


def changed(
    recorded: Iterable[Pin], wanted: Iterable[Pin], describe: Callable[[Pin, Pin | None], str]
) -> tuple[tuple[Pin, str], ...]:
    """Pins whose content is another than was recorded, with a sentence each.

    Delta versions are not compared: they never make anything stale. A read that was dropped
    is the job's change, not the input's.
    """
    before: Mapping[tuple[str, str], Pin] = {(p.product, p.at): p for p in recorded}
    found = []
    for pin in wanted:
        old = before.get((pin.product, pin.at))
        if old is None or old.fingerprint != pin.fingerprint:
            found.append((pin, describe(pin, old)))
    return tuple(found)


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:32]


def _few(reasons: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reasons))[:MOST_REASONS]
