"""What can be wrong with a backup, where it goes, or where it is restored to."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from contracts.errors import TerminalError


class BackupPlaceError(TerminalError):
    """Raised when there is no lake, or the backup would lie inside it or on another backup."""

    code: ClassVar[str] = "backup-place"

    def __init__(self, home: Path, target: Path) -> None:
        self.home, self.target = home, target
        super().__init__(
            f"the lake {home} cannot be backed up to {target}.",
            next_step="Name an existing lake (EXLAKE_HOME) and a folder outside it.",
        )


class BackupSpaceError(TerminalError):
    """Raised before anything is copied when what is new does not fit."""

    code: ClassVar[str] = "backup-space"

    def __init__(self, target: Path, needed: int, free: int) -> None:
        self.target, self.needed, self.free = target, needed, free
        super().__init__(
            f"the backup needs {needed:,} bytes; {target} has {free:,} free.",
            next_step="Free space there (older backups may go, whole folders) or name another.",
        )


class BackupDamagedError(TerminalError):
    """Raised when a file of a backup is missing or is not what was written."""

    code: ClassVar[str] = "backup-damaged"

    def __init__(self, folder: Path, relative: str) -> None:
        self.folder, self.relative = folder, relative
        super().__init__(
            f"{folder} is no whole backup: {relative} is missing or not what was written.",
            next_step="Use a sound one: `exlake backups --at FOLDER --verify`.",
        )


class RestoreTargetError(TerminalError):
    """Raised when a lake would be restored over files that are there."""

    code: ClassVar[str] = "restore-target"

    def __init__(self, home: Path) -> None:
        self.home = home
        super().__init__(
            f"{home} is not empty: nothing is restored over what is there.",
            next_step="Restore to a new folder, look at it, and set EXLAKE_HOME to it.",
        )
