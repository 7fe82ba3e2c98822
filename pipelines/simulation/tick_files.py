"""The market-data recorder's delivery: half-second snapshots of every contract."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.simulation.board import Board
from pipelines.simulation.clock import DAY, HOUR, SECOND, epoch_of_clock
from pipelines.simulation.deliveries import (
    Outgoing,
    constant,
    hundredths,
    table,
    table_delivery,
    text,
    whole,
)
from pipelines.simulation.market import MarketDay


def tick_table(rng: np.random.Generator, board: Board, day: MarketDay) -> pa.Table:
    """Return the snapshots in the columns of a CTP recording of 2022-02-18.

    Snapshots before a contract's first trade of the date are not recorded; ``settle`` is 0 all
    day, as in the recording; the first row of a contract carries its whole volume so far.
    """
    traded = day.snapshots.columns[:, 1] >= 0
    contract = day.snapshots.contract[traded]
    columns = day.snapshots.columns[traded]
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
    received = time + (rng.exponential(0.25, rows) * SECOND).astype(np.int64)
    got = received % DAY
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


def tick_delivery(rng: np.random.Generator, board: Board, day: MarketDay) -> Outgoing:
    """Return the recorder's file of the date."""
    return table_delivery(
        "public", "market_tick", board.trade_date, tick_table(rng, board, day), "15:20"
    )


def _padded(values: np.ndarray, width: int) -> pa.Array:
    return pa.compute.utf8_lpad(pa.array(values).cast(pa.string()), width, "0")


def _clock_text(micro: np.ndarray) -> pa.Array:
    seconds = (micro // SECOND).astype(np.int64)
    names = np.arange(86_400)
    unique, code = np.unique(seconds, return_inverse=True)
    stamps = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in names[unique]]
    return text(stamps, code)
