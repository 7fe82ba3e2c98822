"""Compare the governed path with bare Spark and Delta, DuckDB and dlt over the same CSV.

``python -m benchmarks.governed [--rows 1000000] [--repeat 3] [--dlt] [--markdown FILE]`` prints
JSON: the median of each way's wall seconds with and without the session's start, processor seconds
and peak memory of all its processes, and the ratio to bare Spark and Delta. Ways take turns, so
that other load meets all of them; making the CSV is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.governed.orders import make
from benchmarks.governed.paths import WAYS

ROOT = Path(__file__).resolve().parents[2]


def measured(command: list[str]) -> dict[str, Any]:
    """Run one way; add wall and processor seconds and peak memory of its process tree."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        cpu: dict[int, float] = {}
        peak = 0
        while child.poll() is None:
            resident = 0
            for process in _tree(child.pid):
                try:
                    times = process.cpu_times()
                    cpu[process.pid] = times.user + times.system
                    resident += process.memory_info().rss
                except psutil.Error:
                    continue
            peak = max(peak, resident)
            time.sleep(0.2)
        printed = child.stdout.read() if child.stdout else ""
    if child.returncode:
        return {"failed": child.returncode}
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    wall = time.perf_counter() - began
    work = sum(v for name, v in told["phases"].items() if name != "session")
    return told | {
        "wall": round(wall, 1), "work": round(work, 1),
        "cpu": round(sum(cpu.values()), 1), "peak_gib": round(peak / 2**30, 2),
    }  # fmt: skip


def _tree(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def dlt_python(folder: Path) -> Path:
    """An environment with dlt, made on first use."""
    python = folder / "bin" / "python"
    if not python.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([str(uv), "venv", "-q", str(folder)], check=True)
        install = ["pip", "install", "-q", "--python", str(python), "dlt[duckdb]", "pyarrow"]
        subprocess.run([str(uv), *install], check=True)
    return python


def compare(rows: int, repeat: int, *, dirty: bool, dlt: Path | None) -> dict[str, Any]:
    """Every way ``repeat`` times over the same file, in turns; medians and ratios to bare."""
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        inbox = Path(folder) / "inbox"
        csv = make(inbox, rows, dirty=dirty)
        for turn in range(repeat):
            for way in (*WAYS, *(["dlt"] if dlt else [])):
                home = Path(folder) / f"{way}-{turn}"
                if way == "dlt":
                    script = str(Path(__file__).with_name("dlt_way.py"))
                    command = [str(dlt), script, str(csv), str(home)]
                else:
                    command = [sys.executable, "-m", "benchmarks.governed.paths", way]
                    command += [str(inbox), str(home)]
                found.setdefault(way, []).append(measured(command))
                print(rows, "dirty" if dirty else "clean", way, found[way][-1], file=sys.stderr)
                shutil.rmtree(home, ignore_errors=True)
    ways = {way: _median(results) for way, results in found.items()}
    for way in ways.values():
        for measure in ("work", "cpu"):
            if measure in way:
                way[f"{measure}_to_bare"] = round(way[measure] / ways["bare"][measure], 2)
    return {"rows": rows, "dirty": dirty, "ways": ways}


def _median(results: list[dict[str, Any]]) -> dict[str, Any]:
    done = [r for r in results if "failed" not in r]
    if not done:
        return results[0]
    phases = {n: round(median(r["phases"][n] for r in done), 2) for n in done[0]["phases"]}
    measures = ("wall", "work", "cpu", "peak_gib")
    return {
        "rows": done[0]["rows"], "phases": phases,
        **{name: round(median(r[name] for r in done), 2) for name in measures},
    }  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    lines = [
        "| orders | way | rows out | s without session | to bare | CPU s | to bare | peak GiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        kind = f"{result['rows']:,} {'with 0.1 % dirty' if result['dirty'] else 'clean'}"
        for name, way in result["ways"].items():
            if "failed" in way:
                lines.append(f"| {kind} | {name} | refused the file | | | | | |")
                continue
            lines.append(
                f"| {kind} | {name} | {way['rows']:,} | {way['work']} | {way['work_to_bare']} "
                f"| {way['cpu']} | {way['cpu_to_bare']} | {way['peak_gib']} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Compare at one size, clean and dirty."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dlt", type=Path, help="folder for an environment with dlt")
    given = parser.parse_args()
    dlt = dlt_python(given.dlt) if given.dlt else None
    results = [compare(given.rows, given.repeat, dirty=d, dlt=dlt) for d in (False, True)]
    print(table(results), file=sys.stderr)
    print(json.dumps({"cores": os.cpu_count(), "results": results}, indent=2))


if __name__ == "__main__":
    main()
