"""Warehouse receipts: registered by loading in, pledged, sold, delivered, cancelled by loading out.

A receipt is a whole number of lots of one commodity and brand in one warehouse. Where only part
of one is needed it is cancelled and replaced by receipts that name it as their origin. The stock
published for a date is the sum of the receipts that live at its end, by construction.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clearing import Book
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT
from pipelines.simulation.people import CORPORATE, FUND, People

REGISTERED, PLEDGED, DELIVERED, CANCELLED = range(4)
STATES: Final = ("REGISTERED", "PLEDGED", "DELIVERED", "CANCELLED")
BRANDS: Final = 4
_RECEIPTS_A_WAREHOUSE: Final = 8
_PLEDGE, _RELEASE, _SELL = 0.01, 0.08, 0.006
"""Share of receipts a date that are pledged, released and sold off the exchange (assumption)."""


@dataclass(frozen=True)
class Receipts:
    """Receipts by row. ``place`` is region x warehouses per region + warehouse; ``since`` the
    ordinal of the date of registration; ``origin`` the receipt it was split from, or -1."""

    number: NDArray[np.int64]
    commodity: NDArray[np.int32]
    place: NDArray[np.int32]
    brand: NDArray[np.int8]
    owner: NDArray[np.int32]
    lots: NDArray[np.int64]
    state: NDArray[np.int8]
    since: NDArray[np.int32]
    origin: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Receipts:
        """Return the chosen rows."""
        return Receipts(*(getattr(self, f.name)[rows] for f in fields(self)))

    def table(self) -> NDArray[np.int64]:
        """Return one row of integers per receipt, as the world remembers them."""
        columns = [getattr(self, f.name).astype(np.int64) for f in fields(self)]
        return np.stack(columns, axis=1) if len(self) else np.zeros((0, len(columns)), np.int64)


def receipts_of(table: NDArray[np.int64]) -> Receipts:
    """Return the receipts of a remembered table; what was delivered is registered again."""
    kinds = (np.int64, np.int32, np.int32, np.int8, np.int32, np.int64, np.int8, np.int32, np.int64)
    found = Receipts(*(table[:, i].astype(kind) for i, kind in enumerate(kinds)))
    fresh = np.where(found.state == DELIVERED, REGISTERED, found.state).astype(np.int8)
    return replace(found, state=fresh)


@dataclass(frozen=True)
class Loadings:
    """Goods that came in (a receipt begins) or went out (it ends); ``row`` is the receipt's."""

    row: NDArray[np.int64]
    incoming: NDArray[np.bool_]


@dataclass(frozen=True)
class Titles:
    """Receipts that changed hands; ``contract`` is that of the delivery, or -1 for a sale."""

    row: NDArray[np.int64]
    seller: NDArray[np.int32]
    buyer: NDArray[np.int32]
    contract: NDArray[np.int32]


@dataclass(frozen=True)
class Depot:
    """The warehouses at the end of a date: every receipt that lived today, those that ended
    included, what moved, and the stock in the commodity's own unit."""

    receipts: Receipts
    loadings: Loadings
    titles: Titles
    stock: NDArray[np.int64]
    next_number: int

    def remembered(self) -> NDArray[np.int64]:
        """The table of receipts that live on."""
        return self.receipts.take(self.receipts.state != CANCELLED).table()


