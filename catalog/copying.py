"""Copying a published file: shared blocks where the file system can, else inside the kernel."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

CLONE = 0x40049409
"""``FICLONE`` of linux/fs.h: the copy shares the blocks until one of the two is written to."""


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of ``source`` to ``target``, which is made or replaced.

    Btrfs and XFS share the blocks, so the copy costs next to nothing; elsewhere on Linux the
    kernel copies without passing through this process; anywhere else Python does.
    """
    with source.open("rb") as old, target.open("wb") as new:
        if _cloned(old.fileno(), new.fileno()) or _in_kernel(old.fileno(), new.fileno()):
            return
        old.seek(0)
        new.seek(0)
        new.truncate()
        shutil.copyfileobj(old, new, 4 * 1024 * 1024)


def _cloned(old: int, new: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(new, CLONE, old)
    except (ImportError, OSError):
        return False
    return True


def _in_kernel(old: int, new: int) -> bool:
    copy = getattr(os, "copy_file_range", None)
    if copy is None:
        return False
    left = os.fstat(old).st_size
    with contextlib.suppress(OSError):
        while left > 0:
            done = copy(old, new, left)
            if done == 0:
                break
            left -= done
    return left == 0
