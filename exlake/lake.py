"""Everything a command looks at: settings, contracts, graph, ledgers, plan. Never starts Spark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from contracts.catalogue import Catalogue, load_catalogue
from pipelines.engine.settings import Settings, load_settings

if TYPE_CHECKING:
    from catalog.states import IntervalState
    from pipelines.engine.graph import Graph
    from pipelines.engine.ledgers import Ledgers
    from pipelines.engine.plan import Plan
    from pipelines.engine.tables import Table


@dataclass(frozen=True)
class Lake:
    """One lake, opened for reading; parts are loaded when first used."""

    settings: Settings

    @cached_property
    def catalogue(self) -> Catalogue:
        """Every contract."""
        return load_catalogue(self.settings.contracts_dir)

    @cached_property
    def ledgers(self) -> Ledgers:
        """The platform's own ledgers."""
        from pipelines.engine.ledgers import Ledgers

        return Ledgers(self.settings.ops, self.settings.locks, self.settings.lock_wait_seconds)

    @cached_property
    def graph(self) -> Graph:
        """What every product is made from; raises GraphError."""
        from pipelines.engine.discovery import discover
        from pipelines.engine.graph import build_graph

        return build_graph(self.catalogue.contracts, discover())

    def products_of(self, flow: str) -> frozenset[str]:
        """The built products of one flow."""
        return frozenset(self.graph.flow(flow))

    def plan(
        self,
        products: Iterable[str] | None = None,
        dates: tuple[date, date] | None = None,
        *,
        force: bool = False,
    ) -> Plan:
        """What a run would do; raises UnknownProductError and DateOutsideCalendarError."""
        from pipelines.engine.calendar import TradingCalendar
        from pipelines.engine.plan import Request
        from pipelines.engine.staleness import plan
        from pipelines.engine.state import load_state

        wanted = None if products is None else frozenset(products)
        for product in wanted or ():
            self.catalogue[product]
        request = Request(self.graph, TradingCalendar.default(), dates, wanted, force)
        return plan(request, load_state(self.ledgers, self.graph))

    def states(self, now: datetime | None = None) -> tuple[IntervalState, ...]:
        """The state of every interval as readers must see it."""
        from catalog.publish import read_states

        return read_states(self.settings, self.catalogue, now or datetime.now(UTC))

    def table(self, product: str, version: int | None = None) -> Table:
        """The product's stored files at a version (None: the newest)."""
        from pipelines.engine.tables import interval_column_of, open_table

        column = interval_column_of(self.catalogue[product])
        return open_table(self.settings.home, product, column, version)


def open_lake() -> Lake:
    """The lake of this process's settings; raises SettingsError."""
    return Lake(load_settings())
