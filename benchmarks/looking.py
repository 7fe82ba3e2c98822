"""Measure the commands people wait for on a lake that is there, and the parsing of the DAGs.

``python -m benchmarks.looking --home LAKE [--turns 5]`` prints JSON and a table: medians of whole
commands, of the same in this process, and of Airflow reading all DAG files, beyond reading one that
imports what they import of Airflow and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.days import ROOT, table

COMMANDS = {"--help": ("--help",), "plan": ("plan", "--json"), "status": ("status", "--json")}
GOALS = {
    "exlake --help": 0.5, "exlake plan": 2.0, "exlake status": 2.0, "plan in process": 2.0,
    "status in process": 2.0, "all DAG files": 1.0,
}  # fmt: skip
BARE = """
from airflow.sdk import (
    DAG, Asset, AsyncCallback, CronPartitionTimetable, CronTriggerTimetable, DeadlineAlert,
    DeadlineReference, ExceptionRetryPolicy, Param, PartitionedAssetTimetable, RetryAction,
    RetryRule, get_current_context, task,
)
from airflow.sdk.exceptions import AirflowSkipException
with DAG("bare", schedule=None):
    @task
    def nothing() -> None: ...
    nothing()
"""
PARSE = """
import json, os, sys, time
from pathlib import Path
from exlake.orchestration.airflow_home import DAGS, environment
from pipelines.engine.settings import load_settings
os.environ.update(environment(load_settings()))
bare = sys.argv[1]
from airflow.dag_processing.dagbag import DagBag
spent = []
for folder in (bare, str(DAGS)):
    began = time.perf_counter()
    bag = DagBag(dag_folder=folder, bundle_path=Path(folder))
    spent.append(time.perf_counter() - began)
    assert bag.dags and not bag.import_errors, bag.import_errors
print(json.dumps([*spent, len(bag.dags)]))
"""
"""``exlake.orchestration.schedule`` is imported with the first of our files, and counted."""


def looked(home: Path, turns: int = 5) -> dict[str, float]:
    """Median seconds of each; whole commands first."""
    found = {
        f"exlake {name}": _median(turns, lambda a=arguments: _command(home, *a))
        for name, arguments in COMMANDS.items()
    }
    return found | _in_process(home, turns) | _parsing(home, turns)


def _command(home: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exlake.cli", *arguments],
        cwd=ROOT, env=os.environ | {"EXLAKE_HOME": str(home)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):  # 1: something is late, held or blocked
        raise SystemExit(done.stdout + done.stderr)


def _in_process(home: Path, turns: int) -> dict[str, float]:
    from catalog.status import status
    from pipelines.engine.lake import open_lake
    from pipelines.engine.settings import load_settings

    lake = open_lake(load_settings(home=home))
    status(lake.settings, lake.catalogue)
    return {
        "plan in process": _median(turns, lambda: lake.plan(lake.request())),
        "status in process": _median(turns, lambda: status(lake.settings, lake.catalogue)),
    }


def _parsing(home: Path, turns: int) -> dict[str, float]:
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare.py").write_text(BARE, encoding="utf-8")
        for _ in range(turns):
            done = subprocess.run(
                [sys.executable, "-c", PARSE, folder],
                cwd=ROOT, env=os.environ | {"EXLAKE_HOME": str(home)}, capture_output=True,
                text=True, check=True,
            )  # fmt: skip
            first, all_files, _ = json.loads(done.stdout.splitlines()[-1])
            bare.append(first)
            ours.append(all_files)
    return {
        "Airflow's own import": statistics.median(bare),
        "all DAG files": statistics.median(ours),
    }


def _median(turns: int, call: Callable[[], Any]) -> float:
    spent = []
    for _ in range(turns):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def shown(found: dict[str, float]) -> str:
    """The table of what was looked at, with the goals."""
    rows = [(name, spent, GOALS.get(name, "")) for name, spent in found.items()]
    return table(("", "seconds", "goal"), rows)


def main() -> None:
    """Look at one lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    found = looked(given.home.absolute(), given.turns)
    print(json.dumps({name: round(spent, 3) for name, spent in found.items()}, indent=2))
    print(shown(found))


if __name__ == "__main__":
    main()
