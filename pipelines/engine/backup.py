"""Backup and restore: the whole lake as files, checked by SHA-256, safe to kill at any point.

A backup is a folder of its own below the target: the lake's files as they were, and
``backup.json`` with size, SHA-256 and mode of each. Runs, landing, ledgers and publishing wait
meanwhile, and each table is copied under its own lock, so all files belong together. A file that
the backup before it holds unchanged is a hard link to it: the next backup costs what is new.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING

from pipelines.engine.backup_errors import (
    BackupDamagedError,
    BackupPlaceError,
    BackupSpaceError,
    RestoreTargetError,
)
from pipelines.engine.faults import reach
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.storage_errors import TablesNotInHomeError

if TYPE_CHECKING:
    from pipelines.engine.settings import Settings

MANIFEST = "backup.json"
FORMAT = 1
LEFT_OUT = frozenset({"locks", "spark", "airflow"})
"""Folders of the lake that are not kept: locks, scratch, and Airflow's run history."""
WHOLE = ("run", "landing", "publish", "messages", "ops")
"""Locks held for all of a backup, in this order."""
LAYERS = frozenset({"bronze", "silver", "gold"})
BLOCK = 1 << 20


@dataclass(frozen=True)
class Kept:
    """One file of a backup. ``mtime_ns`` and ``size`` tell the next one whether it changed."""

    size: int
    mtime_ns: int
    mode: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """One backup: its folder, when it was made (UTC), its files and bytes, and what was new."""

    id: str
    path: Path
    created_at: datetime
    files: int
    bytes: int
    copied_bytes: int | None = None
    """Bytes that were copied; the rest are links. None when read back."""


def backup(settings: Settings, target: Path, now: datetime) -> Backup:
    """Copy the lake into a new folder below ``target``; it appears there only when it is whole.

    Raises BackupPlaceError, BackupSpaceError, LockHeldError (a run is at work: transient), and
    TablesNotInHomeError when the tables are in object storage.
    """
    if settings.storage.root is not None:
        raise TablesNotInHomeError(settings.storage.root)
    home, target = settings.home.resolve(), target.expanduser().resolve()
    if not home.is_dir() or target == home or home in target.parents:
        raise BackupPlaceError(home, target)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{now:%Y%m%dT%H%M%S}"
    if (target / name).exists():
        raise BackupPlaceError(home, target / name)
    wait = settings.lock_wait_seconds
    with ExitStack() as held:
        for whole in WHOLE:
            held.enter_context(locked(lock_path(settings.locks, whole), wait_seconds=wait))
        before = backups(target)[-1:]
        old = (before[0].path, _manifest(before[0].path)[1]) if before else None
        draft = target / f".partial-{name}"
        for leftover in target.glob(".partial-*"):
            shutil.rmtree(leftover)
        draft.mkdir(mode=0o700)
        copier = _Copier(home, draft, old)
        _check_space(copier, target)
        for lock, files in groupby(_files(home), _lock_of):
            path = lock_path(settings.locks, lock) if lock else None
            with locked(path, wait_seconds=wait) if path else nullcontext():
                for relative in files:
                    copier.keep(relative)
        reach("backup-copied")
        _write(draft, copier.kept, now)
        os.sync()
        draft.rename(target / name)
    done = _read(target / name)
    return replace(done, copied_bytes=copier.copied)


def backups(target: Path) -> list[Backup]:
    """Whole backups below a folder, oldest first."""
    found = target.glob(f"[0-9]*/{MANIFEST}") if target.is_dir() else ()
    return sorted((_read(manifest.parent) for manifest in found), key=lambda b: b.id)


def verify(folder: Path) -> None:
    """Read every file of a backup again. Raises BackupDamagedError for the first that differs."""
    for relative, kept in _manifest(folder)[1].items():
        file = folder / relative
        if not file.is_file() or file.is_symlink() or _sha256(file) != kept.sha256:
            raise BackupDamagedError(folder, relative)


