"""Measure the spine: the demonstration, doing it again, and the commands people wait for.

``python -m benchmarks.spine [--scale small]`` prints JSON: seconds of wall time per step, and per
DAG and trade date. Each step runs as a person runs it, in a process and a lake of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOOKING = {
    "help": ("--help",),
    "status": ("status", "--json"),
    "plan": ("plan", "--json"),
    "sql": ("sql", "SELECT count(*) FROM gold.client_day", "--json"),
    "hash silver.order_event": ("hash", "silver.order_event", "--json"),
}
DAG_LINE = re.compile(r"^(\d{4}-\d\d-\d\d) DAG (\w+)$")
END_LINE = re.compile(r"^  (?:ok|red) .*?([\d.]+) s\)?$")


def timed(home: Path, *arguments: str) -> tuple[float, str]:
    """Wall seconds and printed text of one command."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "exlake.cli", *arguments],
        cwd=ROOT,
        env=os.environ | {"EXLAKE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - began, done.stdout


def dag_seconds(printed: str) -> dict[str, float]:
    """Seconds of each DAG run, from the demonstration's own progress."""
    found: dict[str, float] = {}
    current = ""
    for line in printed.splitlines():
        if begin := DAG_LINE.match(line):
            current = f"{begin[2]} {begin[1]}"
        elif (end := END_LINE.match(line)) and current:
            found[current] = float(end[1])
    return found


def main() -> None:
    """Run every step once and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="small")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "lake"
        first, printed = timed(home, "demo", "--scale", scale)
        again, _ = timed(home, "demo", "--scale", scale)
        looking = {name: timed(home, *arguments)[0] for name, arguments in LOOKING.items()}
    result = {
        "cores": os.cpu_count(),
        "scale": scale,
        "demo": round(first, 1),
        "demo again": round(again, 1),
        "commands": {name: round(seconds, 2) for name, seconds in looking.items()},
        "dags": dag_seconds(printed),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
