"""The same code on a Spark standalone cluster gives the same tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.engine.standalone_cluster import standalone_cluster

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


def built(master: str, home: Path) -> dict[str, Any]:
    """What the small lake holds when ``master`` built it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.engine.on_master", master, str(home)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_cluster_builds_what_one_process_builds(tmp_path: Path) -> None:
    """A master and two workers: the same verdicts and portable hashes, a correction included."""
    logs = tmp_path / "cluster"
    logs.mkdir()
    with standalone_cluster(logs) as url:
        on_cluster = built(url, tmp_path / "cluster-lake")
    executors = [p for p in logs.rglob("app-*/*") if p.is_dir()]
    assert len(executors) >= 2, "the workers ran no executor"
    assert on_cluster == built("local[2]", tmp_path / "local-lake")
    assert len(on_cluster["hashes"]) == 4
