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
ENGINE_POINTS = (
    "files-written", "verdict", "dirty-rewritten", "quarantine-written", "committed",
    "before-ledger", "results-appended", "ledger-appended",
)  # fmt: skip
"""Points of one run, in the order in which they are reached (a clean batch is not rewritten)."""
LANDING_POINTS = ("delivery-copied", "delivery-appended", "delivery-recorded")
BACKUP_POINTS = ("backup-copied", "restore-copied")
MAINTENANCE_POINTS = ("compacted", "vacuumed")

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
