"""What a trade date begins with: its board, the positions held, and the course of prices."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board, Quote, make_board
from pipelines.simulation.flow import Profile
from pipelines.simulation.holdings import Held
from pipelines.simulation.limit_lock import Lock, locked_path
from pipelines.simulation.market_data import RealPrices
from pipelines.simulation.opening import opening_positions, opening_quotes
from pipelines.simulation.people import People
from pipelines.simulation.prices import Path as PricePath
from pipelines.simulation.prices import draw_path
from pipelines.simulation.scale import Scale
from pipelines.simulation.seeds import stream
from pipelines.simulation.state import WorldState


def morning(
    seed: int, scale: Scale, day: date, people: People, state: WorldState | None
) -> tuple[Board, Held, frozenset[str]]:
    """Return the day's board, the positions held at its start and the contracts known before."""
    if state is None:
        quotes = opening_quotes(seed, day)
        held = opening_positions(seed, make_board(day, quotes), people, scale)
        empty = make_board(day, quotes)
        interest = np.zeros(len(empty), np.int64)
        np.add.at(interest, held.contract, np.where(held.side == 0, held.lots, 0))
        quotes = {
            name: Quote(quotes[name].settle, quotes[name].close, int(interest[i]))
            for i, name in enumerate(empty.contract_id)
            if name in quotes
        }
        return make_board(day, quotes), held, frozenset()
    quotes = {
        str(name): Quote(int(settle), int(close), int(interest), int(streak))
        for name, settle, close, interest, streak in zip(
            state.contract_id,
            state.settle,
            state.close,
            state.open_interest,
            state.lock_streak,
            strict=True,
        )
    }
    board = make_board(day, quotes)
    place = {name: i for i, name in enumerate(board.contract_id)}
    held = Held(
        np.array([place[str(c)] for c in state.position_contract], np.int32),
        state.position_account,
        state.position_side,
        state.position_lots,
    )
    return board, held, frozenset(quotes)


def day_prices(
    seed: int, board: Board, real: RealPrices | None, lock: Lock | None
) -> tuple[tuple[PricePath, ...], dict[int, Profile]]:
    """Return each commodity's path of the fair price, and the real volume profiles there are."""
    paths: list[PricePath] = []
    profiles: dict[int, Profile] = {}
    for index, (c, hours) in enumerate(zip(board.commodities, board.sessions, strict=True)):
        rng = stream(seed, board.trade_date, f"price-{c.commodity_id}")
        path = real.path(rng, c, board.trade_date, hours) if real else None
        path = path or draw_path(rng, c, hours.trading_time)
        if lock is not None and lock.commodity_id == c.commodity_id:
            path = locked_path(lock, c, hours)
        paths.append(path)
        profile = real.profile(c, board.trade_date, hours) if real else None
        if profile is not None:
            profiles[index] = profile
    return tuple(paths), profiles


def by_contract(
    held: Held,
) -> dict[int, tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]]]:
    """Return per contract index the accounts, sides and lots held."""
    return {
        int(i): (held.account[rows], held.side[rows], held.lots[rows])
        for i in np.unique(held.contract)
        for rows in [np.flatnonzero(held.contract == i)]
    }
