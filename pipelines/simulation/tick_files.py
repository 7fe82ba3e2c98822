"""The market-data recorder's delivery: half-second snapshots of every contract."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clock import DAY, HOUR, SECOND, epoch_of_clock
from pipelines.simulation.deliveries import (
    Outgoing,
    constant,
    hundredths,
    parts_delivery,
    table,
    text,
    whole,
)
from pipelines.simulation.market import MarketDay


def tick_delivery(rng: np.random.Generator, board: Board, day: MarketDay) -> Outgoing:
    """Return the recorder's file: the columns of a CTP recording of 2022-02-18.

    Snapshots before a contract's first trade of the date are not recorded; ``settle`` is 0 all
    day, as in the recording; the first row of a contract carries its whole volume so far.
    """
    traded = np.flatnonzero(day.snapshots.columns[:, 1] >= 0)
    delay = (rng.exponential(0.25, len(traded)) * SECOND).astype(np.int64)

    def part(start: int, end: int) -> pa.Table:
        # One row more in front, to measure the first row's changes from.
        rows = traded[max(start - 1, 0) : end]
        made = _table(board, day, rows, delay[max(start - 1, 0) : end])
        return made.slice(int(start > 0))

    return parts_delivery("public", "market_tick", board.trade_date, part, len(traded), "15:20")


def _table(
    board: Board, day: MarketDay, chosen: NDArray[np.int64], delay: NDArray[np.int64]
) -> pa.Table:
    contract = day.snapshots.contract[chosen]
    columns = day.snapshots.columns[chosen]
    time, last, opened, high, low, volume, ticks_turnover, interest = columns[:, :8].T
    rows = len(contract)
    first = np.ones(rows, bool)
    first[1:] = contract[1:] != contract[:-1]
    turnover = ticks_turnover * board.cents[contract] // 100
    tick = board.hundredths[contract]

    def step(values: np.ndarray, base: np.ndarray) -> np.ndarray:
        before = np.roll(values, 1)
        return values - np.where(first, base, before)

    clock = time % DAY
    milli = time // 1000 % 1000
    hms = clock // HOUR * 10000 + clock // (60 * SECOND) % 60 * 100 + clock // SECOND % 60
    got = (time + delay) % DAY
    calendar_day = (time + epoch_of_clock(board.trade_date)) // DAY
    ine = np.array([c.exchange == "INE" for c in board.contracts]).astype(np.int8)
    levels = board.high - board.low + 1
    bid, ask = columns[:, 8], columns[:, 10]
    has_bid, has_ask = bid >= 0, ask < levels[contract]
    base = board.low[contract]
    nothing = np.zeros(rows, np.int64)
    days, day_code = np.unique(calendar_day, return_inverse=True)
    day_names = [str(np.datetime64(int(d), "D")).replace("-", "") for d in days]
    return table(
        {
            "exchange": text(("SHFE", "INE"), ine[contract]),
            "instrument": text(board.contract_id, contract),
            "trading_day": constant(f"{board.trade_date:%Y%m%d}", rows),
            "action_day": text(day_names, day_code),
            "action_time": _padded(hms * 1000 + milli, 9),
            "recv_time": _clock_text(got),
            "last": hundredths(last * tick),
            "open": hundredths(opened * tick),
            "high": hundredths(high * tick),
            "low": hundredths(low * tick),
            "settle": whole(nothing),
            "upper_limit": hundredths(board.high[contract] * tick),
            "lower_limit": hundredths(board.low[contract] * tick),
            "cum_volume": whole(volume),
            "volume": whole(step(volume, nothing)),
            "cum_turnover": whole(turnover),
            "turnover": whole(step(turnover, nothing)),
            "open_interest": whole(interest),
            "oi_change": whole(step(interest, board.prev_open_interest[contract])),
            "pre_close": hundredths(board.prev_close[contract] * tick),
            "pre_settle": hundredths(board.prev_settle[contract] * tick),
            "pre_oi": whole(board.prev_open_interest[contract]),
            "bid1": hundredths(np.where(has_bid, (bid + base) * tick, 0)),
            "bid1_qty": whole(np.where(has_bid, columns[:, 9], 0)),
            "ask1": hundredths(np.where(has_ask, (ask + base) * tick, 0)),
            "ask1_qty": whole(np.where(has_ask, columns[:, 11], 0)),
        }
    )


def _padded(values: np.ndarray, width: int) -> pa.Array:
    return pa.compute.utf8_lpad(pa.array(values).cast(pa.string()), width, "0")


def _clock_text(micro: np.ndarray) -> pa.Array:
    seconds = (micro // SECOND).astype(np.int64)
    names = np.arange(86_400)
    unique, code = np.unique(seconds, return_inverse=True)
    stamps = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in names[unique]]
    return text(stamps, code)
