"""The same world is the same bytes."""

from __future__ import annotations

import hashlib
import os
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


def test_machine_does_not_matter(tmp_path: Path) -> None:
    """One core, another hash seed and another time zone: the same bytes."""
    days = trade_dates(2)
    simulate(tmp_path / "here" / "inbox", days, SEED, "tiny", dirty=0.5)
    program = (
        "import os, sys; from datetime import date; from pathlib import Path\n"
        "pin = getattr(os, 'sched_setaffinity', None)\n"
        "pin and pin(0, [min(os.sched_getaffinity(0))])\n"
        "from pipelines.simulation.world import simulate\n"
        "days = [date.fromisoformat(d) for d in sys.argv[2:]]\n"
        f"simulate(Path(sys.argv[1]), days, {SEED}, 'tiny', dirty=0.5)\n"
    )
    other = {**os.environ, "PYTHONHASHSEED": "99", "TZ": "America/New_York"}
    there = tmp_path / "there" / "inbox"
    command = [sys.executable, "-c", program, str(there), *(d.isoformat() for d in days)]
    subprocess.run(command, check=True, env=other, cwd=Path(__file__).resolve().parents[3])
    assert digests(tmp_path / "here") == digests(tmp_path / "there")


def test_seed_changes_the_world(home: Path, tmp_path: Path) -> None:
    """Another seed is another world, with the same files."""
    simulate(tmp_path / "inbox", trade_dates(1), SEED + 1, "tiny")
    here, there = digests(tmp_path / "inbox"), digests(home / "inbox")
    assert set(here) <= set(there)
    same = {Path(name).name.split("_")[0] for name in here if here[name] == there[name]}
    assert same <= {"calendar", "commodity", "member"}  # the facts that no seed changes


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
