"""The world before its first day: reference quotes, declared positions, funds and stocks."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board, Quote, make_board
from pipelines.simulation.commodity import commodities_on
from pipelines.simulation.flow import activity
from pipelines.simulation.holdings import Held
from pipelines.simulation.listing import listed_contracts
from pipelines.simulation.names import REGIONS
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT, ARBITRAGE, HEDGE
from pipelines.simulation.people import CORPORATE, FUND, MARKET_MAKER, People
from pipelines.simulation.scale import Scale
from pipelines.simulation.seeds import stream


def opening_quotes(seed: int, start: date) -> dict[str, Quote]:
    """Return the settlement prices before the first day: a seeded curve around the reference."""
    rng = stream(seed, None, "curve")
    quotes: dict[str, Quote] = {}
    for commodity in commodities_on(start):
        slope = rng.normal(0.0, 0.002)
        reference = float(commodity.reference_price / commodity.tick_size)
        for number, contract in enumerate(listed_contracts(commodity, start)):
            away = number - commodity.front_peak
            level = reference * np.exp(slope * away + rng.normal(0.0, 0.0006))
            if contract.list_date < start:
                quotes[contract.contract_id] = Quote(round(level), round(level), 0)
    return quotes


def opening_positions(seed: int, board: Board, people: People, scale: Scale) -> Held:
    """Return declared positions, long equal to short in every contract.

    Lots are dealt in pairs of a long and a short holder, so the sums tie by construction.
    """
    rng = stream(seed, None, "positions")
    share = activity(board).share
    present = (people.opened <= board.trade_date.toordinal()) & (people.client_type != MARKET_MAKER)
    contracts, accounts, sides, lots = [], [], [], []
    for index in range(len(board)):
        if board.contracts[index].list_date >= board.trade_date:
            continue
        pairs = int(scale.orders * share[index] * 0.35) + (1 if share[index] > 2e-5 else 0)
        commodity = int(board.commodity[index])
        weight = people.weight**0.7 * people.affinity[:, commodity] * present
        edges = np.cumsum(weight)
        who = np.searchsorted(edges, rng.random(2 * pairs) * edges[-1], side="right")
        who = np.minimum(who, people.clients - 1)
        size = np.ceil(4 * np.exp(rng.normal(0.0, 1.0, pairs))).astype(np.int64)
        kind = people.client_type[who]
        hedge = np.where((kind == CORPORATE) & (rng.random(2 * pairs) < 0.85), HEDGE, 0)
        hedge = np.where((kind == FUND) & (rng.random(2 * pairs) < 0.06), ARBITRAGE, hedge)
        # A pair is dealt only while both holders stay well below the position limit.
        kept = np.ones(pairs, bool)
        for holder in (who[:pairs], who[pairs:]):
            kept &= (
                _running(holder, size) * people.group_size[holder]
                <= 0.6 * board.client_limit[index]
            )
        both = np.tile(kept, 2)
        rows = int(both.sum())
        contracts.append(np.full(rows, index, np.int32))
        accounts.append((who * ACCOUNTS_PER_CLIENT + hedge)[both].astype(np.int32))
        sides.append(np.repeat(np.array([0, 1], np.int8), rows // 2))
        lots.append(np.tile(size[kept], 2))
    contract, account = np.concatenate(contracts), np.concatenate(accounts)
    side, size = np.concatenate(sides), np.concatenate(lots)
    code = (contract.astype(np.int64) * people.clients * ACCOUNTS_PER_CLIENT + account) * 2 + side
    unique, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    total = np.zeros(len(unique), np.int64)
    np.add.at(total, inverse, size)
    return Held(contract[first], account[first], side[first], total)


def _running(who: NDArray[np.int64], lots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lots dealt to each holder so far, this row included."""
    line = np.argsort(who, kind="stable")
    total = np.cumsum(lots[line])
    first = np.ones(len(line), bool)
    first[1:] = who[line][1:] != who[line][:-1]
    base = np.maximum.accumulate(np.where(first, total - lots[line], 0))
    running = np.empty(len(line), np.int64)
    running[line] = total - base
    return running


def opening_stock(seed: int, start: date, scale: Scale) -> np.ndarray:
    """Return stock by commodity, region and warehouse in the commodity's own stock unit."""
    rng = stream(seed, None, "stock")
    shape = (len(REGIONS), scale.warehouses_per_region)
    stock = []
    for commodity in commodities_on(start):
        shares = rng.dirichlet(np.full(shape[0] * shape[1], 0.6)).reshape(shape)
        unit = max(commodity.stock_per_lot, 1)
        stock.append(np.round(shares * commodity.opening_stock / unit).astype(np.int64) * unit)
    return np.stack(stock)


def first_board(seed: int, start: date) -> Board:
    """Return the board of the world's first trade date."""
    return make_board(start, opening_quotes(seed, start))
