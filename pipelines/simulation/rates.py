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
_RARE: Final = ("large_cancel", "over_limit", "intraday_open")
_SMALL_WORLDS: Final = ("tiny", "small")
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


def monthly_cases(day: date, name: str) -> int:
    """Return a class's published monthly count for a date.

    That of the date's month, else of the latest month before it that states the class, else of
    the first that does.
    """
    stated = [c for c in circulars() if c.cases[name] is not None]
    at = max(bisect_right([c.month for c in stated], f"{day:%Y-%m}") - 1, 0)
    return stated[at].cases[name] or 0


def plan_day(seed: int, day: date, number: int, scale: str) -> tuple[Planned, ...]:
    """Return the cases of a trade date.

    Threshold classes are Poisson with the circular's monthly count over the month's trade dates,
    times the scale's share of the market (1 at exchange scale). The patterns beyond thresholds
    come in rotation, so that every class occurs within a few dates; in the worlds for
    demonstrations and tests the rare threshold classes rotate with them. ``number`` counts the
    world's trade dates from 1.
    """
    rng = stream(seed, day, "misconduct-plan")
    dates = trade_dates_of_month(day)
    planned = []
    for name in THRESHOLD_CLASSES:
        rate = monthly_cases(day, name) / dates * _FACTOR[scale]
        for _ in range(int(rng.poisson(rate))):
            planned.append(Planned(name, float(np.round(rng.beta(1.3, 1.3), 3))))
    several = _PATTERNS_A_DAY[scale]
    classes = PATTERN_CLASSES + (_RARE if scale in _SMALL_WORLDS else ())
    for k in range(several):
        name = classes[((number - 1) * several + k) % len(classes)]
        planned.append(Planned(name, float(np.round(rng.beta(1.3, 1.3), 3))))
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
