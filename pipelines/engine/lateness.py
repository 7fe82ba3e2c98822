"""When an interval is due, and when lateness says nothing any more."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from pipelines.engine.calendar import BEIJING, TradingCalendar

if TYPE_CHECKING:
    from contracts.model import Sla

HISTORY = timedelta(days=14)
"""What comes this long after it was due was landed as history: lateness says nothing then."""


def due_at(sla: Sla | None, interval: str, calendar: TradingCalendar) -> datetime | None:
    """When an interval is due, Beijing time with its zone.

    None without an SLA, for ``all``, for days without trading and outside the calendar.
    """
    if sla is None or not interval[:1].isdigit():
        return None
    day = date.fromisoformat(interval)
    if not calendar.first_day <= day <= calendar.last_day or not calendar.is_trade_date(day):
        return None
    if sla.days_after:
        day = calendar.next(day, sla.days_after)
    return datetime.combine(day, time.fromisoformat(sla.due), BEIJING)
