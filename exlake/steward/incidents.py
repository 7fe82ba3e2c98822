"""Incidents as people see them: from the ledger alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.engine.incidents import Incident, incidents_of
from pipelines.engine.ledgers import INCIDENT

if TYPE_CHECKING:
    from pipelines.engine.run import Lake

SEVERITY = {"critical": 0, "error": 1, "warning": 2}


def listed(lake: Lake, *, product: str | None = None, closed: bool = False) -> list[dict[str, Any]]:
    """Incidents as a listing shows them: open ones first, the worst and the oldest first."""
    found = [
        i
        for i in incidents_of(lake.ledgers.read(INCIDENT))
        if product in (None, i.product) and (closed or i.open)
    ]
    found.sort(key=lambda i: (not i.open, SEVERITY.get(i.severity, 3), i.opened_at))
    return [_described(i) for i in found]


def _described(i: Incident) -> dict[str, Any]:
    return {
        "incident_id": i.incident_id,
        "state": "open" if i.open else "closed",
        "severity": i.severity,
        "product": i.product,
        "rule": i.rule_id,
        "since": i.opened_at,
        "closed_at": i.closed_at,
        "intervals": sorted(i.intervals) if i.open else list(i.affected),
        "failing": i.failing,
        "owner": i.owner,
        "message": i.message,
    }
