"""Measure ticks from the delivered file to published rows, and where the time goes.

``python -m benchmarks.ticks [--file ticks_YYYYMMDD.csv.gz] [--products silver.market_tick ...]``
prints JSON. Without a file a small day of the simulated exchange is recorded. Landing (checksum,
reading, one bronze append) and each product's batch are told in seconds of wall time, the batch
also by phase; processor seconds are those of Python and of the JVM, all threads, JVM start and
compilation included. With ``--again`` a second, forced run tells what a warm JVM takes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from contracts.load import load_catalogue
from pipelines.engine.run import RunSummary, run
from pipelines.engine.settings import load_settings
from pipelines.sources.landing import land

PRODUCTS = ("silver.market_tick",)


def recorded(folder: Path) -> Path:
    """A recording of the simulated exchange: the file beside its manifest."""
    from pipelines.simulation.world import simulate

    day = date(2026, 1, 5)
    simulate(folder / "world" / "inbox", [day], 20260105, "small")
    return (
        folder / "world" / "inbox" / "public" / f"{day:%Y%m%d}" / f"market_tick_{day:%Y%m%d}.csv.gz"
    )


def jvm_seconds() -> float:
    """Processor seconds of the session's JVM so far."""
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    jvm: Any = session._jvm if session is not None else None
    if jvm is None:
        return 0.0
    factory = jvm.java.lang.management.ManagementFactory
    process = jvm.java.lang.Class.forName("com.sun.management.OperatingSystemMXBean")
    nanos = process.getMethod("getProcessCpuTime", None).invoke(
        factory.getOperatingSystemMXBean(), None
    )
    return float(nanos) / 1e9


def told(summary: RunSummary, wall: float, python: float, jvm: float) -> dict[str, Any]:
    """A run's seconds, by product and phase."""
    return {
        "wall": round(wall, 1),
        "processor, python": round(python, 1),
        "processor, jvm": round(jvm, 1),
        "batches": {
            outcome.product: {
                "rows": sum(row.built or 0 for row in outcome.rows),
                **{phase: round(seconds, 1) for phase, seconds in outcome.seconds.items()},
            }
            for outcome in summary.outcomes
        },
    }


def main() -> None:
    """Land once, run once (twice with ``--again``), print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--products", nargs="+", default=PRODUCTS)
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = asked.file or recorded(Path(folder))
        settings = load_settings(home=Path(folder) / "lake")
        result: dict[str, Any] = {"cores": os.cpu_count(), "load before": os.getloadavg()[0]}
        wall, python = time.perf_counter(), time.process_time()
        deliveries = land(settings, load_catalogue(), from_path=file)
        result["landing"] = {
            "rows": sum(d.rows or 0 for d in deliveries),
            "wall": round(time.perf_counter() - wall, 1),
            "processor, python": round(time.process_time() - python, 1),
        }
        for name in ("run", "run again, warm")[: 1 + asked.again]:
            wall, python, jvm = time.perf_counter(), time.process_time(), jvm_seconds()
            summary = run(settings, products=asked.products, force=name != "run")
            result[name] = told(
                summary,
                time.perf_counter() - wall,
                time.process_time() - python,
                jvm_seconds() - jvm,
            )
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
