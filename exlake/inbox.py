"""What lies in a drop folder: which flow and interval each file is for, and what is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue
    from pipelines.engine.settings import Settings


@dataclass(frozen=True)
class Found:
    """A recognised file: its dataset, the format's name, its flow, its ISO interval if it says."""

    file: str
    dataset: str
    format: str
    flow: str
    interval: str | None


def recognised(folder: Path, settings: Settings, catalogue: Catalogue) -> Iterator[Found]:
    """Files below a folder whose name a bronze contract's format fits (the first that does).

    Where the rows date a file, it is read for its interval.
    """
    from pipelines.sources.base import Limits
    from pipelines.sources.file_drop import FileDrop
    from pipelines.sources.formats import matches
    from pipelines.sources.receive import dated_by_rows

    bronze = [c for c in catalogue.layer("bronze") if c.formats]
    limits = Limits.of(settings)
    for offer in FileDrop(folder.absolute()).offers():
        fitting = matches(bronze, offer.name)
        for match in fitting[:1]:
            form, day = match.format.name, match.interval.isoformat() if match.interval else None
            if any(m.format.date_column for m in fitting):
                read = dated_by_rows(Path(offer.key), offer.name, fitting, limits)
                form, day = read or (form, day)
            contract = match.contract
            yield Found(offer.name, contract.name, form, contract.flow, day)


def unlanded(settings: Settings, catalogue: Catalogue) -> int:
    """How many recognised files of the inbox have neither landed nor been refused yet."""
    from pipelines.engine.ledgers import DELIVERY
    from pipelines.sources.file_drop import FileDrop
    from pipelines.sources.formats import fingerprint, matches
    from pipelines.sources.seen import Seen

    if not settings.inbox.exists():
        return 0
    bronze = [c for c in catalogue.layer("bronze") if c.formats]
    ledger = settings.ops / DELIVERY.name / "_delta_log"
    seen = Seen.load(settings.landing, fingerprint(bronze), trusted=ledger.is_dir())
    offers = FileDrop(settings.inbox.absolute()).offers()
    return sum(1 for o in offers if not seen.knows(o) and matches(bronze, o.name))
