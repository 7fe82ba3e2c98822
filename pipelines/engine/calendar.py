"""The exchange's trading calendar: trade dates and night sessions.

Trade dates are bundled as one small text file, one line per month, generated
from the Shanghai calendar of ``exchange_calendars`` (a test holds the two
equal): importing that library costs seconds, and ``plan`` has one.

A night session of trade date T takes place on the evening of the trade date P
before it, unless a holiday (a non-trading weekday) lies between P and T.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.errors import TerminalError

BEIJING = ZoneInfo("Asia/Shanghai")
BUNDLED = Path(__file__).with_name("trade_dates.txt")
NIGHT_FROM = time(18, 0)
"""Beijing time: an event later than this belongs to a night session (they open at 21:00)."""
DAY_FROM = time(6, 0)
"""Beijing time: an event earlier than this belongs to the night session that began the evening
before (they close at 02:30 at the latest)."""


class DateOutsideCalendarError(TerminalError):
    """Raised for a date the calendar knows nothing about: never a skip."""

    code = "date-outside-calendar"

    def __init__(self, day: date, first: date, last: date):
        self.day = day
        self.first = first
        self.last = last
        super().__init__(
            f"{day} is outside the trading calendar's coverage, {first} to {last}.",
            next_step="give a date inside it, or extend the calendar "
            "(python -m pipelines.engine.calendar --write).",
        )


class NoTradeDateError(TerminalError):
    """Raised when an event's time falls into no session of any trade date."""

    code = "no-trade-date"

    def __init__(self, moment: datetime, why: str):
        self.moment = moment
        super().__init__(
            f"{moment} (Beijing time) belongs to no trade date: {why}.",
            next_step="correct the time, or quarantine the row.",
        )


@dataclass(frozen=True)
class TradingCalendar:
    """Trade dates in order; the coverage ends with ``last_day`` (both ends included)."""

    trade_dates: tuple[date, ...]
    last_day: date
    _index: dict[date, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {d: i for i, d in enumerate(self.trade_dates)})

    @classmethod
    def default(cls) -> TradingCalendar:
        """The bundled Shanghai calendar, 1990-12-19 on (read once per process)."""
        return _bundled()

    @property
    def first_day(self) -> date:
        """The first date covered, a trade date."""
        return self.trade_dates[0]

    def is_trade_date(self, day: date) -> bool:
        """True when the exchange trades on ``day``. Raises DateOutsideCalendarError."""
        return self._covered(day) in self._index

    def previous(self, day: date, n: int = 1) -> date:
        """The n-th trade date before ``day``. Raises DateOutsideCalendarError."""
        return self._at(bisect_left(self.trade_dates, self._covered(day)) - n, day)

    def next(self, day: date, n: int = 1) -> date:
        """The n-th trade date after ``day``. Raises DateOutsideCalendarError."""
        return self._at(bisect_right(self.trade_dates, self._covered(day)) + n - 1, day)

    def between(self, start: date, end: date) -> tuple[date, ...]:
        """Trade dates from ``start`` to ``end``, both included. Raises DateOutsideCalendarError."""
        low = bisect_left(self.trade_dates, self._covered(start))
        return self.trade_dates[low : bisect_right(self.trade_dates, self._covered(end))]

    def has_night_session(self, trade_date: date) -> bool:
        """True when a night session belongs to ``trade_date`` (on the evening before it).

        False for the first covered date and after holidays; raises ValueError when
        ``trade_date`` is no trade date.
        """
        if not self.is_trade_date(trade_date):
            raise ValueError(f"{trade_date} is not a trade date")
        i = self._index[trade_date]
        if i == 0:
            return False
        before = self.trade_dates[i - 1]
        between = (before + timedelta(d) for d in range(1, (trade_date - before).days))
        return all(d.weekday() >= 5 for d in between)

    def trade_date_of(self, moment: datetime) -> date:
        """The trade date of a moment (Beijing time when naive, else converted).

        Evenings belong to the next trade date, the hours after midnight to the session that
        began the evening before. Raises NoTradeDateError when no session takes place then,
        DateOutsideCalendarError outside the coverage.
        """
        local = moment if moment.tzinfo is None else moment.astimezone(BEIJING)
        day, clock = local.date(), local.time()
        if DAY_FROM <= clock < NIGHT_FROM:
            if not self.is_trade_date(day):
                raise NoTradeDateError(local, f"{day} is not a trade date")
            return day
        evening = day if clock >= NIGHT_FROM else day - timedelta(1)
        if not self.is_trade_date(evening):
            raise NoTradeDateError(local, f"no night session begins on {evening}")
        trade_date = self.next(evening)
        if not self.has_night_session(trade_date):
            raise NoTradeDateError(local, f"no night session before the holiday after {evening}")
        return trade_date

    def _covered(self, day: date) -> date:
        if not self.trade_dates[0] <= day <= self.last_day:
            raise DateOutsideCalendarError(day, self.trade_dates[0], self.last_day)
        return day

    def _at(self, i: int, day: date) -> date:
        if not 0 <= i < len(self.trade_dates):
            raise DateOutsideCalendarError(day, self.trade_dates[0], self.last_day)
        return self.trade_dates[i]


def encode(trade_dates: Iterable[date], last_day: date) -> str:
    """Calendar as text: a line ``YYYYMM DD DD ...`` per month, the coverage's end last."""
    months: dict[str, list[str]] = {}
    for day in sorted(trade_dates):
        months.setdefault(f"{day:%Y%m}", []).append(f"{day:%d}")
    lines = [f"{month} {' '.join(days)}" for month, days in months.items()]
    return "\n".join([*lines, f"until {last_day.isoformat()}", ""])


def decode(text: str) -> TradingCalendar:
    """The calendar that ``encode`` wrote."""
    days: list[date] = []
    last = None
    for line in text.splitlines():
        head, *rest = line.split()
        if head == "until":
            last = date.fromisoformat(rest[0])
        else:
            days += [date(int(head[:4]), int(head[4:]), int(d)) for d in rest]
    return TradingCalendar(tuple(days), last or days[-1])


@cache
def _bundled() -> TradingCalendar:
    return decode(BUNDLED.read_text(encoding="ascii"))


def from_library() -> TradingCalendar:
    """The calendar as ``exchange_calendars`` knows it (slow: imports pandas)."""
    import exchange_calendars

    sessions = exchange_calendars.get_calendar("XSHG", start="1990-12-19").sessions
    days = tuple(s.date() for s in sessions)
    # The library's recorded holidays end with a year: beyond it, it would invent trade dates.
    return TradingCalendar(days, date(days[-1].year, 12, 31))


if __name__ == "__main__":  # python -m pipelines.engine.calendar --write
    import sys

    fresh = from_library()
    if "--write" in sys.argv:
        BUNDLED.write_text(encode(fresh.trade_dates, fresh.last_day), encoding="ascii")
    print(f"{len(fresh.trade_dates)} trade dates, {fresh.first_day} to {fresh.last_day}")