def restore(folder: Path, home: Path) -> Backup:
    """Make a lake of a backup. ``home`` must not exist, or be empty; it appears when it is whole.

    Every file is checked as it is copied. Raises RestoreTargetError, BackupDamagedError.
    """
    home = home.expanduser().absolute()
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise RestoreTargetError(home)
    files = _manifest(folder)[1]
    draft = home.parent / f".restoring-{home.name}"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(parents=True, mode=0o700)
    for relative, kept in files.items():
        source, copy = folder / relative, draft / relative
        if source.is_symlink() or not source.is_file():
            raise BackupDamagedError(folder, relative)
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _copy(source, copy) != kept.sha256:
            raise BackupDamagedError(folder, relative)
        copy.chmod(kept.mode)
        os.utime(copy, ns=(kept.mtime_ns, kept.mtime_ns))
    reach("restore-copied")
    os.sync()
    if home.exists():
        home.rmdir()
    draft.rename(home)
    return _read(folder)


class _Copier:
    """Copies files into a draft, or links them where the backup before has the same."""

    def __init__(
        self, home: Path, draft: Path, old: tuple[Path, Mapping[str, Kept]] | None
    ) -> None:
        self.home, self.draft, self.old = home, draft, old
        self.kept: dict[str, Kept] = {}
        self.copied = 0
        self.by_inode: dict[tuple[int, int], str] = {}

    def unchanged(self, relative: str) -> Kept | None:
        """What the backup before kept of a file that has not changed since."""
        status = (self.home / relative).stat()
        kept = self.old[1].get(relative) if self.old else None
        same = kept and (kept.size, kept.mtime_ns) == (status.st_size, status.st_mtime_ns)
        return kept if same else None

    def keep(self, relative: str) -> None:
        """Take one file into the draft."""
        source, copy = self.home / relative, self.draft / relative
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = source.stat()
        kept = self.unchanged(relative)
        inode = (status.st_dev, status.st_ino)
        if kept is not None and self.old is not None:
            os.link(self.old[0] / relative, copy)
        elif status.st_nlink > 1 and inode in self.by_inode:
            # Publications of the lake that are one file stay one file.
            os.link(self.draft / self.by_inode[inode], copy)
            kept = self.kept[self.by_inode[inode]]
        else:
            digest = _copy(source, copy)
            self.copied += status.st_size
            kept = Kept(status.st_size, status.st_mtime_ns, S_IMODE(status.st_mode), digest)
        self.by_inode[inode] = relative
        self.kept[relative] = kept


def _lock_of(relative: str) -> str | None:
    """The table whose lock guards a file: its product's, also for its quarantine."""
    first, second, *_ = (*Path(relative).parts, "")
    if first in LAYERS:
        return f"{first}.{second}"
    return second.replace("_", ".", 1) if first == "quarantine" else None


def _files(home: Path) -> Iterator[str]:
    """Regular files to keep, relative, those of a table together. Links are left out."""
    for folder, names, files in os.walk(home):
        here = Path(folder)
        names[:] = sorted(n for n in names if here != home or n not in LEFT_OUT)
        for name in sorted(files):
            file = here / name
            if file.is_file() and not file.is_symlink():
                yield file.relative_to(home).as_posix()


def _check_space(copier: _Copier, target: Path) -> None:
    new = [r for r in _files(copier.home) if copier.unchanged(r) is None]
    needed = sum((copier.home / relative).stat().st_size for relative in new)
    free = shutil.disk_usage(target).free
    if needed > free:
        raise BackupSpaceError(target, needed, free)


def _write(draft: Path, kept: Mapping[str, Kept], now: datetime) -> None:
    body = {
        "format": FORMAT,
        "created_at": now.isoformat(),
        "files": {relative: asdict(one) for relative, one in sorted(kept.items())},
    }
    (draft / MANIFEST).write_text(json.dumps(body, indent=1), encoding="utf-8")


def _read(folder: Path) -> Backup:
    created, files = _manifest(folder)
    size = sum(one.size for one in files.values())
    return Backup(folder.name, folder, created, len(files), size)


def _manifest(folder: Path) -> tuple[datetime, dict[str, Kept]]:
    """When a backup was made, and its files. Raises BackupDamagedError, for hostile paths too."""
    try:
        body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {str(relative): Kept(**one) for relative, one in body["files"].items()}
        created = datetime.fromisoformat(body["created_at"])
        known = body["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise BackupDamagedError(folder, MANIFEST) from None
    outside = [r for r in files if Path(r).is_absolute() or ".." in Path(r).parts]
    if outside or not known:
        raise BackupDamagedError(folder, outside[0] if outside else MANIFEST)
    return created, files


def _copy(source: Path, copy: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as reader, copy.open("xb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
    shutil.copystat(source, copy)
    return digest.hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
