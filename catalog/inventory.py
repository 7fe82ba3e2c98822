"""What exists: every product with a contract, and what of it is stored."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.snapshot import latest_version
from contracts.catalogue import Catalogue
from pipelines.engine.settings import Settings
from pipelines.engine.tables import interval_column_of, open_table


@dataclass(frozen=True)
class ProductEntry:
    """One product of the inventory; the last four are None or empty while nothing is stored."""

    product: str
    layer: str
    title: str
    title_zh: str
    owner: str
    steward: str
    flow: str
    contract_version: str
    classification: int
    """The highest level of its columns, 1-4."""
    columns: int
    rules: int
    due: str | None
    audiences: tuple[str, ...]
    path: str
    version: int | None
    rows: int | None
    intervals: int
    newest_interval: str | None


def inventory(
    settings: Settings, catalogue: Catalogue, *, layer: str | None = None
) -> tuple[ProductEntry, ...]:
    """Every product in the order bronze, silver, gold, by name; reads only table logs."""
    order = {"bronze": 0, "silver": 1, "gold": 2}
    names = sorted(catalogue.contracts, key=lambda p: (order[catalogue[p].layer], p))
    return tuple(
        _entry(settings, catalogue, product)
        for product in names
        if layer in (None, catalogue[product].layer)
    )


def _entry(settings: Settings, catalogue: Catalogue, product: str) -> ProductEntry:
    contract = catalogue[product]
    path = settings.table(product)
    version, rows, intervals = latest_version(path), None, tuple[str, ...]()
    if version >= 0:
        table = open_table(settings.storage, product, interval_column_of(contract), version)
        rows, intervals = sum(f.rows for f in table.files), table.intervals
    due = None
    if contract.sla:
        days = contract.sla.days_after
        due = contract.sla.due + (f" +{days}" if days else "")
    return ProductEntry(
        product=product,
        layer=contract.layer,
        title=contract.title,
        title_zh=contract.title_zh,
        owner=contract.owner,
        steward=contract.steward,
        flow=contract.flow,
        contract_version=contract.version,
        classification=max((c.classification for c in contract.columns), default=1),
        columns=len(contract.business_columns),
        rules=len(contract.rules),
        due=due,
        audiences=contract.audiences,
        path=str(path),
        version=version if version >= 0 else None,
        rows=rows,
        intervals=len(intervals),
        newest_interval=intervals[-1] if intervals else None,
    )
