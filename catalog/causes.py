"""Why a published interval changed: what the ledgers recorded of two of its batches, compared.

Nothing is guessed. Job version, columns, rules, decisions and the pins of the inputs are compared
as recorded; a pin that differs is followed, batch by batch, down to the deliveries whose arrival
turned the one fingerprint into the other. All differences are named, whether or not each of them
changed a row. Where the ledgers do not tell, the cause is ``unrecorded``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeVar

from pipelines.engine.delivery import Delivery, effective
from pipelines.engine.ledgers import DECISION, DELIVERY, INTERVAL, Ledgers, period_of
from pipelines.engine.pins import ABSENT, counting, together
from pipelines.engine.rows import DecisionRow, IntervalRow, Pin
from pipelines.engine.state import ALL, State, holds

Kind = Literal["delivery", "decision", "job", "contract", "retention", "unrecorded"]
ORDER: tuple[Kind, ...] = (
    "delivery", "decision", "job", "contract", "retention", "unrecorded",
)  # fmt: skip
DEEPEST = 12
"""Products in a row that a cause is followed through; the graph of products is shallower."""
T = TypeVar("T")


@dataclass(frozen=True)
class Cause:
    """One recorded difference: ``what`` is a delivery's or decision's id, or two versions."""

    kind: Kind
    product: str
    interval: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.what}"


@dataclass
class Causes:
    """Reads the ledgers once, for all audiences of one publication, and only when asked.

    ``mended`` are rows of a killed run that the ledger does not hold yet.
    """

    ledgers: Ledgers
    mended: Sequence[IntervalRow] = ()
    _batches: dict[str, dict[tuple[str, str], list[IntervalRow]]] = field(default_factory=dict)
    _expired: set[tuple[str, str]] = field(default_factory=set)
    _deliveries: dict[str, list[Delivery]] = field(default_factory=dict)
    _decisions: list[DecisionRow] | None = None
    _known: dict[tuple[str, str, int, int], tuple[Cause, ...]] = field(default_factory=dict)

    def of(self, product: str, interval: str, old: int, new: int) -> tuple[Cause, ...]:
        """What differs between what Delta version ``old`` and ``new`` hold of an interval."""
        key = (product, interval, old, new)
        if key not in self._known:
            before, after = self._at(product, interval, old), self._at(product, interval, new)
            found: set[Cause] = set()
            if (product, interval) in self._expired:
                found.add(Cause("retention", product, interval, "past its retention"))
            elif before is not None and after is not None:
                self._compare(before, after, found, set(), 0)
            unknown = Cause("unrecorded", product, interval, "nothing recorded differs")
            self._known[key] = tuple(sorted(found or {unknown}, key=_order))
        return self._known[key]

    def _at(self, product: str, interval: str, version: int) -> IntervalRow | None:
        """The batch that a version of the table holds of an interval."""
        rows = [r for r in self._rows(product, interval) if (r.delta_version or 0) <= version]
        return rows[-1] if rows else None

    def _rows(self, product: str, interval: str) -> list[IntervalRow]:
        """Readable batches of an interval, oldest first."""
        period = period_of(interval)
        if period not in self._batches:
            grouped: dict[tuple[str, str], list[IntervalRow]] = {}
            mended = [r for r in self.mended if period_of(r.interval) == period]
            for row in (*self.ledgers.read(INTERVAL, periods=[period]), *mended):
                if row.state == "expired":
                    self._expired.add((row.product, row.interval))
                if row.readable:
                    grouped.setdefault((row.product, row.interval), []).append(row)
            self._batches[period] = grouped
        return self._batches[period].get((product, interval), [])

    def _compare(
        self,
        before: IntervalRow,
        after: IntervalRow,
        found: set[Cause],
        seen: set[tuple[str, str, str, str]],
        depth: int,
    ) -> None:
        step = (after.product, after.interval, before.batch_id, after.batch_id)
        if step in seen or depth > DEEPEST:
            return
        seen.add(step)
        product, interval = after.product, after.interval
        if before.job_version != after.job_version:
            versions = f"{product} job {before.job_version} -> {after.job_version}"
            found.add(Cause("job", product, interval, versions))
        for what, old, new in (
            ("columns", before.schema_fingerprint, after.schema_fingerprint),
            ("rules", before.rules_fingerprint, after.rules_fingerprint),
        ):
            if old != new:
                versions = f"{before.contract_version} -> {after.contract_version}"
                text = f"{product} {what}, contract {versions}"
                found.add(Cause("contract", product, interval, text))
        if before.decisions_fingerprint != after.decisions_fingerprint:
            found |= self._decided(before, after)
        for pins in ("inputs", "rule_inputs"):
            old_pins = {(p.product, p.at): p for p in getattr(before, pins)}
            for pin in getattr(after, pins):
                old_pin = old_pins.get((pin.product, pin.at))
                was = old_pin.fingerprint if old_pin else ABSENT
                if was != pin.fingerprint:
                    self._follow(pin, was, (before, after), found, seen, depth)

    def _follow(
        self,
        pin: Pin,
        was: str,
        reader: tuple[IntervalRow, IntervalRow],
        found: set[Cause],
        seen: set[tuple[str, str, str, str]],
        depth: int,
    ) -> None:
        """What turned an input's recorded fingerprint into another."""
        if pin.product.startswith("bronze."):
            found |= self._delivered(pin, was)
            return
        interval = pin.at if pin.at[:1].isdigit() else ALL
        rows = self._rows(pin.product, interval)
        last = reader[1].sequence
        rows = [r for r in rows if not last or r.sequence <= last]
        # An as-of pin of a dimension is the last batch that changed the date's view.
        now = [i for i, r in enumerate(rows) if pin.fingerprint in (r.fingerprint, r.batch_id)]
        if not now:
            text = f"{pin.product} {pin.at}"
            found.add(Cause("unrecorded", pin.product, interval, text))
            return
        end = now[-1]
        then = [i for i in range(end) if was in (rows[i].fingerprint, rows[i].batch_id)]
        start = then[-1] if then else -1
        steps = [(start, end)]
        if pin.at == "as_of" and rows[end].batch_id == pin.fingerprint:
            steps = [(i - 1, i) for i in range(start + 1, end + 1) if _covers(rows[i], reader[1])]
        for old, new in steps:
            if old >= 0:
                self._compare(rows[old], rows[new], found, seen, depth + 1)
            else:
                self._first(rows[new], found)

    def _first(self, row: IntervalRow, found: set[Cause]) -> None:
        """The deliveries of an input's very first batch."""
        pins = [p for p in row.inputs if p.product.startswith("bronze.")]
        for pin in pins:
            found |= self._delivered(pin, ABSENT)
        if not pins:
            text = f"{row.product} {row.interval} is new"
            found.add(Cause("unrecorded", row.product, row.interval, text))

    def _delivered(self, pin: Pin, was: str) -> set[Cause]:
        if pin.product not in self._deliveries:
            name = pin.product.split(".", 1)[1]
            self._deliveries[pin.product] = self.ledgers.read(DELIVERY, where={"dataset": [name]})
        known = self._deliveries[pin.product]
        if pin.at not in ("history", "latest"):
            known = [d for d in known if d.interval == pin.at]
        between = turned(known, _fingerprints(known, pin.at), was, pin.fingerprint)
        if between is None:
            return {Cause("unrecorded", pin.product, pin.at, f"a delivery of {pin.product}")}
        return {
            Cause("delivery", pin.product, d.interval, d.delivery_id)
            for d in between
            if d.status == "landed"
        }

    def _decided(self, before: IntervalRow, after: IntervalRow) -> set[Cause]:
        if self._decisions is None:
            self._decisions = self.ledgers.read(DECISION)
        product, interval = after.product, after.interval
        rows = [d for d in self._decisions if d.product == product and holds(d, interval)]
        steps = (
            State(decisions=tuple(rows[:n])).decisions_fingerprint(product, interval)
            for n in range(len(rows), -1, -1)
        )
        between = turned(rows, steps, before.decisions_fingerprint, after.decisions_fingerprint)
        if between is None:
            return {Cause("unrecorded", product, interval, f"a decision on {product}")}
        return {Cause("decision", product, interval, d.decision_id) for d in between}


