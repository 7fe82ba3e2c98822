"""Named points at which a test can end the process for good.

``EXLAKE_FAULT=committed`` kills at the first time the point is reached, ``committed:3`` at the
third. Without the variable ``reach`` does nothing. SIGKILL runs no handler and no ``finally``:
what is on disk at that moment is what the next run finds.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "EXLAKE_FAULT"
LANDING_POINTS = (
    "delivery-copied", "delivery-appended", "appended-delivery", "delivery-recorded",
    "deliveries-noted",
)  # fmt: skip
ENGINE_POINTS = (
    "suspects-written", "files-written", "dirty-rewritten", "verdict", "quarantine-written",
    "committed", "leftovers-removed", "before-ledger", "appended-result", "appended-lineage",
    "appended-interval", "appended-run", "appended-incident", "incidents-noted",
)  # fmt: skip
"""Points of one run, in the order in which they are reached (a clean batch has no suspects and is
not rewritten).
``appended-<ledger>`` is reached after every append to a ledger, by whomever."""
SCHEMA_POINTS = ("schema-rewritten",)
LINEAGE_POINTS = ("lineage-emitted", "lineage-noted")
PUBLISHING_POINTS = (
    "draft-written", "file-published", "publication-noted", "edition-kept", "edition-removed",
)  # fmt: skip
RETENTION_POINTS = ("retention-recorded", "retention-deleted")
MAINTENANCE_POINTS = ("compacted", "vacuumed", "orphan-removed")
FORMAT_POINTS = ("format-step", "format-noted")
BACKUP_POINTS = ("backup-copied", "restore-copied")
MESSAGE_POINTS = ("messages-queued", "message-sent")

_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """End this process with SIGKILL when the variable names this point."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    name, _, count = wanted.partition(":")
    if name != point:
        return
    _reached[point] += 1
    if _reached[point] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
