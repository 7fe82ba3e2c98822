"""Real prices to trade inside: daily bars of main contracts, minute bars where they exist.

The folder is the project's shared data (never part of the repository). Returns are taken from the
real day, levels stay the simulated world's own: the fair price runs through the real open, the
two extremes (in drawn order) and the close, measured from the real previous settlement price.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contracts.errors import TerminalError
from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.clock import SECOND, Sessions, epoch_of_clock
from pipelines.simulation.commodity import Commodity
from pipelines.simulation.prices import Path as PricePath
from pipelines.simulation.prices import bridge_path

DAILY: Final = "shfe_ine_daily_continuous/daily_main_continuous.csv"
MINUTES: Final = "shfe_minute_bars"
_MINUTE_FILE: Final = re.compile(r"SHFE\.(?P<commodity>[A-Z]+)\.\d{4}_m1\.csv")


class MarketDataError(TerminalError):
    """Raised when the folder of real prices lacks the daily file."""

    code = "simulation-market-data"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds no {DAILY}.",
            next_step="give the folder that holds it, or leave market data out.",
        )


@dataclass(frozen=True)
class Bar:
    """One real day of a main contract: log returns since the previous settlement price."""

    opened: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Minutes:
    """One real day by minutes: wall time in microseconds, log return, share of the volume."""

    at: NDArray[np.int64]
    value: NDArray[np.float64]
    volume: NDArray[np.float64]


@dataclass(frozen=True)
class RealPrices:
    """What is known of a trade date, by commodity."""

    daily: dict[tuple[str, date], Bar]
    minutes: dict[tuple[str, date], Minutes]

    def path(
        self, rng: np.random.Generator, commodity: Commodity, day: date, hours: Sessions
    ) -> PricePath | None:
        """The real price path of the date, or None when it is not known."""
        known = self.minutes.get((commodity.commodity_id, day))
        if known is not None:
            at = _trading_time(known.at - epoch_of_clock(day), hours)
            return PricePath(at.astype(np.float64), known.value)
        bar = self.daily.get((commodity.commodity_id, day))
        if bar is None:
            return None
        first, second = (bar.high, bar.low) if rng.random() < 0.5 else (bar.low, bar.high)
        anchors = np.array([bar.opened, first, second, bar.close])
        return bridge_path(rng, commodity, hours.trading_time, anchors)

    def profile(
        self, commodity: Commodity, day: date, hours: Sessions
    ) -> Callable[[NDArray[np.float64]], NDArray[np.int64]] | None:
        """A map from uniform draws to trading time that follows the real volume by minute."""
        known = self.minutes.get((commodity.commodity_id, day))
        if known is None:
            return None
        ends = _trading_time(known.at - epoch_of_clock(day), hours)
        edges = np.concatenate([[0.0], ends.astype(np.float64)])
        shares = np.concatenate([[0.0], np.cumsum(known.volume)])
        return lambda draws: np.interp(draws, shares, edges).astype(np.int64)


@lru_cache(maxsize=2)
def load_real_prices(folder: Path) -> RealPrices:
    """Read the shared data's daily and minute bars. Raises MarketDataError."""
    file = folder / DAILY
    if not file.is_file():
        raise MarketDataError(folder)
    daily: dict[tuple[str, date], Bar] = {}
    before: dict[str, float] = {}
    with file.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            name, day = row["product"].lower(), date.fromisoformat(row["trade_date"])
            prices = [float(row[k]) for k in ("open", "high", "low", "close")]
            last = before.get(name)
            if last and min(prices) > 0 and max(prices) / last < 1.2 > last / min(prices):
                daily[name, day] = Bar(*(float(np.log(p / last)) for p in prices))
            before[name] = float(row["settle"]) or prices[3]
    minutes: dict[tuple[str, date], Minutes] = {}
    for path in sorted((folder / MINUTES).glob("*_m1.csv")):
        match = _MINUTE_FILE.fullmatch(path.name)
        if match:
            name = match["commodity"].lower()
            for day, bars in _by_trade_date(path).items():
                minutes[name, day] = bars
    return RealPrices(daily, minutes)


def _by_trade_date(path: Path) -> dict[date, Minutes]:
    """Minute bars by trade date; a bar is stamped at its end with its calendar date."""
    calendar = TradingCalendar.default()
    days: dict[date, list[tuple[int, float, float]]] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            stamp = datetime.fromisoformat(f"{row['date']} {row['time']}")
            day = calendar.trade_date_of(stamp - timedelta(seconds=1))
            micro = int((stamp - datetime(1970, 1, 1)) / timedelta(microseconds=1))  # noqa: DTZ001
            days.setdefault(day, []).append((micro, float(row["close"]), float(row["volume"])))
    made: dict[date, Minutes] = {}
    last: float | None = None
    for day in sorted(days):
        bars = sorted(days[day])
        close = np.array([b[1] for b in bars])
        volume = np.array([b[2] for b in bars]) + 1e-6
        if last is not None:  # the previous close stands for the settlement price
            value = np.log(close / last)
            made[day] = Minutes(np.array([b[0] for b in bars]), value, volume / volume.sum())
        last = float(close[-1])
    return made


def _trading_time(clock: NDArray[np.int64], hours: Sessions) -> NDArray[np.int64]:
    """The inverse of ``Sessions.clock``."""
    before = np.cumsum(hours.lengths) - hours.lengths
    at = np.maximum(np.searchsorted(hours.starts, clock - SECOND, side="right") - 1, 0)
    inside = np.clip(clock - hours.starts[at], 0, hours.lengths[at])
    trading: NDArray[np.int64] = before[at] + inside
    return trading
