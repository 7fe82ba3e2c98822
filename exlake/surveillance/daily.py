"""What the DAG does after a publication: record what became of alerts, and write the pages."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

log = logging.getLogger("exlake.progress")


def write_daily(day: date, look_back: int) -> dict[str, Any]:
    """The pages of a trade date, and of those among the ``look_back`` before it on which something
    happened to an alert since their page was written; counts of events and pages."""
    from exlake.lake import open_lake
    from exlake.orchestration.flows import publish_marts
    from exlake.surveillance.history import record_alerts
    from exlake.surveillance.pages import outdated, write_pages

    lake = open_lake()
    since = max(lake.calendar.first_day, lake.calendar.previous(day, look_back))
    days = lake.calendar.between(since, day)
    events = record_alerts(lake, {each.isoformat() for each in days})
    if events:  # a run was killed before it could record them: readers get them too
        publish_marts(day.isoformat())
    pages = write_pages(lake.settings, {day, *outdated(lake.settings, lake.ledgers, days)})
    for page in pages:
        log.info("page %s", page)
    return {"events": events, "pages": len(pages)}
