"""SIGKILL at named points: the next run ends where an undisturbed one does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.engine.faults import ENGINE_POINTS, LANDING_POINTS, VARIABLE
from pipelines.engine.ledgers import DELIVERY
from tests.pipelines.engine.small_lake import ALL, CLIENTS, D1, D2, SmallLake, orders, settled

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[3]


def kill(what: str, lake: SmallLake, point: str) -> None:
    """Let another process land or run, and end it at the point."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EXLAKE_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.engine.killed", what, str(lake.home)],
        env={**kept, "PYTHONPATH": str(ROOT), VARIABLE: point},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, f"{point} was not reached: {done.stderr[-2000:]}"


def killed_run_heals(lake: SmallLake, built: SmallLake, point: str) -> None:
    """Kill a run of a landed lake, look at what can be read, run again, compare."""
    kill("run", lake, point)
    for product in ALL:
        audited = built.rows(product)
        assert all(row in audited for row in lake.rows(product)), "invariant 1"
    lake.run()
    assert lake.hashes() == built.hashes()
    assert lake.ledger() == built.ledger()
    assert lake.run().idle


@pytest.mark.spark
@pytest.mark.slow
def test_a_run_killed_after_its_commit_heals(
    spark: SparkSession, built: SmallLake, lake: SmallLake
) -> None:
    """Invariant 3: killed between commit and ledger, nothing is doubled and nothing lost."""
    lake.forget("silver.order", "gold.order_day")
    killed_run_heals(lake, built, "committed")


@pytest.mark.spark
@pytest.mark.slow
def test_a_lost_jvm_is_transient_and_replaced(
    spark: SparkSession, built: SmallLake, tmp_path: Path
) -> None:
    """A batch whose JVM dies fails as transient; the same process goes on with a new JVM."""
    lake = SmallLake.at(tmp_path / "lake").deliver_days(D1, D2)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EXLAKE_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.engine.killed", "lose", str(lake.home)],
        env={**kept, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    failures = json.loads(done.stdout.splitlines()[-1])
    assert failures
    assert {code for _, code in failures} == {"spark-lost"}
    assert lake.hashes() == built.hashes()


@pytest.mark.spark
@pytest.mark.full
@pytest.mark.parametrize(
    "point",
    [
        "files-written:1", "files-written:4", "verdict:3", "dirty-rewritten",
        "quarantine-written", "committed:1", "committed:5", "before-ledger", "results-appended",
        "ledger-appended",
    ],
)  # fmt: skip
def test_a_run_killed_anywhere_heals(
    spark: SparkSession, built: SmallLake, tmp_path: Path, point: str
) -> None:
    """Invariants 1 and 3, at every point that changes what is on disk."""
    assert point.split(":")[0] in ENGINE_POINTS
    killed_run_heals(SmallLake.at(tmp_path / "lake").deliver_days(D1, D2), built, point)


@pytest.mark.parametrize("point", [*LANDING_POINTS, "delivery-appended:2"])
def test_a_landing_killed_anywhere_heals(tmp_path: Path, point: str) -> None:
    """Invariant 3: the same deliveries, each once, however the landing before it ended."""
    lakes = [SmallLake.at(tmp_path / name) for name in ("calm", "killed")]
    for lake in lakes:
        lake.drop("client", D1, CLIENTS[D1])
        lake.drop("settle", D1, settled(D1))
        lake.drop("order", D1, orders(D1))
    calm, killed = lakes
    calm.land()
    kill("land", killed, point)
    killed.land()
    for product in ("bronze.client", "bronze.settle", "bronze.order"):
        rows = [sorted(map(repr, lake.rows(product))) for lake in (calm, killed)]
        assert rows[0] == rows[1]
        assert rows[0], product
    ids = [sorted(d.delivery_id for d in x.lake.ledgers.read(DELIVERY)) for x in lakes]
    assert ids[0] == ids[1]
    assert killed.land() == []
