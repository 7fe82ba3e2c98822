"""Measure one small day end to end: all products, in one process, from an empty lake.

``python -m benchmarks.small_day [--scale small]`` prints JSON and tables: where each second of the
first date goes (a fresh process, a fresh lake) and of the next one (warm, and the demo's dirty
deliveries with it), the ten dearest products, the session's start, and what Great Expectations
takes of the audit and what bundling its expectations does (``benchmarks.bundling``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bundling import HEADS as BUNDLING
from benchmarks.days import (
    BATCH,
    PHASES,
    PUBLISHING,
    DayCost,
    carry_out,
    deliver,
    in_process,
    note,
    table,
    trade_dates,
)

GOAL = 90.0
DAYS = 2
DEAREST = 10
STARTS = 3


def two_days(home: Path) -> None:
    """Carry out the dates that lie in the inboxes, one by one; when the first one was done."""
    from pipelines.engine.settings import load_settings

    settings = load_settings(home=home)
    days = trade_dates(DAYS)
    found = []
    for day in days:
        # Delivered beforehand, so that simulating is not in this process.
        shutil.copytree(home.parent / str(day), settings.inbox, dirs_exist_ok=True)
        began = time.time()
        cost = carry_out(settings, days[0], day)
        note(f"{day}: {cost.total:.1f} s, published {cost.published:.1f} s, {cost.states}")
        found.append({"began": began, "ended": time.time(), "cost": asdict(cost)})
    print(json.dumps(found))


def start_session(home: Path) -> None:
    """Start a session as a small run does, and say what it took until it answered.

    ``archive``: whether the JVM maps the class-data archive that set-up trains.
    """
    from pipelines.engine.jvm import archive_of
    from pipelines.engine.session import class_path_of, spark_session
    from pipelines.engine.settings import load_settings

    settings = load_settings(home=home)
    began = time.perf_counter()
    spark = spark_session(settings, rows=0)
    started = time.perf_counter() - began
    spark.sql("SELECT 1").collect()
    answered = time.perf_counter() - began
    archive = archive_of(settings.jars, class_path_of(settings))
    there = archive is not None and archive.exists()
    print(json.dumps({"started": started, "answered": answered, "archive": there}))


def session_starts(home: Path) -> dict[str, dict[str, float]]:
    """Medians with the class-data archive (left out where set-up made none) and without it.

    An archive fits one class path: the same jars in another folder have none. They take turns.
    """
    from pipelines.engine.settings import load_settings

    ours, elsewhere = load_settings().jars, home.parent / "jars"
    elsewhere.mkdir()
    for jar in ours.glob("*.jar"):
        (elsewhere / jar.name).symlink_to(jar.resolve())
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(STARTS):
        for folder in (ours, elsewhere):
            _, told = in_process(
                "benchmarks.small_day", "--step", "session", home=home, EXLAKE_JARS_DIR=str(folder)
            )
            name = "with class-data archive" if told.pop("archive") else "without"
            found.setdefault(name, []).append(told)
    return {
        name: {what: statistics.median(s[what] for s in starts) for what in starts[0]}
        for name, starts in found.items()
    }


def made(home: Path, scale: str) -> None:
    """Simulate the dates, each into a folder of its own."""
    from pipelines.engine.settings import load_settings

    elsewhere = load_settings(home=home.parent / "world")
    for day in trade_dates(DAYS):
        deliver(elsewhere, [day], scale, dirty="demo")
        elsewhere.inbox.rename(home.parent / str(day))


def measured(scale: str) -> dict[str, Any]:
    """Everything, in processes of their own over one lake."""
    folder = Path(tempfile.mkdtemp())
    home = folder / "lake"
    try:
        note(f"simulating {DAYS} dates of scale {scale}")
        made(home, scale)
        began = time.time()
        _, days = in_process("benchmarks.small_day", "--step", "days", home=home)
        first, second = (DayCost(**day["cost"]) for day in days)
        bundles = in_process("benchmarks.bundling", "--home", str(home), home=home)[1]
        return {
            "end to end": days[0]["ended"] - began,
            "before the first step": days[0]["began"] - began,
            "first": asdict(first),
            "second": asdict(second),
            "session": session_starts(home),
            "bundling": bundles,
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report(found: dict[str, Any]) -> str:
    """The tables."""
    first, second = DayCost(**found["first"]), DayCost(**found["second"])
    rows: list[tuple[object, ...]] = [("interpreter", found["before the first step"], "")]
    rows += [(n, first.seconds[n], second.seconds[n]) for n in (*PHASES, *PUBLISHING)]
    rows.append(("**all**", found["end to end"], second.published))
    order = sorted(first.products, key=lambda p: -_spent(first, p))
    dearest = [
        (p, _spent(first, p), *(first.products[p].get(phase, 0.0) for phase in BATCH),
         _spent(second, p))
        for p in order[:DEAREST]
    ]  # fmt: skip
    dearest.append(
        (f"the other {len(order) - DEAREST}",
         *(sum(values) for values in zip(*(
             (_spent(first, p), *(first.products[p].get(phase, 0.0) for phase in BATCH),
              _spent(second, p)) for p in order[DEAREST:]), strict=True)))
    )  # fmt: skip
    sessions = [(name, *starts.values()) for name, starts in found["session"].items()]
    return "\n\n".join(
        (
            table(("phase", "first date", "next date"), rows),
            table(("product", "first date", *BATCH, "next date"), dearest),
            table(("session", "started", "first answer"), sessions),
            table(BUNDLING, [list(row.values()) for row in found["bundling"]]),
        )
    )


def _spent(cost: DayCost, product: str) -> float:
    return sum(cost.products.get(product, {}).get(phase, 0.0) for phase in BATCH)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="small")
    parser.add_argument("--step", choices=("days", "session"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step = two_days if given.step == "days" else start_session
        step(Path(os.environ["EXLAKE_HOME"]))
        return
    found = measured(given.scale)
    audit = {
        name: cost["seconds"]["expectations"]
        / sum(cost["seconds"][phase] for phase in ("expectations", "audit", "keys"))
        for name, cost in (("first", found["first"]), ("second", found["second"]))
    }
    result = {
        "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "scale": given.scale,
        "at": datetime.now(UTC).isoformat(timespec="minutes"), "goal": GOAL,
        "share of Great Expectations in the audit": audit, **found,
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    print()
    print(report(found))


if __name__ == "__main__":
    main()
