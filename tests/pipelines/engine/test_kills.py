"""Whatever happens to a process, the next run ends where an undisturbed one does.

The matrix of points and outcomes is ``docs/fault-matrix.md``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.engine.ledgers import RESULT
from tests.pipelines.engine.comparing import differences, rows_moved
from tests.pipelines.engine.small_lake import SmallLake
from tests.pipelines.engine.watching import seen

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.spark


def matrix(tmp_path: Path, *arguments: str) -> str:
    """Run the matrix in a process of its own: what forks must not hold a JVM."""
    if not list((ROOT / ".jars").glob("*.jar")):
        pytest.skip("no Delta jars in .jars: run `make setup`")
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.engine.fault_matrix", *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_a_lake_killed_again_and_again_heals(tmp_path: Path) -> None:
    """Invariants 1, 2, 3 and 7: twelve kills, nothing lost, doubled, or seen before its verdict."""
    assert "as undisturbed" in matrix(tmp_path, "--short")


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_every_fault_heals(tmp_path: Path) -> None:
    """The whole matrix: every point alone, random sequences, full disk, two runs, the clock."""
    assert "random sequence" in matrix(tmp_path, "--page", str(tmp_path / "page.md"))


def test_the_comparison_sees_what_it_must(built: SmallLake, tmp_path: Path) -> None:
    """The proof can fail: a row doubled, a row lost and a row nobody judged are all seen."""
    lake = built.copied(tmp_path / "lake")
    assert rows_moved(built, lake) == (0, 0)
    path = lake.home / "silver" / "order"
    whole = DeltaTable(str(path)).to_pyarrow_table()
    write_deltalake(str(path), whole.slice(0, 1), mode="append")
    assert rows_moved(built, lake) == (0, 1)
    assert set(seen(lake.home)) - set(seen(built.home)), "a reader sees another day"
    write_deltalake(str(path), whole.slice(0, whole.num_rows - 1), mode="overwrite")
    assert rows_moved(built, lake) == (1, 0)
    ledgers = lake.lake.ledgers
    ledgers.append((RESULT, ledgers.read(RESULT)[:1]))
    assert {"hashes differ", "a result is recorded twice"} <= set(differences(built, lake))
