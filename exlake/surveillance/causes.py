"""Why a date's surveillance figures are others than before: deliveries, decisions, versions.

Every batch recorded which content it read (``IntervalRow.inputs``). Two batches of
gold.surveillance_day are compared pin by pin, and each pin that differs is traced to what changed
it. Deliveries of the date are named exactly: those that turn the recorded content into the later
one. Of a dimension, those that landed between the two batches of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.delivery import effective
from pipelines.engine.ledgers import DECISION, DELIVERY, INTERVAL, period_of
from pipelines.engine.rows import newest
from pipelines.engine.state import holds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.engine.delivery import Delivery
    from pipelines.engine.ledgers import Ledgers
    from pipelines.engine.rows import IntervalRow

DAY = "gold.surveillance_day"
ACTS = {
    "self_trades": {"trade", "order_event"},
    "cancels": {"order_event"},
    "large_cancels": {"order_event"},
    "bursts": {"order_event"},
    "messages": {"order_event", "quote_request"},
    "open_lots": {"trade"},
    "position_lots": {"position"},
}
"""Metric -> the tables whose rows it counts: a delivery of another cannot have changed it."""
EVERY_ACT = frozenset().union(*ACTS.values())


def causes(
    ledgers: Ledgers, before: IntervalRow | None, now: IntervalRow, *, metric: str
) -> tuple[str, ...]:
    """What changed between two batches of one date and bears on a metric, in words that name it;
    empty when there was no batch before."""
    if before is None or before.batch_id == now.batch_id:
        return ()
    found: list[str] = []
    if before.job_version != now.job_version:
        found.append(f"version {now.job_version} of {DAY} (rule book or counting)")
    old = {pin.product: pin.fingerprint for pin in before.inputs}
    for pin in now.inputs:
        if old.get(pin.product) in (None, pin.fingerprint):
            continue
        layer, name = pin.product.split(".", 1)
        if name in EVERY_ACT - ACTS[metric]:
            continue
        if layer == "bronze":
            landed = _landed(ledgers, name, now.interval)
            named = between(landed, str(old[pin.product]), pin.fingerprint)
            found += [f"delivery {delivery_id}" for delivery_id in named]
        elif pin.at == "as_of":
            found += _dimension(ledgers, pin.product, str(old[pin.product]), pin.fingerprint)
        else:
            found += _decisions(ledgers, pin.product, before, now)
    return tuple(dict.fromkeys(found))


def between(landed: Sequence[Delivery], before: str, after: str) -> tuple[str, ...]:
    """Ids of the deliveries that turn content ``before`` into ``after`` (fingerprints), oldest
    first; all later ones when the earlier content is not found among what landed."""
    start, end = 0, len(landed)
    for count in range(1, len(landed) + 1):
        fingerprint = effective(landed[:count]).fingerprint
        if fingerprint == before:
            start = count
        if fingerprint == after:
            end = count
            if start:
                break
    return tuple(d.delivery_id for d in landed[start : max(end, start)])


def _landed(ledgers: Ledgers, dataset: str, interval: str) -> list[Delivery]:
    rows = ledgers.read(DELIVERY, periods=[period_of(interval)], where={"dataset": [dataset]})
    return sorted(
        (d for d in rows if d.interval == interval and d.status == "landed"),
        key=lambda d: d.ledger_sequence,
    )


def _dimension(ledgers: Ledgers, product: str, before: str, after: str) -> list[str]:
    """Deliveries of a dimension's source that landed between two of its batches."""
    rows = ledgers.read(INTERVAL, periods=["all"], where={"product": [product]})
    by_batch = {row.batch_id: row for row in rows}
    later = by_batch.get(after)
    if later is None:
        return [product]
    earlier = by_batch.get(before)
    sources = {pin.product.split(".", 1)[1] for pin in later.inputs if pin.at == "history"}
    landed = ledgers.read(DELIVERY, where={"dataset": sorted(sources), "status": ["landed"]})
    since = earlier.committed_at if earlier else None
    named = [
        f"delivery {d.delivery_id}"
        for d in landed
        if d.rows != 0 and d.received_at <= later.committed_at
        and (since is None or d.received_at > since)
    ]  # fmt: skip
    return named or [product]


def _decisions(ledgers: Ledgers, product: str, before: IntervalRow, now: IntervalRow) -> list[str]:
    """Decisions on a product that were recorded between two batches, and hold for the date."""
    return [
        f"decision {d.decision_id}"
        for d in newest(ledgers.read(DECISION))
        if d.product == product
        and holds(d, now.interval)
        and before.committed_at < (d.approved_at or d.decided_at) <= now.committed_at
    ]
