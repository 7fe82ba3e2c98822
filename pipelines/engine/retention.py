"""Retention: intervals older than their contract keeps them, removed unless a legal hold is on.

An interval is past its retention when its date, and the day on which the lake first had it, are
more than ``retention_days`` before today: history that was landed last week is kept as long as
anything else. What others read whole (the deliveries behind a dimension) and products of one
interval are kept. First the ledger says *expired*, then rows, quarantined rows and landed copies
go: a kill between the two is finished by the next call, and nobody builds such an interval again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from contracts.model import Contract
from pipelines.engine.faults import reach
from pipelines.engine.graph import Graph
from pipelines.engine.ledgers import DELIVERY, INTERVAL, Ledgers
from pipelines.engine.rows import IntervalRow
from pipelines.engine.state import State
from pipelines.engine.tables import exists, interval_column_of, stored_files

if TYPE_CHECKING:
    from pipelines.engine.place import Place, Storage
    from pipelines.engine.settings import Settings

WHOLE = ("history", "latest")


@dataclass(frozen=True)
class Expiry:
    """What is past its retention in one product: to go, or kept by a legal hold."""

    product: str
    gone: tuple[str, ...]
    held: tuple[str, ...]


@dataclass(frozen=True)
class Retention:
    """What decides: contracts, what is read whole, the lake's state, and the exchange's today."""

    contracts: Mapping[str, Contract]
    graph: Graph
    state: State
    today: date
    first_kept: Mapping[tuple[str, str], date]
    """(product, interval) -> the day on which it was first landed or recorded."""

    def past(self, product: str, intervals: Iterable[str]) -> Expiry:
        """Sort the dates among ``intervals`` that are past the product's retention."""
        contract = self.contracts[product]
        if interval_column_of(contract) is None or product in self._whole:
            return Expiry(product, (), ())
        since = self.today - timedelta(days=contract.retention_days)
        old = sorted(
            i
            for i in set(intervals)
            if i[:1].isdigit()
            and date.fromisoformat(i) < since
            and self.first_kept.get((product, i), date.min) < since
        )
        held = tuple(i for i in old if on_hold(contract, date.fromisoformat(i)))
        return Expiry(product, tuple(i for i in old if i not in held), held)

    @property
    def _whole(self) -> frozenset[str]:
        reads = (r for node in self.graph.nodes.values() for r in node.reads)
        return frozenset(r.product for r in reads if r.how in WHOLE)


def first_kept(ledgers: Ledgers) -> dict[tuple[str, str], date]:
    """The day (UTC) on which each interval was first landed, or first recorded as built."""
    landed = ledgers.arrow(DELIVERY, columns=("dataset", "interval", "received_at"))
    built = ledgers.arrow(INTERVAL, columns=("product", "interval", "committed_at"))
    found: dict[tuple[str, str], date] = {}
    for table, name, at, layer in (
        (landed, "dataset", "received_at", "bronze."),
        (built, "product", "committed_at", ""),
    ):
        first = table.group_by([name, "interval"]).aggregate([(at, "min")])
        columns = (first.column(c).to_pylist() for c in (name, "interval", f"{at}_min"))
        for product, interval, moment in zip(*columns, strict=True):
            key = (layer + product, interval)
            found[key] = min(found.get(key, date.max), moment.date())
    return found


def on_hold(contract: Contract, day: date) -> bool:
    """True when a legal hold of the contract covers the date."""
    return any(hold.first <= day <= hold.last for hold in contract.legal_holds)


def plan_expiry(storage: Storage, retention: Retention, product: str) -> Expiry:
    """What of a product is past its retention and still there, in table, quarantine or ledger."""
    records = retention.state.records.get(product, {})
    known = {i for i, r in records.items() if r.latest.state != "expired"}
    for place, column in _tables(storage, retention.contracts[product]):
        known |= {f.interval for f in stored_files(place, column)[1]}
    if retention.contracts[product].layer == "bronze":
        delivered = retention.state.deliveries.get(product, {})
        known |= {i for i in delivered if i not in records}
    return retention.past(product, known)


def expire(settings: Settings, ledgers: Ledgers, retention: Retention, product: str) -> Expiry:
    """Remove what ``plan_expiry`` names; the caller holds the product's lock. What was removed."""
    due = plan_expiry(settings.storage, retention, product)
    if not due.gone:
        return due
    contract, records = retention.contracts[product], retention.state.records.get(product, {})
    at = datetime.combine(retention.today, time(), UTC)
    rows = [
        _expired(contract, interval, at)
        for interval in due.gone
        if interval not in records or records[interval].latest.state != "expired"
    ]
    ledgers.append((INTERVAL, rows))
    reach("retention-recorded")
    for place, column in _tables(settings.storage, contract):
        _delete(place, column, due.gone)
        reach("retention-deleted")
    if contract.layer == "bronze":
        where = {"dataset": [contract.name], "interval": due.gone}
        for delivery in ledgers.read(DELIVERY, where=where):
            if delivery.path is not None:
                (settings.home / delivery.path).unlink(missing_ok=True)
    return due


def _tables(storage: Storage, contract: Contract) -> list[tuple[Place, str]]:
    """(place, partition column) of the product's tables that are there and have intervals."""
    pairs = [
        (storage.table(contract.product), str(interval_column_of(contract))),
        (storage.quarantine(contract.product), "interval"),
    ]
    return [pair for pair in pairs if interval_column_of(contract) and exists(pair[0])]


def _delete(place: Place, column: str, intervals: Iterable[str]) -> None:
    there = {f.interval for f in stored_files(place, column)[1]}
    gone = sorted(there & set(intervals))
    if not gone:
        return
    table = place.delta()
    kind = next(str(f.type.type) for f in table.schema().fields if f.name == column)
    sign = "DATE " if kind == "date" else ""
    days = ", ".join(f"{sign}'{interval}'" for interval in gone)
    table.delete(f'"{column}" IN ({days})')


def _expired(contract: Contract, interval: str, at: datetime) -> IntervalRow:
    return IntervalRow(
        product=contract.product,
        interval=interval,
        state="expired",
        run_id="retention",
        batch_id=f"retention-{at:%Y%m%d}-{contract.product}",
        job_version=0,
        schema_fingerprint="",
        contract_version=contract.version,
        rules_fingerprint="",
        decisions_fingerprint="",
        committed_at=at,
        reasons=(f"kept for {contract.retention_days} days",),
    )
