"""The table lock, held by the process that commits: the JVM.

After a SIGKILL of Python the JVM lives on for most of a second and may still commit; a lock held
by Python would be free by then. Java's ``FileLock`` is the same POSIX lock as
``pipelines.engine.locks`` takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine.locks import POLL_SECONDS, LockHeldError, thread_lock

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def jvm_locked(spark: SparkSession, path: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of ``path`` in the JVM while the block runs.

    Raises LockHeldError after ``wait_seconds``. Not re-entrant, threads included.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    until = time.monotonic() + wait_seconds
    # Closing any descriptor of the file frees the process's lock, so only one thread of this
    # process may open it at a time.
    mine = thread_lock(path)
    if not mine.acquire(timeout=max(wait_seconds, 0.0)):
        raise LockHeldError(path, None, wait_seconds)
    try:
        jvm: Any = spark._jvm
        file = jvm.java.io.RandomAccessFile(str(path), "rw")
        try:
            lock = file.getChannel().tryLock()
            while lock is None:
                if time.monotonic() >= until:
                    raise LockHeldError(path, None, wait_seconds)
                time.sleep(POLL_SECONDS)
                lock = file.getChannel().tryLock()
            try:
                yield
            finally:
                lock.release()
        finally:
            file.close()
    finally:
        mine.release()
