"""The same world is the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from delivered import SEED, trade_dates

from pipelines.simulation.scale import UnknownScaleError
from pipelines.simulation.state import WorldMismatchError
from pipelines.simulation.world import simulate


def digests(home: Path) -> dict[str, str]:
    """SHA-256 by path of everything in a home."""
    return {
        str(p.relative_to(home)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(home.rglob("*"))
        if p.is_file()
    }


def test_continuing_equals_one_run(tmp_path: Path) -> None:
    """Three days, then two more, then the fourth again: byte for byte the five days at once."""
    days = trade_dates(5)
    simulate(tmp_path / "a" / "inbox", days, SEED, "tiny", dirty="demo")
    simulate(tmp_path / "b" / "inbox", days[:3], SEED, "tiny", dirty="demo")
    simulate(tmp_path / "b" / "inbox", days[3:], SEED, "tiny", dirty="demo")
    simulate(tmp_path / "b" / "inbox", days[3:4], SEED, "tiny", dirty="demo")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


ONE_CORE = (
    "import os, sys; from datetime import date; from pathlib import Path\n"
    "pin = getattr(os, 'sched_setaffinity', None)\n"
    "pin and pin(0, [min(os.sched_getaffinity(0))])\n"
    "from pipelines.simulation.world import simulate\n"
    "inbox, scale, dirty = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]) or None\n"
    "for day in sys.argv[4:]:\n"
    f"    simulate(inbox, [date.fromisoformat(day)], {SEED}, scale, dirty=dirty)\n"
)
"""A process on one core that simulates each date in a call of its own."""


@pytest.mark.parametrize(
    ("scale", "dirty"),
    [
        pytest.param("tiny", 0.5),
        pytest.param("small", 0, marks=pytest.mark.slow),
        pytest.param("medium", 0, marks=pytest.mark.full),
        pytest.param("exchange", 0, marks=[pytest.mark.full, pytest.mark.timeout(3600)]),
    ],
)
def test_machine_does_not_matter(tmp_path: Path, scale: str, dirty: float) -> None:
    """One core, one thread of numba, a call a date, another hash seed and another time zone: the
    same bytes as one call on all cores, truth and memory of the world included."""
    days = trade_dates(2)
    simulate(tmp_path / "here" / "inbox", days, SEED, scale, dirty=dirty or None)
    other = {
        **os.environ, "PYTHONHASHSEED": "99", "TZ": "America/New_York", "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    there = tmp_path / "there" / "inbox"
    command = [sys.executable, "-c", ONE_CORE, str(there), scale, str(dirty),
               *(d.isoformat() for d in days)]  # fmt: skip
    subprocess.run(command, check=True, env=other, cwd=Path(__file__).resolve().parents[3])
    assert digests(tmp_path / "here") == digests(tmp_path / "there")
    shutil.rmtree(tmp_path)  # two thirds of a gigabyte at exchange scale


def test_seed_changes_the_world(home: Path, tmp_path: Path) -> None:
    """Another seed is another world, with the same files."""
    simulate(tmp_path / "inbox", trade_dates(1), SEED + 1, "tiny")
    here, there = digests(tmp_path / "inbox"), digests(home / "inbox")
    assert set(here) <= set(there)
    same = {Path(name).name.split("_20")[0] for name in here if here[name] == there[name]}
    assert same <= {"calendar", "commodity", "position_limit", "member"}  # as no seed changes them


def test_a_home_holds_one_world(home: Path, tmp_path: Path) -> None:
    """Another seed, a gap, and a date before the start are refused, saying what to do."""
    simulate(tmp_path / "inbox", trade_dates(1), SEED, "tiny")
    after = trade_dates(3)
    early = (date(2025, 12, 31),)
    for dates, seed in (((after[1],), SEED + 1), ((after[2],), SEED), (early, SEED)):
        with pytest.raises(WorldMismatchError):
            simulate(tmp_path / "inbox", dates, seed, "tiny")
    with pytest.raises(UnknownScaleError):
        simulate(tmp_path / "inbox", after, SEED, "huge")
