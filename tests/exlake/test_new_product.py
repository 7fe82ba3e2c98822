"""A product in ten minutes: an unknown CSV from `exlake new` to DuckDB, without touching a DAG."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("contracts", "quality", "pipelines", "catalog", "exlake", "dags", "setup")
STATES = ("OPEN", "CLOSED", "LIMITED")
DRAFTS = (
    "contracts/bronze/fog_report.yaml",
    "contracts/silver/fog_report.yaml",
    "contracts/standards/fields/fog_report.yaml",
)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house to build in, with an unknown source's file beside it."""
    if not list((ROOT / ".jars").glob("*.jar")):
        pytest.skip("no Delta jars in .jars: run `make setup`")
    for room in ROOMS:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, tmp_path / "house" / room, ignore=ignore)
    (tmp_path / "house" / ".jars").symlink_to(ROOT / ".jars")
    lines = [f"20260105,B{n:03d},{n * 37},{n / 10:.1f},{STATES[n % 3]}" for n in range(1, 41)]
    header = "trade_date,buoy_id,visibility_m,wind_speed,harbour_state"
    (tmp_path / "fog_20260105.csv").write_text("\n".join([header, *lines]) + "\n")
    return tmp_path / "house"


def test_an_unknown_file_reaches_duckdb_by_one_contract_and_one_function(
    house: Path, tmp_path: Path
) -> None:
    """new, decide the TODOs, lint, land, backfill, publish, ask: no DAG is edited on the way."""
    lake = tmp_path / "lake"
    environment = os.environ | {
        "PYTHONPATH": str(house), "EXLAKE_HOME": str(lake), "EXLAKE_MASTER": "local[2]",
        "EXLAKE_DRIVER_MEMORY": "1g",
    }  # fmt: skip

    def findings() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "exlake.cli", "contracts", "lint", "--json"],
            cwd=house, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return [f["message"] for f in json.loads(done.stdout) if "fog_report" in f["file"]]

    def exlake(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "exlake.cli", *arguments],
            cwd=house, env=environment, capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    dags = {p.name: p.read_bytes() for p in (house / "dags").glob("*.py")}
    sample = tmp_path / "fog_20260105.csv"
    written = json.loads(exlake("new", "silver.fog_report", "--from", str(sample), "--json"))
    assert set(DRAFTS) <= set(written)
    assert "pipelines/external/fog_report.py" in written
    assert findings(), "a draft with TODO marks does not pass"
    for draft in DRAFTS:
        text = (house / draft).read_text(encoding="utf-8")
        text = re.sub(r'"TODO[^"]*"', '"Fog as a buoy sees it."', text)
        (house / draft).write_text(re.sub(r"\bTODO\b", "雾情", text), encoding="utf-8")
    assert findings() == []
    exlake("contracts", "compile")

    inbox = lake / "inbox" / "fog_report" / "20260105"
    inbox.mkdir(parents=True)
    shutil.copy(sample, inbox)
    [delivery] = json.loads(exlake("land", "fog_report", "--json"))
    assert (delivery["status"], delivery["rows"]) == ("landed", 40)
    [built] = json.loads(
        exlake("backfill", "silver.fog_report", "--dates", "2026-01-05", "--yes", "--json")
    )
    assert (built["state"], built["accepted"]) == ("published", 40)
    exlake("publish", "--json")
    query = "SELECT harbour_state, count(*) AS n FROM silver.fog_report GROUP BY ALL ORDER BY 1"
    rows = json.loads(exlake("sql", query, "--json"))["rows"]
    assert rows == [
        {"harbour_state": "CLOSED", "n": 14},
        {"harbour_state": "LIMITED", "n": 13},
        {"harbour_state": "OPEN", "n": 13},
    ]
    assert {p.name: p.read_bytes() for p in (house / "dags").glob("*.py")} == dags
