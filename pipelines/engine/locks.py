"""Locks between processes: one writer per table at a time.

POSIX record locks (``fcntl.lockf``), the kind that Java's ``FileLock`` takes
too, so that the JVM which commits can hold the same lock as delta-rs' caller.
The kernel frees them when their process dies, by SIGKILL as well, and names
the holder without any file content to go stale.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import TransientError

POLL_SECONDS = 0.05
# struct flock, 64-bit Linux: short type, short whence, off_t start, off_t len, pid_t pid
FLOCK = struct.Struct("@hhqqi4x")

# A POSIX lock belongs to the whole process: threads need an ordinary lock besides, and closing
# any descriptor of the file would free it, so nothing else in this process may open the file.
_threads: dict[str, threading.Lock] = {}
_threads_guard = threading.Lock()


class LockHeldError(TransientError):
    """Raised when another process (or thread) kept the lock for the whole wait."""

    code = "lock-held"

    def __init__(self, path: Path, holder: int | None, waited: float):
        self.path = path
        self.holder = holder
        self.waited = waited
        who = f"process {holder}" if holder else "another writer"
        super().__init__(
            f"{path.name} is held by {who}; waited {waited:.0f} s.",
            next_step="wait for that process to end and run again "
            "(a killed process frees its locks by itself).",
        )


def lock_path(locks: Path, table: str) -> Path:
    """The lock file of a table, e.g. ``locks/silver.trade.lock``."""
    return locks / f"{table}.lock"


def holder_of(path: Path) -> int | None:
    """The pid of the process that holds the lock, None when it is free.

    Never call it from a thread of the process that holds the lock: it answers None there.
    """
    if not path.exists():
        return None
    fd = os.open(path, os.O_RDWR)
    try:
        return _holder(fd)
    finally:
        os.close(fd)


def thread_lock(path: Path) -> threading.Lock:
    """The lock that keeps this process's threads apart at ``path``."""
    with _threads_guard:
        return _threads.setdefault(str(path.absolute()), threading.Lock())


@contextmanager
def locked(path: Path, *, wait_seconds: float = 30.0) -> Iterator[None]:
    """Hold the lock of ``path`` (created 0600 in a 0700 folder) while the block runs.

    Waits up to ``wait_seconds``; raises LockHeldError after that. Not re-entrant.
    """
    until = time.monotonic() + wait_seconds
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mine = thread_lock(path)
    if not mine.acquire(timeout=max(wait_seconds, 0.0)):
        raise LockHeldError(path, os.getpid(), wait_seconds)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _acquire(fd, path, until, wait_seconds)
            yield
        finally:
            os.close(fd)
    finally:
        mine.release()


def _acquire(fd: int, path: Path, until: float, wait_seconds: float) -> None:
    while True:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= until:
                raise LockHeldError(path, _holder(fd), wait_seconds) from None
            time.sleep(POLL_SECONDS)


def _holder(fd: int) -> int | None:
    ask = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, ask))
    return None if kind == fcntl.F_UNLCK else int(pid)
