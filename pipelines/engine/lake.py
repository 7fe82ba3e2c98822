"""A lake opened for planning and running: its contracts, jobs and ledgers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from contracts.catalogue import Catalogue, load_catalogue
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.discovery import discover
from pipelines.engine.graph import Graph, build_graph
from pipelines.engine.ledgers import Ledgers
from pipelines.engine.plan import Request
from pipelines.engine.repair import unrecorded
from pipelines.engine.staleness import plan as make_plan
from pipelines.engine.state import State, load_state

if TYPE_CHECKING:
    from pipelines.engine.plan import Plan
    from pipelines.engine.settings import Settings


@dataclass(frozen=True)
class Lake:
    """A lake's contracts, jobs and ledgers: everything that planning needs, without Spark."""

    settings: Settings
    catalogue: Catalogue
    graph: Graph
    calendar: TradingCalendar
    ledgers: Ledgers

    def state(self) -> State:
        """What the ledgers say now, mended from commit metadata in memory."""
        state = load_state(self.ledgers, self.graph, self.settings.storage)
        rows, _ = unrecorded(self.settings.storage, self.graph.built, state)
        return state.with_rows(rows) if rows else state

    def request(
        self,
        *,
        products: Iterable[str] | None = None,
        dates: tuple[date, date] | None = None,
        force: bool = False,
        only: Iterable[tuple[str, str]] | None = None,
    ) -> Request:
        """A request; products that do not exist are refused with near names."""
        wanted = None if products is None else frozenset(products)
        for product in wanted or ():
            _ = self.catalogue[product]
        pairs = None if only is None else frozenset(only)
        return Request(self.graph, self.calendar, dates, wanted, force, pairs)

    def plan(self, request: Request) -> Plan:
        """What a run of the request would do; writes nothing."""
        return make_plan(request, self.state())


def open_lake(settings: Settings, catalogue: Catalogue | None = None) -> Lake:
    """Open a lake for planning and running (raises GraphError when contracts and jobs differ)."""
    catalogue = catalogue or load_catalogue(settings.contracts_dir)
    return Lake(
        settings,
        catalogue,
        build_graph(catalogue.contracts, discover()),
        TradingCalendar.default(),
        Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds),
    )


def new_run_id(now: datetime) -> str:
    """``YYYYMMDDTHHMMSS-xxxxxx``: sortable, unique."""
    return f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
