"""`make up`: the scheduler itself carries trade dates from the first DAG to publish."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.full, pytest.mark.timeout(2100)]
ROOT = Path(__file__).resolve().parents[2]
DATES = ("2026-01-05", "2026-01-06")
CHAIN = (
    "reference", "trading_day", "external", "marts", "publish", "sentiment", "surveillance",
    "members",
)  # fmt: skip
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

    def exlake(self, *arguments: str) -> str:
        """Run a command; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "exlake.cli", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300,
            check=False,
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
    how = {"max_active_runs": 2, "reprocess_behavior": "none"}
    airflow.call("/api/v2/backfills", {"dag_id": "reference", **span, **how})
    began = time.monotonic()
    wanted = {(dag, day) for dag in CHAIN for day in DATES}
    states: dict[tuple[str, str], str] = {}
    while time.monotonic() - began < PATIENCE:
        states = {(dag, day): state for dag, day, state in airflow.runs()}
        if wanted <= {run for run, state in states.items() if state in ("success", "failed")}:
            break
        time.sleep(3)
    assert {run: states.get(run) for run in sorted(wanted)} == dict.fromkeys(
        sorted(wanted), "success"
    )
    ours = [dag for dag, day, _ in airflow.runs() if day in DATES]
    assert sorted(ours) == sorted(CHAIN * len(DATES)), "one run per DAG and date"
    with duckdb.connect(str(airflow.home / "publish" / "analyst.duckdb"), read_only=True) as mart:
        found = mart.execute(
            "SELECT DISTINCT trade_date::VARCHAR FROM gold.market_daily"
        ).fetchall()
    assert sorted(day for (day,) in found) == sorted(DATES)


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
