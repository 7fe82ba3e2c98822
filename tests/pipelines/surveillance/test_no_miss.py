"""A simulated market through the whole spine, against an independent counter."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from naive import count, findings

pytestmark = [pytest.mark.spark, pytest.mark.full, pytest.mark.timeout(5000)]
ROOT = Path(__file__).resolve().parents[3]
DAYS = (date(2026, 1, 5), date(2026, 1, 6))
"""The second has an alert."""
RULES = (
    "self_trade", "frequent_cancel", "large_cancel", "intraday_open", "large_trader",
    "programme_report",
)  # fmt: skip


def compare(home: Path, day: date) -> tuple[int, int]:
    """Assert that the published figures and alerts are the naive ones; how many there were."""
    from deltalake import DeltaTable

    def table(name: str) -> list[dict[str, object]]:
        rows = DeltaTable(str(home / "gold" / name)).to_pyarrow_table().to_pylist()
        return [row for row in rows if row["trade_date"] == day]

    def key(row: dict[str, object]) -> tuple[str, str, str]:
        rule = str(row["rule_id"]).split(".", 1)[1]
        return rule, str(row["subject_id"]), str(row["contract_id"])

    naive = count(home / "inbox", day)
    figures = {
        key(r): r["figure"] for r in table("surveillance_day") if r["figure"] and key(r)[0] in RULES
    }
    assert figures == naive
    alerts = {key(r) for r in table("surveillance_alert") if key(r)[0] in RULES}
    assert alerts == findings(home / "inbox", day, naive)
    return len(naive), len(alerts)


def test_no_miss_and_no_false_alarm(tmp_path: Path) -> None:
    """Promise: over simulated days every figure and every alert is that of the naive counter."""
    environment = os.environ | {
        "EXLAKE_HOME": str(tmp_path), "EXLAKE_MASTER": "local[2]", "EXLAKE_DRIVER_MEMORY": "1g",
        "EXLAKE_JVM_COMPILER": "quick",
    }  # fmt: skip
    steps = (
        ("simulate", "--dates", f"{DAYS[0]}..{DAYS[-1]}", "--scale", "small", "--seed", "7"),
        ("land",),
        ("run", "--dates", f"{DAYS[0]}..{DAYS[-1]}"),
    )
    for step in steps:
        subprocess.run(
            [sys.executable, "-m", "exlake.cli", *step],
            cwd=ROOT, env=environment, timeout=2400, check=False,
        )  # fmt: skip
    found = [compare(tmp_path, day) for day in DAYS]
    assert all(figures > 1000 for figures, _ in found)
    assert sum(alerts for _, alerts in found) > 0
