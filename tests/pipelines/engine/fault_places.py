"""Faults that are no kills: a full disk, a read-only folder, locks, two runs, a clock set back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pipelines.engine.killing import Order, drop
from tests.pipelines.engine.small_lake import SmallLake

if TYPE_CHECKING:
    from tests.pipelines.engine.fault_matrix import Bench
    from tests.pipelines.engine.fault_page import Case

KILLED = -9
ROOM_KIB = (0, 64, 512, 1536)
"""Free space left on the full disk; a run of the small lake needs about 3 MiB."""


def places(bench: Bench) -> Iterator[Case]:
    """Every such case."""
    landed = bench.copy(bench.calm[1])
    drop(landed, 2)
    drop(landed, 3)
    yield from full_disk(bench, landed)
    yield from read_only(bench, landed)
    yield dead_owner(bench, landed)
    yield two_at_once(bench, landed)
    yield clock_back(bench, landed)
    yield lost_jvm(bench, landed)


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[bool]:
    """A disk of its own at the folder; False where none can be mounted (an ordinary user)."""
    folder.mkdir()
    size = f"size={mib}m,mode=0700"
    made = os.geteuid() == 0 and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "exlake-test", str(folder)],
        check=False, capture_output=True,
    ).returncode  # fmt: skip
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def _remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def full_disk(bench: Bench, base: SmallLake) -> Iterator[Case]:
    """The disk fills up while the lake works; with room again everything is made good."""
    disk = bench.scratch / "disk"
    for room in ROOM_KIB:
        with small_disk(disk, 64) as mounted:
            lake = _on(bench, base, disk, mounted)

            def fill(
                lake: SmallLake, room: int = room, mounted: bool = mounted
            ) -> tuple[int, list[str]]:
                if not mounted:
                    # RLIMIT_FSIZE: no file of this process grows beyond the room.
                    done = bench.victims.do(lake, file_limit=max(room, 1) * 1024)
                    return 0, _must_fail(done)
                free = os.statvfs(disk)
                ballast = free.f_bavail * free.f_frsize - room * 1024
                with (disk / "ballast").open("wb") as file:
                    file.write(b"\0" * ballast)
                done = bench.victims.do(lake)
                (disk / "ballast").unlink()
                return 0, _must_fail(done)

            how = "everything, on a small tmpfs" if mounted else "everything, RLIMIT_FSIZE"
            yield bench.case(f"disk full, {room} KiB left", how, lake, bench.calm[3], fill)
        disk.rmdir()


def read_only(bench: Bench, base: SmallLake) -> Iterator[Case]:
    """A lake nobody may write to: an error, and no harm."""
    disk = bench.scratch / "disk"
    with small_disk(disk, 64) as mounted:
        lake = _on(bench, base, disk, mounted)
        if mounted or os.geteuid() != 0:

            def forbid(lake: SmallLake) -> tuple[int, list[str]]:
                _remount(disk, "ro") if mounted else lake.home.chmod(0o500)
                done = bench.victims.do(lake)
                _remount(disk, "rw") if mounted else lake.home.chmod(0o700)
                return 0, _must_fail(done)

            yield bench.case("read-only folder", "everything", lake, bench.calm[3], forbid)
    disk.rmdir()


def _on(bench: Bench, base: SmallLake, disk: Path, mounted: bool) -> SmallLake:
    """A copy of the lake on the disk."""
    import shutil

    from tests.pipelines.engine.killing import lake_at

    copy = bench.copy(base)
    if not mounted:
        return copy
    shutil.copytree(copy.home, disk / "lake")
    return lake_at(disk / "lake")


def _must_fail(done: dict[str, object]) -> list[str]:
    if done["status"] in (0, KILLED):
        return [f"it ended with {done['status']} although nothing could be written"]
    return []


def dead_owner(bench: Bench, base: SmallLake) -> Case:
    """A lock whose owner was killed is free at once."""

    def hold(lake: SmallLake) -> tuple[int, list[str]]:
        done = bench.victims.do(lake, "hold")
        return 1, [] if done["status"] == KILLED else ["the owner was not killed"]

    return bench.case("lock whose owner died", "run lock", bench.copy(base), bench.calm[3], hold)


def two_at_once(bench: Bench, base: SmallLake) -> Case:
    """Two processes land, run and publish the same lake at the same time."""

    def both(lake: SmallLake) -> tuple[int, list[str]]:
        bench.victims.send(Order(str(lake.home)))
        bench.healer.send(Order(str(lake.home)))
        answers = [bench.victims.answer(), bench.healer.answer()]
        # One of them may have waited longer than the lock allows: a transient error.
        bad = [str(a["said"]) for a in answers if a["status"] not in (0, 4)]
        return 0, bad if bad or any(a["status"] == 0 for a in answers) else ["none was done"]

    return bench.case("two at once", "everything", bench.copy(base), bench.calm[3], both)


def clock_back(bench: Bench, base: SmallLake) -> Case:
    """The clock is set back four hundred days between two runs."""

    def back(lake: SmallLake) -> tuple[int, list[str]]:
        done = bench.healer.do(lake, clock=-400)
        return 0, [] if done["status"] == 0 else [str(done["said"])]

    name = "clock set back 400 days"
    return bench.case(name, "everything", bench.copy(base), bench.calm[3], back)


def lost_jvm(bench: Bench, base: SmallLake) -> Case:
    """Only the JVM dies: the batch fails as transient and the same process goes on."""

    def lose(lake: SmallLake) -> tuple[int, list[str]]:
        done = bench.victims.do(lake, fault="lose-jvm")
        right = done["status"] == 4 and "spark-lost" in str(done["said"])
        return 1, [] if right else [f"{done['status']}: {done['said'][-300:]}"]

    return bench.case("JVM killed alone", "run", bench.copy(base), bench.calm[3], lose)
