"""The fair price of each contract through the day: a seeded process per commodity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.commodity import Commodity

GRID_SECONDS = 30


@dataclass(frozen=True)
class Path:
    """Log return since the previous settlement price on a regular grid of trading time."""

    at: NDArray[np.float64]
    value: NDArray[np.float64]

    def read(self, trading: NDArray[np.int64]) -> NDArray[np.float64]:
        """Interpolate at microseconds of trading time (before the open: the opening value)."""
        return np.interp(trading, self.at, self.value)


def draw_path(rng: np.random.Generator, commodity: Commodity, trading_time: int) -> Path:
    """Draw a day: overnight gap, U-shaped volatility, rare jumps, rarer limit days."""
    steps = int(trading_time // (GRID_SECONDS * 1_000_000)) + 1
    sigma = commodity.daily_volatility
    position = np.linspace(0.0, 1.0, steps)
    shape = 0.7 + 1.2 * (2.0 * position - 1.0) ** 2
    shocks = rng.standard_t(4, size=steps) / np.sqrt(2.0)
    moves = sigma * 0.9 * shocks * shape / np.sqrt((shape**2).sum())
    jumps = rng.random(steps) < 0.4 / steps
    moves[jumps] += rng.normal(0.0, 0.5 * sigma, int(jumps.sum()))
    gap = rng.normal(0.0, 0.35 * sigma)
    if rng.random() < 0.004:  # a limit day
        moves += rng.choice([-1.0, 1.0]) * float(commodity.price_limit_rate) * 1.3 / steps
    at = np.arange(steps, dtype=np.float64) * GRID_SECONDS * 1_000_000
    return Path(at, gap + np.cumsum(moves))


def bridge_path(
    rng: np.random.Generator,
    commodity: Commodity,
    trading_time: int,
    anchors: NDArray[np.float64],
) -> Path:
    """Draw a path through evenly spaced log returns (a real day's open, extremes and close)."""
    steps = int(trading_time // (GRID_SECONDS * 1_000_000)) + 1
    at = np.arange(steps, dtype=np.float64) * GRID_SECONDS * 1_000_000
    knots = np.linspace(0.0, at[-1], len(anchors))
    noise = np.cumsum(rng.normal(0.0, commodity.daily_volatility * 0.25 / np.sqrt(steps), steps))
    at_knots = np.interp(knots, at, noise)
    value = noise - np.interp(at, knots, at_knots) + np.interp(at, knots, anchors)
    return Path(at, value)
