"""Locks: one writer at a time, named holders, and nothing left behind by a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines.engine.locks import LockHeldError, holder_of, lock_path, locked

HOLD = (
    "import sys, time; from pathlib import Path; from pipelines.engine.locks import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
)


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_the_error_names_the_holder_and_a_kill_frees_the_lock(tmp_path: Path) -> None:
    """Another process' lock is a transient error with its pid; after SIGKILL it is free."""
    path = lock_path(tmp_path / "locks", "silver.trade")
    process = _holder(path)
    try:
        with (
            pytest.raises(LockHeldError, match=f"process {process.pid}") as held,
            locked(path, wait_seconds=0.1),
        ):
            raise AssertionError("never entered")
        assert held.value.transient
        assert holder_of(path) == process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with locked(path, wait_seconds=1):
        pass
    assert holder_of(path) is None
    assert path.stat().st_mode & 0o077 == 0


def test_a_waiting_writer_gets_the_lock(tmp_path: Path) -> None:
    """Threads of one process exclude each other too, and wait their turn."""
    path = tmp_path / "x.lock"
    order: list[str] = []

    def later() -> None:
        with locked(path, wait_seconds=5):
            order.append("second")

    with locked(path):
        thread = threading.Thread(target=later)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    """A block that raises leaves the lock free."""
    path = tmp_path / "x.lock"
    with pytest.raises(RuntimeError), locked(path):
        raise RuntimeError
    with locked(path, wait_seconds=0):
        pass
