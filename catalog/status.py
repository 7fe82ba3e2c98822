"""What ``exlake status`` shows: every interval's state, counts, versions, age and lateness."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from catalog.publish import read_states
from catalog.states import State
from contracts.catalogue import Catalogue
from pipelines.engine.settings import Settings


@dataclass(frozen=True)
class StatusRow:
    """One interval of one product. ``age`` since its state was recorded; ``late_by`` against
    its due time on the trading calendar (None: in time, or no SLA)."""

    product: str
    interval: str
    state: State
    own_state: State
    inherited_from: str | None
    partial: bool
    rows_in: int | None
    accepted: int | None
    quarantined: int | None
    waiting_on: str | None
    contract_version: str
    delta_version: int | None
    fingerprint: str | None
    due_at: datetime | None
    recorded_at: datetime | None
    age: timedelta | None
    late_by: timedelta | None
    reasons: tuple[str, ...]


def status(
    settings: Settings,
    catalogue: Catalogue,
    *,
    products: Collection[str] | None = None,
    dates: tuple[date, date] | None = None,
    states: Collection[State] | None = None,
    now: datetime | None = None,
) -> tuple[StatusRow, ...]:
    """Rows by product and interval, from the ledgers alone (no Spark, no table is opened).

    ``dates`` are both included and leave out intervals ``all``. Raises UnknownProductError.
    """
    moment = now or datetime.now(UTC)
    for product in products or ():
        catalogue[product]
    return tuple(
        StatusRow(
            product=s.product,
            interval=s.interval,
            state=s.state,
            own_state=s.own_state,
            inherited_from=s.inherited_from,
            partial=s.partial,
            rows_in=s.built,
            accepted=s.accepted,
            quarantined=s.quarantined,
            waiting_on=s.waiting_on,
            contract_version=catalogue[s.product].version,
            delta_version=s.delta_version,
            fingerprint=s.fingerprint,
            due_at=s.due_at,
            recorded_at=s.recorded_at,
            age=moment - s.recorded_at if s.recorded_at else None,
            late_by=s.late_by,
            reasons=s.reasons,
        )
        for s in read_states(settings, catalogue, moment)
        if (products is None or s.product in products)
        and (states is None or s.state in states)
        and (dates is None or (s.trade_date and dates[0] <= s.trade_date <= dates[1]))
    )