class _Desk:
    """The register while a date's movements are written into it."""

    def __init__(self, before: Receipts, next_number: int, today: int) -> None:
        self.now, self.next_number, self.today = before, next_number, today
        self.loadings: list[tuple[NDArray[np.int64], bool]] = []
        self.titles: list[tuple[NDArray[np.int64], ...]] = []

    def add(self, **columns: NDArray[Any]) -> NDArray[np.int64]:
        """Register receipts and return their rows."""
        count, first = len(columns["lots"]), len(self.now)
        given = {
            "number": self.next_number + np.arange(count),
            "state": np.full(count, REGISTERED),
            "since": np.full(count, self.today),
            "origin": np.full(count, -1),
            **columns,
        }
        self.next_number += count
        self.now = Receipts(
            *(
                np.concatenate([old, given[f.name].astype(old.dtype)])
                for f in fields(Receipts)
                for old in [getattr(self.now, f.name)]
            )
        )
        return np.arange(first, first + count)

    def set(self, name: str, rows: NDArray[np.int64], value: object) -> None:
        """Change one column of some receipts."""
        column = getattr(self.now, name).copy()
        column[rows] = value
        self.now = replace(self.now, **{name: column})

    def split(self, rows: NDArray[np.int64], lots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cut receipts into pieces and return each piece's row.

        ``rows`` names a receipt once per piece, in order; what its pieces leave becomes one more
        receipt. A receipt that is its only piece stays as it is.
        """
        whole = (np.bincount(rows, minlength=len(self.now))[rows] == 1) & (
            lots == self.now.lots[rows]
        )
        out = rows.copy()
        cut, pieces = rows[~whole], lots[~whole]
        if not len(cut):
            return out
        used = np.bincount(cut, weights=pieces, minlength=len(self.now)).astype(np.int64)
        parents = np.unique(cut)
        rest = self.now.lots[parents] - used[parents]
        source = np.concatenate([cut, parents[rest > 0]])
        size = np.concatenate([pieces, rest[rest > 0]])
        like = self.now.take(source)
        self.set("state", parents, CANCELLED)
        made = self.add(
            commodity=like.commodity, place=like.place, brand=like.brand, owner=like.owner,
            lots=size, since=like.since, origin=like.number,
        )  # fmt: skip
        out[~whole] = made[: len(cut)]
        return out

    def draw(self, key: NDArray[np.int64], demand: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows of registered receipts that meet ``demand`` by key, cut to size; less where
        there are too few. The smallest go first, or the register would crumble."""
        rows = np.flatnonzero((self.now.state == REGISTERED) & (demand[key] > 0))
        rows = rows[np.lexsort((self.now.number[rows], self.now.lots[rows], key[rows]))]
        lots, of = self.now.lots[rows], key[rows]
        before = np.cumsum(lots) - lots
        first = np.ones(len(rows), bool)
        first[1:] = of[1:] != of[:-1]
        before -= np.maximum.accumulate(np.where(first, before, 0))
        got = np.clip(demand[of] - before, 0, lots)
        return self.split(rows[got > 0], got[got > 0])


def opening_receipts(
    rng: np.random.Generator, board: Board, people: People, stock: NDArray[np.int64]
) -> Receipts:
    """Return the receipts behind the first day's stock: up to eight a warehouse."""
    unit = np.array([max(c.stock_per_lot, 1) for c in board.commodities])
    lots = (stock.reshape(len(stock), -1) // unit[:, None]).ravel()
    pieces = np.minimum(lots, _RECEIPTS_A_WAREHOUSE)
    place = np.repeat(np.arange(len(lots)), pieces)
    count = len(place)
    turn = np.arange(count) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share, rest = lots[place] // pieces[place], lots[place] % pieces[place]
    return Receipts(
        number=np.arange(1, count + 1),
        commodity=(place // stock[0].size).astype(np.int32),
        place=(place % stock[0].size).astype(np.int32),
        brand=rng.integers(0, BRANDS, count).astype(np.int8),
        owner=rng.choice(_owners(board, people), count).astype(np.int32),
        lots=share + (turn < rest),
        state=np.where(rng.random(count) < 0.1, PLEDGED, REGISTERED).astype(np.int8),
        since=board.trade_date.toordinal() - rng.integers(5, 300, count).astype(np.int32),
        origin=np.full(count, -1, np.int64),
    )


def move_stock(
    rng: np.random.Generator,
    board: Board,
    people: People,
    positions: Book,
    before: Receipts,
    stock_before: NDArray[np.int64],
    next_number: int,
) -> Depot:
    """Return the warehouses at the end of the date.

    Goods come in and go out; who must deliver today and has too few receipts loads in the rest;
    the delivered lots' receipts pass from the short to the long side; some receipts are sold,
    pledged or released.
    """
    desk = _Desk(before, next_number, board.trade_date.toordinal())
    unit = np.array([max(c.stock_per_lot, 1) for c in board.commodities])
    flat = _wanted(rng, stock_before // unit[:, None, None]).ravel()
    places = stock_before[0].size
    into = np.flatnonzero(flat > 0)
    _load_in(rng, desk, into // places, into % places, rng.choice(_owners(board, people),
             len(into)), flat[into])  # fmt: skip
    key = desk.now.commodity.astype(np.int64) * places + desk.now.place
    out = desk.draw(key, np.maximum(-flat, 0))
    desk.set("state", out, CANCELLED)
    desk.loadings.append((out, False))
    _deliver(rng, desk, board, people, positions, places)
    _trade_and_pledge(rng, desk, board, people)
    live = desk.now.state != CANCELLED
    stock = np.zeros(stock_before.size, np.int64)
    np.add.at(
        stock,
        (desk.now.commodity[live].astype(np.int64) * places + desk.now.place[live]),
        desk.now.lots[live] * unit[desk.now.commodity[live]],
    )
    row, seller, buyer, contract = (np.concatenate(c) for c in zip(*desk.titles, strict=True))
    return Depot(
        receipts=desk.now,
        loadings=Loadings(
            np.concatenate([rows for rows, _ in desk.loadings]),
            np.concatenate([np.full(len(rows), into) for rows, into in desk.loadings]),
        ),
        titles=Titles(
            row, seller.astype(np.int32), buyer.astype(np.int32), contract.astype(np.int32)
        ),
        stock=stock.reshape(stock_before.shape),
        next_number=desk.next_number,
    )


def _wanted(rng: np.random.Generator, before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lots that come in (or go out) on the date, by commodity, region and warehouse."""
    drift = rng.normal(0.0, 0.012, len(before))[:, None, None]
    noise = rng.normal(0.0, 0.02, before.shape) * (rng.random(before.shape) < 0.4)
    wanted: NDArray[np.int64] = np.round(before * (drift * (noise != 0) + noise)).astype(np.int64)
    return wanted


def _owners(board: Board, people: People) -> NDArray[np.int64]:
    """Clients that hold goods: hedgers and funds whose account is open."""
    kinds = np.isin(people.client_type, (CORPORATE, FUND))
    return np.flatnonzero(kinds & (people.opened <= board.trade_date.toordinal()))


def _load_in(
    rng: np.random.Generator,
    desk: _Desk,
    commodity: NDArray[np.int64],
    place: NDArray[np.int64],
    owner: NDArray[np.int64],
    lots: NDArray[np.int64],
) -> None:
    brand = rng.integers(0, BRANDS, len(lots))
    rows = desk.add(commodity=commodity, place=place, brand=brand, owner=owner, lots=lots)
    desk.loadings.append((rows, True))


def _deliver(
    rng: np.random.Generator, desk: _Desk, board: Board, people: People, positions: Book,
    places: int,
) -> None:  # fmt: skip
    """Move the receipts of delivered lots from the sellers to the buyers of each contract.

    No two contracts of a commodity end on one date, so commodity and client name a delivery.
    """
    given = positions.leaving[:, 2]
    held = np.array([bool(c.stock_unit) for c in board.commodities])[board.commodity]
    rows = np.flatnonzero((given > 0) & held[positions.contract])
    client = positions.account[rows] // ACCOUNTS_PER_CLIENT
    of = board.commodity[positions.contract[rows]].astype(np.int64)
    code, short = of * people.clients + client, positions.side[rows] == 1
    demand = np.zeros(len(board.commodities) * people.clients, np.int64)
    np.add.at(demand, code[short], given[rows][short])
    buys = np.zeros_like(demand)
    np.add.at(buys, code[~short], given[rows][~short])
    key = desk.now.commodity.astype(np.int64) * people.clients + desk.now.owner
    has = np.zeros_like(demand)
    free = desk.now.state == REGISTERED
    np.add.at(has, key[free], desk.now.lots[free])
    missing = np.maximum(demand - has, 0)
    lack = np.flatnonzero(missing)
    _load_in(rng, desk, lack // people.clients, rng.integers(0, places, len(lack)),
             lack % people.clients, missing[lack])  # fmt: skip
    key = desk.now.commodity.astype(np.int64) * people.clients + desk.now.owner
    parts = desk.draw(key, demand)
    # Both sides run through the same lots in the order of commodity and client: the points
    # where either side changes are the pieces.
    buyer = np.flatnonzero(buys)
    sold, bought = np.cumsum(desk.now.lots[parts]), np.cumsum(buys[buyer])
    ends = np.union1d(sold, bought)
    pieces = np.diff(ends, prepend=0)
    piece = desk.split(parts[np.searchsorted(sold, ends)], pieces)
    new = buyer[np.searchsorted(bought, ends)] % people.clients
    ending = np.full(len(board.commodities), -1, np.int64)
    ending[of] = positions.contract[rows]
    old = desk.now.owner[piece].astype(np.int64)
    desk.titles.append((piece, old, new, ending[desk.now.commodity[piece]]))
    desk.set("owner", piece, new)
    desk.set("state", piece, DELIVERED)


def _trade_and_pledge(rng: np.random.Generator, desk: _Desk, board: Board, people: People) -> None:
    """Sell some receipts off the exchange, pledge some, release some."""
    chance, state = rng.random(len(desk.now)), desk.now.state
    sold = np.flatnonzero((state == REGISTERED) & (chance < _SELL))
    new = rng.choice(_owners(board, people), len(sold)).astype(np.int64)
    old = desk.now.owner[sold].astype(np.int64)
    other = new != old
    sold, new, old = sold[other], new[other], old[other]
    desk.titles.append((sold, old, new, np.full(len(sold), -1, np.int64)))
    desk.set("owner", sold, new)
    pledged = np.flatnonzero((state == REGISTERED) & (chance > 1 - _PLEDGE))
    released = np.flatnonzero((state == PLEDGED) & (chance < _RELEASE))
    desk.set("state", pledged, PLEDGED)
    desk.set("state", released, REGISTERED)
