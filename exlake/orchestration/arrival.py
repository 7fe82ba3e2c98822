"""What arrives for a flow: its deliveries landed, from the inbox and from published addresses."""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING, Any

from contracts.errors import ExlakeError, TransientError

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue
    from pipelines.engine.delivery import Delivery
    from pipelines.engine.settings import Settings

log = logging.getLogger("exlake.progress")
FETCH_BACK = 2
"""Trade dates before a flow's own whose addresses are asked again: exchanges correct late."""


class DeliveryAwaitedError(TransientError):
    """Raised when nothing of a flow has been delivered for a trade date yet."""

    code = "delivery-awaited"

    def __init__(self, flow: str, trade_date: str, systems: tuple[str, ...]) -> None:
        self.flow = flow
        self.systems = systems
        super().__init__(
            f"nothing of flow {flow} has been delivered yet (awaited from {', '.join(systems)}).",
            next_step="wait for the retry, or ask the sender.",
            interval=trade_date,
        )


def land_flow(flow: str, trade_date: str) -> dict[str, Any]:
    """Land everything new from the flow's systems, corrections of earlier dates too.

    Returns counts. Refused deliveries are recorded and shown by ``confirm``. Raises the error of a
    file that was busy (transient), when all others have landed, and DeliveryAwaitedError when
    nothing of the flow has ever been delivered for the date.
    """
    from exlake.lake import open_catalogue
    from pipelines.sources.landing import land

    settings, catalogue = open_catalogue()
    systems = systems_of(catalogue, flow)
    found: list[Delivery] = []
    busy: list[TransientError] = []
    for system in systems:
        try:
            found += land(settings, catalogue, system)
        except TransientError as error:  # the others' files land all the same
            busy.append(error)
    problems: tuple[ExlakeError, ...] = ()
    if settings.fetch:
        fetched, problems = _fetch(settings, catalogue, systems, trade_date)
        found += fetched
    for delivery in found:
        rows = f"{delivery.rows:,} rows" if delivery.rows is not None else "rows unknown"
        log.info("%s %s: %s, %s", delivery.status, delivery.interval, delivery.file, rows)
    if busy:
        raise busy[0]
    if not landed_of(settings, catalogue, flow, trade_date):
        # An address that may answer later is a reason to wait, like a file that is not there.
        raise next(iter(problems), DeliveryAwaitedError(flow, trade_date, systems))
    return {s: sum(d.status == s for d in found) for s in ("landed", "refused")}


def _fetch(
    settings: Settings, catalogue: Catalogue, systems: tuple[str, ...], trade_date: str
) -> tuple[list[Delivery], tuple[ExlakeError, ...]]:
    """What the addresses of these systems published for the date and shortly before it.

    Returns deliveries, and what went wrong, transient errors first; each is logged.
    """
    from pipelines.engine.calendar import TradingCalendar
    from pipelines.sources.fetching import fetch

    calendar, day = TradingCalendar.default(), date.fromisoformat(trade_date)
    since = max(calendar.first_day, calendar.previous(day, FETCH_BACK))
    found: list[Delivery] = []
    problems: list[ExlakeError] = []
    for system in systems:
        fetched = fetch(settings, catalogue, calendar.between(since, day), system)
        found += fetched.deliveries
        problems += fetched.problems
    for problem in problems:
        log.warning("%s", problem)
    return found, tuple(sorted(problems, key=lambda p: not p.transient))


def systems_of(catalogue: Catalogue, flow: str) -> tuple[str, ...]:
    """The systems that deliver what a flow carries."""
    bronze = (c for c in catalogue.flow(flow) if c.layer == "bronze" and c.source and c.formats)
    return tuple(sorted({str(c.source) for c in bronze}))


def deliveries_of(
    settings: Settings, catalogue: Catalogue, flow: str, trade_date: str
) -> list[Delivery]:
    """Every recorded delivery of a flow's datasets for a date."""
    from pipelines.engine.ledgers import DELIVERY, Ledgers, period_of

    ledgers = Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)
    datasets = [c.name for c in catalogue.flow(flow) if c.layer == "bronze"]
    found = ledgers.read(DELIVERY, periods=[period_of(trade_date)], where={"dataset": datasets})
    return [d for d in found if d.interval == trade_date]


def landed_of(
    settings: Settings, catalogue: Catalogue, flow: str, trade_date: str
) -> frozenset[str]:
    """Datasets of a flow of which something has landed for a date."""
    found = deliveries_of(settings, catalogue, flow, trade_date)
    return frozenset(d.dataset for d in found if d.status == "landed")
