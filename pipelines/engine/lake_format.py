"""The lake's format: how what is on disk is laid out, and the steps from one format to the next.

``<home>/format.json`` holds the number; a lake without it has the first. A program refuses a lake
of a later format than its own, and one of an earlier format until ``exlake upgrade`` has brought
it up to date. Each step may be repeated, and the number is written after it, so a kill in between
costs nothing.

``<home>/tables.json`` names where the tables are when they are not in the home. With other
settings every table would be missing, and what is missing reads as empty: so they are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from contracts.errors import TerminalError
from pipelines.engine.faults import reach
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.storage_errors import TablesElsewhereError, TablesTakenError

if TYPE_CHECKING:
    from pipelines.engine.settings import Settings

NOTE = "format.json"
TABLES = "tables.json"
FIRST = 1
WHOLE = ("run", "landing", "publish", "messages")
"""Locks that keep everybody else out while a lake is upgraded."""
Step = Callable[["Settings"], None]
Steps = Mapping[int, Step]


def _say_so(settings: Settings) -> None:
    """1 -> 2: the lake names its format, and stray parts of dropped editions go.

    Before, a publisher killed while it dropped an edition could leave the note of its masks.
    """
    for note in settings.publish.glob("earlier/*/*.json"):
        if not note.with_suffix(".duckdb").exists():
            note.unlink()


STEPS: Steps = {1: _say_so}
"""Format -> the step that makes the next one of it."""


class LakeFormatError(TerminalError):
    """Raised when a lake's format is not the one this program reads and writes."""

    code: ClassVar[str] = "lake-format"

    def __init__(self, home: Path, found: int, wanted: int) -> None:
        self.found, self.wanted = found, wanted
        step = "exlake upgrade (back up first: exlake backup)."
        if found > wanted:
            step = "use the program that made it, or a later one."
        super().__init__(
            f"the lake {home} has format {found}, and this program works with {wanted}.",
            next_step=step,
        )


def newest(steps: Steps = STEPS) -> int:
    """The format that this program works with."""
    return max(steps, default=FIRST - 1) + 1


def format_of(home: Path) -> int:
    """The lake's format; a folder in which nothing was ever landed or run has the newest."""
    note = home / NOTE
    if note.exists():
        return int(json.loads(note.read_text(encoding="utf-8"))["format"])
    return FIRST if (home / "ops").is_dir() else newest()


def check_format(home: Path, steps: Steps = STEPS) -> None:
    """Raise LakeFormatError unless the lake has the newest format."""
    found = format_of(home)
    if found != newest(steps):
        raise LakeFormatError(home, found, newest(steps))


def note_format(home: Path, number: int) -> None:
    """Write the number, whole or not at all."""
    _write(home / NOTE, {"format": number})


def check_tables(settings: Settings) -> None:
    """Raise TablesElsewhereError unless the lake's tables are where the settings say."""
    asked, home = settings.storage.root, settings.home
    note = home / TABLES
    if note.exists():
        noted = str(json.loads(note.read_text(encoding="utf-8"))["tables"])
    elif (home / "ops").is_dir():
        noted = None
    else:  # nothing was ever landed or run
        return
    if noted != asked:
        raise TablesElsewhereError(noted or str(home), asked or str(home))


def note_tables(settings: Settings) -> None:
    """Before the first write: note where the tables will be.

    Raises TablesElsewhereError, and TablesTakenError when something is there already.
    """
    check_tables(settings)
    root = settings.storage.root
    if root is None or (settings.home / TABLES).exists():
        return
    if settings.storage.in_use():
        raise TablesTakenError(root)
    _write(settings.home / TABLES, {"tables": root})


def _write(file: Path, body: Mapping[str, object]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.parent / f".{file.name}.{os.getpid()}"
    draft.write_text(json.dumps(body), encoding="utf-8")
    draft.replace(file)


def upgrade(
    settings: Settings, say: Callable[[int], None] = lambda number: None, steps: Steps = STEPS
) -> tuple[int, int]:
    """Bring the lake to the newest format, step by step; the formats before and after.

    Nobody runs, lands or publishes meanwhile. Raises LakeFormatError for a later format,
    LockHeldError (transient).
    """
    with ExitStack() as held:
        for name in WHOLE:
            path = lock_path(settings.locks, name)
            held.enter_context(locked(path, wait_seconds=settings.lock_wait_seconds))
        before = found = format_of(settings.home)
        if found > newest(steps):
            raise LakeFormatError(settings.home, found, newest(steps))
        while found < newest(steps):
            steps[found](settings)
            reach("format-step")
            found += 1
            note_format(settings.home, found)
            reach("format-noted")
            say(found)
    return before, found
