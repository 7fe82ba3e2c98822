"""How often misconduct happens: the exchange's monthly circulars, and a rotation of patterns."""

from __future__ import annotations

import csv
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

import numpy as np

from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.commodity import DATA
from pipelines.simulation.seeds import stream

THRESHOLD_CLASSES: Final = (
    "self_trade", "frequent_cancel", "large_cancel", "over_limit", "intraday_open",
)  # fmt: skip
PATTERN_CLASSES: Final = (
    "group_self_trade", "layering", "fund_transfer", "spoofing", "circular", "marking_close",
    "pre_arranged", "quote_stuffing", "momentum_ignition", "programme_unreported", "squeeze",
    "wrong_order",
)  # fmt: skip
_FACTOR: Final = {"tiny": 0.3, "small": 0.6, "medium": 0.8, "exchange": 1.0}
_PATTERNS_A_DAY: Final = {"tiny": 2, "small": 2, "medium": 3, "exchange": 6}


@dataclass(frozen=True)
class Planned:
    """One case to be staged: its class and how blatant it is (0 hardly visible, 1 blatant)."""

    name: str
    strength: float


@dataclass(frozen=True)
class Circular:
    """What the exchange published for one month; None: not stated (taken as none)."""

    month: str
    cases: dict[str, int | None]
    groups: int | None
    clients: int | None


@cache
def circulars() -> tuple[Circular, ...]:
    """Return the published months in order (SHFE monthly circulars on abnormal trading)."""
    with (DATA / "published_cases.csv").open(encoding="utf-8", newline="") as handle:
        return tuple(
            Circular(
                row["month"],
                {name: _number(row[name]) for name in THRESHOLD_CLASSES},
                _number(row["control_groups"]),
                _number(row["control_clients"]),
            )
            for row in csv.DictReader(handle)
        )


def circular_for(day: date) -> Circular:
    """Return the month's own circular, else the latest before it, else the first."""
    months = [c.month for c in circulars()]
    return circulars()[max(bisect_right(months, f"{day:%Y-%m}") - 1, 0)]


def plan_day(seed: int, day: date, number: int, scale: str) -> tuple[Planned, ...]:
    """Return the cases of a trade date.

    Threshold classes are Poisson with the circular's monthly count over the month's trade dates,
    times the scale's share of the market (1 at exchange scale). The patterns beyond thresholds
    come in rotation, so that every class occurs within a few dates; ``number`` counts the
    world's trade dates from 1.
    """
    rng = stream(seed, day, "misconduct-plan")
    circular = circular_for(day)
    dates = trade_dates_of_month(day)
    planned = []
    for name in THRESHOLD_CLASSES:
        rate = (circular.cases[name] or 0) / dates * _FACTOR[scale]
        for _ in range(int(rng.poisson(rate))):
            planned.append(Planned(name, float(np.round(rng.beta(1.3, 1.3), 3))))
    several = _PATTERNS_A_DAY[scale]
    for k in range(several):
        turn = ((number - 1) * several + k) % len(PATTERN_CLASSES)
        planned.append(Planned(PATTERN_CLASSES[turn], float(np.round(rng.beta(1.3, 1.3), 3))))
    return tuple(planned)


def trade_dates_of_month(day: date) -> int:
    """Return the number of trade dates in a date's month."""
    first = day.replace(day=1)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    calendar = TradingCalendar.default()
    last = date.fromordinal(following.toordinal() - 1)
    return len(calendar.between(first, min(last, calendar.last_day)))


def _number(text: str) -> int | None:
    return int(text) if text else None
