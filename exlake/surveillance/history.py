"""The history of alerts: an append-only ledger written when a date's alerts were published.

``gold.surveillance_alert`` holds what stands now. What it said before, and what made it say
something else, is recorded here: by comparing the table with the ledger's own last word per alert,
date by date, so that recording twice records nothing, and a recording that a kill prevented is
made up for by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from contracts.rule_book import load_rule_book
from exlake.surveillance.causes import DAY, causes
from pipelines.engine.ledgers import ALERT, INTERVAL, period_of
from pipelines.engine.rows import AlertRow
from pipelines.surveillance.alert_life import last_of

if TYPE_CHECKING:
    from pipelines.engine.ledgers import Ledgers
    from pipelines.engine.rows import IntervalRow
    from pipelines.engine.run import Lake
    from pipelines.engine.settings import Settings

PRODUCT = "gold.surveillance_alert"
SAID = (
    "rule_id", "rule_version", "nature", "subject_kind", "subject_id", "contract_id", "figure",
    "threshold", "evidence_count", "next_measure", "next_measure_zh", "explanation_en",
    "explanation_zh",
)  # fmt: skip
"""What an alert says: a change of any of it supersedes the alert."""


def record_alerts(lake: Lake, intervals: Iterable[str]) -> int:
    """``record`` for a lake, now; dates only."""
    days = [interval for interval in intervals if interval[:1].isdigit()]
    return record(lake.settings, lake.ledgers, days, datetime.now(UTC)) if days else 0


def record(settings: Settings, ledgers: Ledgers, intervals: Iterable[str], now: datetime) -> int:
    """Compare the published alerts of these dates with the ledger; how many events were appended.

    Reads the dates' alerts (a few rows) and the ledgers' months of these dates; no Spark.
    """
    days = sorted(set(intervals))
    periods = {period_of(day) for day in days}
    rows = ledgers.read(INTERVAL, periods=periods, where={"product": [PRODUCT, DAY]})
    standing: dict[tuple[str, str], IntervalRow] = {
        (row.product, row.interval): row for row in rows if row.readable
    }
    counted: dict[str, list[IntervalRow]] = {}
    for row in rows:
        if row.product == DAY and row.readable:
            counted.setdefault(row.interval, []).append(row)
    last = last_of(ledgers.read(ALERT, periods=periods))
    events: list[AlertRow] = []
    for day in days:
        alert, figures = standing.get((PRODUCT, day)), standing.get((DAY, day))
        if alert is None or figures is None:
            continue
        alerts = _published(settings, day)
        if alerts is None:
            continue
        known = {i: row for i, row in last.items() if row.interval == day}
        found = changes(known, alerts, day, figures.batch_id, now)
        events += [replace(e, because=_why(ledgers, e, known, counted[day])) for e in found]
    ledgers.append((ALERT, events))
    return len(events)


def changes(
    known: Mapping[str, AlertRow], alerts: Iterable[Mapping[str, Any]], day: str, batch_id: str,
    now: datetime,
) -> list[AlertRow]:  # fmt: skip
    """Events that lead from the last known rows of a date's alerts to the published ones."""
    events: list[AlertRow] = []
    event: Literal["raised", "changed", "withdrawn", "restored"]
    seen = set()
    for alert in sorted(alerts, key=lambda a: str(a["alert_id"])):
        alert_id = str(alert["alert_id"])
        seen.add(alert_id)
        said = {name: alert[name] for name in SAID}
        before = known.get(alert_id)
        if before is None:
            event = "raised"
        elif before.event == "withdrawn":
            event = "restored"
        elif any(getattr(before, name) != value for name, value in said.items()):
            event = "changed"
        else:
            continue
        events.append(
            AlertRow(
                alert_id=alert_id, interval=day, event=event, at=now, batch_id=batch_id, **said
            )
        )
    for alert_id, before in sorted(known.items()):
        if alert_id not in seen and before.event != "withdrawn":
            events.append(replace(before, event="withdrawn", at=now, batch_id=batch_id, because=()))
    return events


def _why(
    ledgers: Ledgers, event: AlertRow, known: Mapping[str, AlertRow], counted: list[IntervalRow]
) -> tuple[str, ...]:
    """What lies between the batch of the alert's last event (or the one before) and this one."""
    before = known.get(event.alert_id)
    batches = list({row.batch_id: row for row in counted}.values())
    current = next(row for row in batches if row.batch_id == event.batch_id)
    if before is not None:
        earlier = next((row for row in batches if row.batch_id == before.batch_id), None)
    else:
        place = batches.index(current)
        earlier = batches[place - 1] if place else None
    return causes(ledgers, earlier, current, metric=_metrics()[event.rule_id])


@cache
def _metrics() -> dict[str, str]:
    """Rule -> what it counts."""
    return {rule.rule_id: rule.metric for rule in load_rule_book().rules}


def _published(settings: Settings, day: str) -> list[dict[str, Any]] | None:
    """A date's alerts as the table holds them now; None while it lacks columns of the contract.

    The version of the batch is not asked for: maintenance may have removed its files.
    """
    table = settings.table(PRODUCT)
    if not set(SAID) <= {field.name for field in table.delta().schema().fields}:
        return None
    frame = table.rows([("trade_date", "=", day)])
    alerts: list[dict[str, Any]] = frame.to_pylist()
    assert all(alert["trade_date"] == date.fromisoformat(day) for alert in alerts)
    return alerts
