"""What officers did about alerts: notes and closings, append-only, by alert id.

An alert's id does not depend on runs or figures, so a disposition stays with it through every
correction and rebuild.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from contracts.errors import TerminalError
from pipelines.engine.ledgers import ALERT, DISPOSITION
from pipelines.engine.rows import AlertRow, DispositionRow
from pipelines.surveillance.alert_life import last_of, versions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.engine.ledgers import Ledgers

CLOSINGS = ("no_action", "phoned", "watch_list", "escalated")
TITLES = {
    "note": ("备注", "note"),
    "no_action": ("不采取措施", "no action"),
    "phoned": ("电话提示", "phoned"),
    "watch_list": ("列入重点关注", "watch list"),
    "escalated": ("上报", "escalated"),
}


class UnknownAlertError(TerminalError):
    """Raised when no alert has this id, now or in the past."""

    code = "unknown-alert"

    def __init__(self, alert_id: str) -> None:
        super().__init__(
            f"no alert has the id {alert_id!r}.",
            next_step="`exlake surveil list` shows the ids; with --all also those that were "
            "withdrawn.",
        )


class DispositionTermsError(TerminalError):
    """Raised when a disposition lacks what it needs: a reason, a person, or a time that can be."""

    code = "disposition-terms"

    def __init__(self, alert_id: str, what: str) -> None:
        super().__init__(
            f"alert {alert_id}: {what}.",
            next_step="give --reason, --by and --at (Beijing time, not in the future).",
        )


def dispose(
    ledgers: Ledgers, alert_id: str, kind: str, *, reason: str, person: str, entered_by: str,
    at: datetime, now: datetime,
) -> DispositionRow:  # fmt: skip
    """Record one disposition (``at`` and ``now`` zone-aware). Withdrawn alerts can have them too.

    Raises UnknownAlertError, DispositionTermsError, LockHeldError.
    """
    alert = known_alert(ledgers, alert_id)
    if kind not in TITLES:
        raise DispositionTermsError(alert_id, f"{kind!r} is no disposition: {', '.join(TITLES)}")
    if not reason.strip() or not person.strip():
        raise DispositionTermsError(alert_id, "a disposition needs a reason and a person")
    if at > now:
        raise DispositionTermsError(alert_id, f"{at:%Y-%m-%d %H:%M} has not been yet")
    row = DispositionRow(
        alert_id=alert_id, interval=alert.interval, kind=kind,  # type: ignore[arg-type]
        reason=reason.strip(), person=person.strip(), at=at, recorded_at=now,
        entered_by=entered_by,
    )  # fmt: skip
    ledgers.append((DISPOSITION, [row]))
    return row


def known_alert(ledgers: Ledgers, alert_id: str) -> AlertRow:
    """The last event of an alert. Raises UnknownAlertError."""
    found = last_of(ledgers.read(ALERT, where={"alert_id": [alert_id]}))
    if alert_id not in found:
        raise UnknownAlertError(alert_id)
    return found[alert_id]


def desk(
    ledgers: Ledgers, periods: Iterable[str] | None = None
) -> tuple[list[dict[str, Any]], dict[str, list[DispositionRow]]]:
    """Every state of every alert as listing rows (newest date first), and dispositions by alert.

    ``disposition`` is the newest closing, ``changed_since`` whether figures changed after it.
    """
    months = None if periods is None else list(periods)
    of: dict[str, list[DispositionRow]] = {}
    for row in ledgers.read(DISPOSITION, periods=months):
        of.setdefault(row.alert_id, []).append(row)
    rows = []
    for version in versions(ledgers.read(ALERT, periods=months)):
        closed = [d for d in of.get(version.row.alert_id, []) if d.kind in CLOSINGS]
        rows.append(
            vars(version.row)
            | {
                "trade_date": version.row.interval,
                "state": version.state,
                "ended_at": version.ended_by.at if version.ended_by else None,
                "ended_because": list(version.ended_by.because) if version.ended_by else [],
                "because": list(version.row.because),
                "disposition": closed[-1].kind if closed else None,
                "changed_since": bool(closed) and version.row.at > closed[-1].recorded_at,
            }
        )
    rows.sort(key=lambda r: (r["rule_id"], r["subject_id"], r["contract_id"], r["sequence"]))
    rows.sort(key=lambda r: r["trade_date"], reverse=True)
    return rows, of