def turned(
    records: Sequence[T], fingerprints: Iterable[str], before: str, after: str
) -> list[T] | None:
    """The records that turned one fingerprint into another, from the newest back.

    ``fingerprints``: of all records, of all but the last, and so on down to none (lazily). None
    when the two do not occur in this order.

    >>> turned(["a", "b", "c", "d"], ["abc", "abc", "ab", "a", ""], before="a", after="abc")
    ['b', 'c']
    """
    end: int | None = None
    for left, fingerprint in zip(range(len(records), -1, -1), fingerprints, strict=False):
        if fingerprint == after and (end is None or end == left + 1):
            end = left
        elif end is not None and fingerprint == before:
            return list(records[left:end])
    return None


def _fingerprints(known: Sequence[Delivery], at: str) -> Iterable[str]:
    """A pin's fingerprint with all deliveries, without the last one, and so on."""
    groups: dict[str, list[Delivery]] = {}
    for delivery in known:
        groups.setdefault(delivery.interval, []).append(delivery)
    folded = {i: effective(of) for i, of in groups.items() if _landed(of)}
    for left in range(len(known), -1, -1):
        if at in ("history", "latest"):
            there = counting(at, folded)
            yield together(at, [(i, folded[i].fingerprint) for i in there])
        else:
            yield next((e.fingerprint for e in folded.values()), ABSENT)
        if left:
            interval = known[left - 1].interval
            groups[interval].pop()
            folded.pop(interval, None)
            if _landed(groups[interval]):
                folded[interval] = effective(groups[interval])


def _landed(deliveries: Iterable[Delivery]) -> bool:
    return any(d.status == "landed" for d in deliveries)


def _covers(dimension: IntervalRow, reader: IntervalRow) -> bool:
    """True when a dimension's batch changed what the reader's date sees of it."""
    first, last = dimension.changed_from, dimension.changed_to
    if first is None or reader.interval == ALL:
        return first is not None
    day = date.fromisoformat(reader.interval)
    return first <= day and (last is None or day <= last)


def _order(cause: Cause) -> tuple[int, str, str]:
    return ORDER.index(cause.kind), cause.product, cause.what
