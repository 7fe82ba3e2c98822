"""The lake's format: refused when it is another, upgraded step by step, kills included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.engine.faults import FORMAT_POINTS, VARIABLE
from pipelines.engine.lake_format import (
    STEPS,
    LakeFormatError,
    check_format,
    format_of,
    newest,
    note_format,
    upgrade,
)
from pipelines.engine.ledgers import DELIVERY, Ledgers
from pipelines.engine.settings import Settings, load_settings
from tests.pipelines.engine.planning import delivered

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    """A lake of the first format: something recorded, and no word of a format."""
    settings = load_settings(environ={}, home=tmp_path / "lake", lock_wait_seconds=0.2)
    Ledgers(settings.ops, settings.locks).append(
        (DELIVERY, [delivered("trade", "2026-01-05", "x")])
    )
    assert format_of(settings.home) == newest(), "a new lake has the newest format"
    (settings.home / "format.json").unlink()
    stray = settings.publish / "earlier" / "analyst" / "gone.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    return settings


def test_another_format_is_refused_with_the_next_step(old: Settings, tmp_path: Path) -> None:
    """Older: upgrade. Newer: another program. Nothing there yet: fine."""
    with pytest.raises(LakeFormatError, match="exlake upgrade"):
        check_format(old.home)
    note_format(old.home, newest() + 1)
    with pytest.raises(LakeFormatError, match="the program that made it") as caught:
        upgrade(old)
    assert not caught.value.transient
    check_format(tmp_path / "nothing")


def test_steps_are_taken_in_order_and_once(old: Settings) -> None:
    """Each step from the lake's format on; again does nothing."""
    taken: list[int] = []
    steps = {n: lambda settings, n=n: taken.append(n) for n in range(1, 5)}
    note_format(old.home, 2)
    assert upgrade(old, steps=steps) == (2, 5)
    assert taken == [2, 3, 4]
    assert upgrade(old, steps=steps) == (5, 5)
    assert taken == [2, 3, 4]


@pytest.mark.parametrize("point", FORMAT_POINTS)
def test_killed_anywhere_it_is_finished_by_the_next(old: Settings, point: str) -> None:
    """SIGKILL after a step or after its number: the next upgrade ends in the same lake."""
    code = (
        "import sys; from pathlib import Path; from pipelines.engine.settings import load_settings;"
        "from pipelines.engine.lake_format import upgrade;"
        "upgrade(load_settings(environ={}, home=Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(old.home)], cwd=ROOT, check=False,
        env=os.environ | {VARIABLE: point},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    upgrade(old)
    check_format(old.home)
    assert STEPS
    assert not list(old.publish.rglob("gone.json"))
    assert len(Ledgers(old.ops, old.locks).read(DELIVERY)) == 1
