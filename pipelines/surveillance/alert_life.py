"""The states an alert went through, from the events of its ledger. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.engine.rows import AlertRow


@dataclass(frozen=True)
class Version:
    """One state of an alert that stood for a while; ``state`` is a code of ``alert_state``."""

    row: AlertRow
    state: str
    ended_by: AlertRow | None = None


def last_of(rows: Iterable[AlertRow]) -> dict[str, AlertRow]:
    """The newest event of each alert."""
    return {row.alert_id: row for row in sorted(rows, key=lambda r: r.sequence)}


def versions(rows: Iterable[AlertRow]) -> list[Version]:
    """Every state of the alerts, oldest first: the last one stands or was withdrawn."""
    by_alert: dict[str, list[AlertRow]] = {}
    for row in sorted(rows, key=lambda r: r.sequence):
        by_alert.setdefault(row.alert_id, []).append(row)
    found = []
    for events in by_alert.values():
        for row, after in zip(events, [*events[1:], None], strict=True):
            if row.event == "withdrawn":
                continue
            if after is None:
                found.append(Version(row, "CURRENT"))
            else:
                state = "WITHDRAWN" if after.event == "withdrawn" else "SUPERSEDED"
                found.append(Version(row, state, after))
    return found
