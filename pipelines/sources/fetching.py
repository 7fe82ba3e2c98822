"""Fetch what the exchanges publish for some trade dates, and land it as any other delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import httpx

from contracts.addresses import Address, load_addresses
from contracts.catalogue import Catalogue
from contracts.errors import ExlakeError
from pipelines.engine.delivery import Delivery
from pipelines.engine.settings import Settings
from pipelines.sources.formats import fingerprint
from pipelines.sources.http_source import HttpSource, Manners
from pipelines.sources.landing import contracts_of, land_source
from pipelines.sources.seen import Seen

FOLDER = "http"


@dataclass(frozen=True)
class Fetched:
    """What came of asking: deliveries recorded, addresses with nothing yet, and errors.

    Unchanged answers are in none of them.
    """

    deliveries: tuple[Delivery, ...]
    missing: tuple[str, ...]
    problems: tuple[ExlakeError, ...]


def fetch(
    settings: Settings,
    catalogue: Catalogue,
    dates: Iterable[date],
    dataset: str | None = None,
    *,
    addresses: tuple[Address, ...] | None = None,
    client: httpx.Client | None = None,
    run_id: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Fetched:
    """Ask every address that holds for the dates (of one dataset or system; None: all).

    An address that fails stops no other: its error is in ``problems``. Raises
    UnknownSourceError, LockHeldError.
    """
    contracts = contracts_of(catalogue, dataset)
    names = {contract.name for contract in contracts}
    known = load_addresses() if addresses is None else addresses
    manners = Manners(
        timeout=settings.http_timeout_seconds,
        total=settings.http_total_seconds,
        limit=settings.http_limit_bytes,
        pause=settings.http_pause_seconds,
    )
    source = HttpSource(
        addresses=tuple(a for a in known if a.dataset in names),
        dates=tuple(dates),
        folder=settings.landing / FOLDER,
        manners=manners,
        client=client,
        now=now,
    )
    landed = land_source(settings, catalogue, contracts, source, run_id=run_id, now=now)
    source.remember(Seen.load(settings.landing, fingerprint(contracts), trusted=True).took)
    return Fetched(tuple(landed), tuple(source.missing), tuple(source.problems))
