"""Where a case of misconduct is staged: who, in which contract, at which moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clock import SECOND
from pipelines.simulation.flow import Activity
from pipelines.simulation.orders import NO_CANCEL, Orders, make_orders
from pipelines.simulation.people import FUND, MARKET_MAKER, PROGRAMME, RETAIL, People


@dataclass(frozen=True)
class Case:
    """One staged case: its orders carry ``label``, its truth is completed after matching."""

    label: int
    name: str
    strength: float
    clients: tuple[int, ...]
    contracts: tuple[int, ...]
    orders: tuple[Orders, ...]
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """What a case can be staged with; ``mean_orders`` is a contract's expected orders today."""

    rng: np.random.Generator
    board: Board
    people: People
    busy: Activity
    mean_orders: NDArray[np.float64]
    label: int
    strength: float

    def liquid(self, rank_from: int = 0, rank_to: int = 12) -> int:
        """One of the day's busiest contracts."""
        order = np.argsort(-self.busy.share, kind="stable")
        return int(order[int(self.rng.integers(rank_from, rank_to))])

    def quiet(self) -> int:
        """One of the quiet third of the contracts, one that does not end today."""
        line = np.argsort(self.mean_orders, kind="stable")[: len(self.mean_orders) // 3]
        alive = [
            int(i) for i in line if self.board.contracts[i].last_trade_date > self.board.trade_date
        ]
        return alive[int(self.rng.integers(len(alive)))]

    def of_commodity(self, *names: str) -> int:
        """The main contract of one of these commodities."""
        name = names[int(self.rng.integers(len(names)))]
        rows = [i for i, c in enumerate(self.board.contracts) if c.commodity_id == name]
        return max(rows, key=lambda i: float(self.busy.share[i]))

    def client(self, *kinds: int) -> int:
        """An open client of one of these types, in no group and no look-alike set."""
        tied = {c for g in (*self.people.groups, *self.people.lookalikes) for c in g.clients}
        open_now = self.people.opened <= self.board.trade_date.toordinal()
        wanted = kinds or (RETAIL, FUND, PROGRAMME)
        fit = np.flatnonzero(open_now & np.isin(self.people.client_type, wanted))
        # In the smallest worlds everybody of a type may belong to some set.
        pool = [int(i) for i in fit if int(i) not in tied] or [int(i) for i in fit]
        return pool[int(self.rng.integers(len(pool)))]

    def group(self, least: int = 2) -> tuple[int, ...]:
        """The clients of an unreported control group of at least that size."""
        fit = [g for g in self.people.groups if not g.reported and len(g.clients) >= least]
        fit = fit or [g for g in self.people.groups if len(g.clients) >= least]
        if not fit:
            fit = sorted(self.people.groups, key=lambda g: -len(g.clients))[:1]
        clients = fit[int(self.rng.integers(len(fit)))].clients
        return tuple(c for c in clients if self.people.client_type[c] != MARKET_MAKER)

    def moment(self, contract: int, low: float = 0.05, high: float = 0.9) -> int:
        """A moment in trading time between two shares of the day."""
        return int(self.trading_time(contract) * self.rng.uniform(low, high))

    def trading_time(self, contract: int) -> int:
        """Length of the contract's day in microseconds of trading time."""
        day = self.board.sessions[int(self.board.commodity[contract])]
        return day.trading_time

    def orders(
        self, contract: int, trading: NDArray[np.int64], life: Any = None, **columns: Any
    ) -> Orders:
        """Orders at moments of trading time; ``life`` (microseconds) says when they are cancelled.

        An order that would be cancelled after the session's end rests until then.
        """
        day = self.board.sessions[self.board.commodity[contract]]
        trading = np.clip(np.asarray(trading, np.int64), 0, day.trading_time - SECOND)
        cancel = np.full(len(trading), NO_CANCEL)
        if life is not None:
            ends = trading + np.asarray(life, np.int64)
            cancel = np.where(ends < day.trading_time, day.clock(ends), NO_CANCEL)
        return make_orders(
            len(trading),
            contract=contract,
            trading=trading,
            time=day.clock(trading),
            cancel=cancel,
            label=self.label,
            **columns,
        )

    def between(self, blatant: float, hidden: float) -> float:
        """A size between what is blatant (strength 1) and what is hardly visible (0)."""
        return hidden + self.strength * (blatant - hidden)
