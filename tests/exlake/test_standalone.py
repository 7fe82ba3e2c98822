"""`make up`: the scheduler itself carries trade dates from the first DAG to publish."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.hashes import product_hash
from contracts.catalogue import load_catalogue
from pipelines.engine.locks import holder_of, lock_path
from pipelines.engine.settings import load_settings

pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.full, pytest.mark.timeout(2100)]
ROOT = Path(__file__).resolve().parents[2]
DATES = ("2026-01-05", "2026-01-06")
CHAIN = (
    "reference", "trading_day", "external", "marts", "publish", "sentiment", "surveillance",
    "members",
)  # fmt: skip
KILLED_DAY = "2026-01-07"
KILLS = 2
HOW = {"max_active_runs": 2, "reprocess_behavior": "none"}
PATIENCE = 1800.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Airflow:
    """One Airflow of our own, spoken to over its API."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.home = home
        self.environment = os.environ | {
            "EXLAKE_HOME": str(home), "EXLAKE_AIRFLOW_PORT": str(self.port),
            "EXLAKE_MASTER": "local[2]", "EXLAKE_DRIVER_MEMORY": "1g",
        }  # fmt: skip
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def exlake(self, *arguments: str, home: Path | None = None, seconds: float = 300) -> str:
        """Run a command, in this lake or another; it must succeed."""
        environment = self.environment | ({"EXLAKE_HOME": str(home)} if home else {})
        done = subprocess.run(
            [sys.executable, "-m", "exlake.cli", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the API, as the page would: no password is needed on this machine."""
        base = f"http://127.0.0.1:{self.port}"
        with self.opener.open(f"{base}/auth/token", timeout=30) as answer:
            token = json.load(answer)["access_token"]
        request = urllib.request.Request(
            base + path,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            data=json.dumps(body).encode() if body else None,
        )
        with self.opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def runs(self) -> list[tuple[str, str, str]]:
        """(dag, partition key, state) of every run; today's own schedule makes some, too."""
        runs = self.call("/api/v2/dags/~/dagRuns?limit=100")["dag_runs"]
        return [(r["dag_id"], r["partition_key"], r["state"]) for r in runs]

    def ended(self, days: Iterable[str]) -> dict[tuple[str, str], str | None]:
        """(dag, date) -> state, once every DAG of the chain has ended for these dates."""
        wanted = sorted((dag, day) for dag in CHAIN for day in days)
        states: dict[tuple[str, str], str] = {}
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            states = {(dag, day): state for dag, day, state in self.runs()}
            if all(states.get(run) in ("success", "failed") for run in wanted):
                break
            time.sleep(3)
        return {run: states.get(run) for run in wanted}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow as `make up` starts it, over two simulated dates; stopped as `make down` does."""
    if not list((ROOT / ".jars").glob("*.jar")):
        pytest.skip("no Delta jars in .jars: run `make setup`")
    made = Airflow(tmp_path_factory.mktemp("standalone") / "lake")
    made.exlake("simulate", "--dates", f"{DATES[0]}..{DATES[-1]}", "--scale", "tiny")
    said = made.exlake("up")
    assert f"http://127.0.0.1:{made.port}" in said
    yield made
    made.exlake("down")


def test_it_listens_on_this_machine_only(airflow: Airflow) -> None:
    """Nothing of Airflow listens on any address but 127.0.0.1."""
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout
    ours = [line.split()[3] for line in listening.splitlines() if "airflow" in line]
    assert all(address.startswith("127.0.0.1:") for address in ours), ours


def test_the_scheduler_carries_two_dates_from_the_first_dag_to_publish(airflow: Airflow) -> None:
    """Airflow's own backfill of the first DAG makes one run per DAG and date, to the end."""
    import duckdb

    span = {"from_date": f"{DATES[0]}T00:00:00Z", "to_date": "2026-01-07T00:00:00Z"}
    airflow.call("/api/v2/backfills", {"dag_id": "reference", **span, **HOW})
    assert airflow.ended(DATES) == {(dag, d): "success" for dag in CHAIN for d in DATES}
    ours = [dag for dag, day, _ in airflow.runs() if day in DATES]
    assert sorted(ours) == sorted(CHAIN * len(DATES)), "one run per DAG and date"
    with duckdb.connect(str(airflow.home / "publish" / "analyst.duckdb"), read_only=True) as mart:
        found = mart.execute(
            "SELECT DISTINCT trade_date::VARCHAR FROM gold.market_daily"
        ).fetchall()
    assert sorted(day for (day,) in found) == sorted(DATES)


def commits(home: Path) -> int:
    """How many commits the built tables of a lake have."""
    return sum(1 for layer in ("silver", "gold") for _ in home.glob(f"{layer}/*/_delta_log/*.json"))


def kill_builders(home: Path, killed: list[int], done: threading.Event) -> None:
    """SIGKILL whoever builds in this lake, after the first commit of its run; ``KILLS`` times."""
    lock = lock_path(load_settings(environ={}, home=home).locks, "run")
    building, before = None, 0
    while len(killed) < KILLS and not done.wait(0.05):
        holder = holder_of(lock)
        if holder is None or holder in killed:
            continue
        if holder != building:
            building, before = holder, commits(home)
        elif commits(home) > before:
            os.kill(holder, signal.SIGKILL)
            killed.append(holder)


def hashes(home: Path) -> dict[str, str]:
    """Portable hash of every built product."""
    settings, catalogue = load_settings(environ={}, home=home), load_catalogue()
    found = (p for p, c in catalogue.contracts.items() if c.layer != "bronze")
    return {
        p: product_hash(settings, catalogue, p).hash
        for p in found
        if settings.table(p).version() >= 0
    }


def test_tasks_that_are_killed_are_tried_again_and_end_as_undisturbed(
    airflow: Airflow, tmp_path: Path
) -> None:
    """Invariant 3 through Airflow: processes killed while they build lose and double nothing."""
    airflow.exlake("simulate", "--dates", KILLED_DAY, "--scale", "tiny")
    killed: list[int] = []
    done = threading.Event()
    killer = threading.Thread(target=kill_builders, args=(airflow.home, killed, done), daemon=True)
    killer.start()
    try:
        span = {"from_date": f"{KILLED_DAY}T00:00:00Z", "to_date": "2026-01-08T00:00:00Z"}
        airflow.call("/api/v2/backfills", {"dag_id": "reference", **span, **HOW})
        assert airflow.ended([KILLED_DAY]) == {(dag, KILLED_DAY): "success" for dag in CHAIN}
    finally:
        done.set()
        killer.join()
    assert len(killed) == KILLS
    tries = airflow.call("/api/v2/dags/~/dagRuns/~/taskInstances?limit=1000")["task_instances"]
    assert sum(t["try_number"] - 1 for t in tries if t["state"] == "success") >= KILLS
    alone = tmp_path / "lake"
    for day in (*DATES, KILLED_DAY):
        airflow.exlake("simulate", "--dates", day, "--scale", "tiny", home=alone)
        airflow.exlake("land", home=alone)
    airflow.exlake("run", home=alone, seconds=PATIENCE)
    assert hashes(airflow.home) == hashes(alone)


def test_up_again_is_told_and_down_stops_only_its_own(airflow: Airflow) -> None:
    """A second `up` starts nothing; `down` leaves other programs alone and no process behind."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert "running already" in airflow.exlake("up")
        assert "stopped" in airflow.exlake("down")
        assert bystander.poll() is None
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", airflow.port)) != 0
        assert "was not running" in airflow.exlake("down")
    finally:
        bystander.kill()
        bystander.wait()
