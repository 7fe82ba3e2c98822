"""The trading calendar: trade dates, night sessions and the edges of its coverage."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine.calendar import (
    BUNDLED,
    DateOutsideCalendarError,
    NoTradeDateError,
    TradingCalendar,
    decode,
    encode,
    from_library,
)

CALENDAR = TradingCalendar.default()
DATES = st.sampled_from(CALENDAR.trade_dates[30:-30])


def test_bundled_calendar_equals_the_library() -> None:
    """The bundled file is what exchange_calendars says, no more and no less."""
    fresh = from_library()
    assert fresh == CALENDAR
    assert BUNDLED.read_text(encoding="ascii") == encode(fresh.trade_dates, fresh.last_day)


def test_bundled_calendar_equals_an_independent_one() -> None:
    """A second source has the same 8,797 trade dates."""
    beside = Path(__file__).resolve().parents[4] / "shared"
    shared = Path(os.environ.get("EXLAKE_SHARED", beside))
    path = shared / "data" / "trading_calendar" / "calendar.json"
    if not path.is_file():
        pytest.skip("no shared data: set EXLAKE_SHARED")
    other = {datetime.strptime(d, "%Y%m%d").date() for d in json.loads(path.read_text())}
    assert set(CALENDAR.trade_dates) == other


@given(st.sets(st.dates(date(2000, 1, 1), date(2030, 1, 1)), min_size=1))
def test_text_form_loses_nothing(days: set[date]) -> None:
    """Writing and reading a calendar gives the same one."""
    calendar = TradingCalendar(tuple(sorted(days)), date(2030, 12, 31))
    assert decode(encode(calendar.trade_dates, calendar.last_day)) == calendar


@given(DATES, st.integers(1, 20))
def test_previous_and_next_undo_each_other(day: date, n: int) -> None:
    """n back and n forward is where one was, and between counts the steps."""
    back = CALENDAR.previous(day, n)
    assert CALENDAR.next(back, n) == day
    assert len(CALENDAR.between(back, day)) == n + 1


def test_non_trading_days_have_neighbours_too() -> None:
    """A weekend lies between its Friday and its Monday."""
    assert CALENDAR.previous(date(2026, 1, 10)) == date(2026, 1, 9)
    assert CALENDAR.next(date(2026, 1, 10)) == date(2026, 1, 12)


@pytest.mark.parametrize("day", [date(1990, 12, 18), date(2027, 1, 1)])
def test_outside_the_coverage_is_an_error(day: date) -> None:
    """A date that the calendar does not cover is never skipped (invariant 12)."""
    for ask in (CALENDAR.is_trade_date, CALENDAR.previous, CALENDAR.next):
        with pytest.raises(DateOutsideCalendarError):
            ask(day)
    with pytest.raises(DateOutsideCalendarError):
        CALENDAR.between(day, day)


def test_no_night_session_before_a_holiday() -> None:
    """New Year 2026 (Thursday and Friday) has no night session before it; a weekend has."""
    assert not CALENDAR.has_night_session(date(2026, 1, 5))
    assert CALENDAR.has_night_session(date(2026, 1, 6))
    assert CALENDAR.has_night_session(date(2026, 1, 12))
    assert not CALENDAR.has_night_session(CALENDAR.next(date(2026, 2, 16)))
    with pytest.raises(ValueError, match="not a trade date"):
        CALENDAR.has_night_session(date(2026, 1, 10))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 5, 9, 0), date(2026, 1, 5)),
        (datetime(2026, 1, 5, 14, 59, 59), date(2026, 1, 5)),
        (datetime(2026, 1, 5, 21, 0), date(2026, 1, 6)),
        (datetime(2026, 1, 6, 2, 29), date(2026, 1, 6)),
        (datetime(2026, 1, 9, 21, 0), date(2026, 1, 12)),
        (datetime(2026, 1, 10, 1, 0), date(2026, 1, 12)),
        (datetime(2026, 1, 5, 13, 0, tzinfo=UTC), date(2026, 1, 6)),
    ],
)
def test_night_sessions_belong_to_the_next_trade_date(moment: datetime, expected: date) -> None:
    """Evenings and the hours after midnight belong to the trade date that follows."""
    assert CALENDAR.trade_date_of(moment) == expected


@pytest.mark.parametrize(
    "moment",
    [datetime(2025, 12, 31, 21, 0), datetime(2026, 1, 1, 1, 0), datetime(2026, 1, 10, 10, 0)],
)
def test_no_session_no_trade_date(moment: datetime) -> None:
    """An event on the eve of a holiday, or on a Saturday morning, belongs nowhere."""
    with pytest.raises(NoTradeDateError):
        CALENDAR.trade_date_of(moment)


@given(DATES, st.integers(0, 150))
def test_every_moment_of_a_session_finds_its_trade_date(day: date, minutes: int) -> None:
    """All of a trade date's sessions, on whatever calendar days they lie, name that date."""
    assert CALENDAR.trade_date_of(datetime.combine(day, time(9))) == day
    if CALENDAR.has_night_session(day):
        evening = datetime.combine(CALENDAR.previous(day), time(21))
        assert CALENDAR.trade_date_of(evening + 2 * timedelta(minutes=minutes)) == day
