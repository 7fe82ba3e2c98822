"""What twenty small intervals of a backfill cost beside one: the aim is four times at most.

``python -m benchmarks.backfill [--turns 3] [--scale tiny]`` prints JSON and a table. The simulated
exchange delivers 21 dates, and everything that ``PRODUCTS`` are made from is run. Then ``PRODUCTS``
are built again by force, one date and twenty others in turns, in one process that has done each
once before; medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.days import deliver, note, table, trade_dates

PRODUCTS = ("silver.order_event", "silver.trade", "silver.login")
"""None of them reads its own past, so their intervals may share a batch."""
MANY = 20
GOAL = 4.0


def measure(home: Path, turns: int, scale: str) -> dict[str, Any]:
    """Seconds of one interval and of twenty, per turn, and their ratio."""
    from pipelines.engine.lake import open_lake
    from pipelines.engine.run import run
    from pipelines.engine.settings import load_settings
    from pipelines.sources.landing import land

    settings = load_settings(home=home)
    lake = open_lake(settings)
    days = trade_dates(MANY + 1)
    note("simulating, landing")
    deliver(settings, days, scale)
    land(settings, lake.catalogue)
    note("running what the products are made from")
    whole = (days[0], days[-1])
    needed = lake.graph.upstream(PRODUCTS) & set(lake.graph.built)
    run(settings, lake=lake, products={*needed, *PRODUCTS}, dates=whole)

    def forced(first: date, last: date, count: int) -> float:
        began = time.perf_counter()
        done = run(settings, lake=lake, products=PRODUCTS, dates=(first, last), force=True)
        spent = time.perf_counter() - began
        judged = len(done.verdicts)
        if judged != count * len(PRODUCTS):
            raise RuntimeError(f"{judged} intervals were judged, not {count * len(PRODUCTS)}")
        note(f"{count} intervals of {len(PRODUCTS)} products: {spent:.2f} s")
        return spent

    seconds: dict[int, list[float]] = {1: [], MANY: []}
    for _ in range(turns + 1):
        seconds[1].append(forced(days[0], days[0], 1))
        seconds[MANY].append(forced(days[1], days[-1], MANY))
    one, many = (statistics.median(seconds[n][1:]) for n in (1, MANY))
    return {"one": one, "many": many, "ratio": many / one, "seconds": seconds}


def main() -> None:
    """Measure in a lake of its own, print, remove it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--scale", default="tiny")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "lake", given.turns, given.scale)
    print(json.dumps({"cores": os.cpu_count(), "goal": GOAL, **found}, indent=2))
    heads = (f"{len(PRODUCTS)} products", "one interval, s", f"{MANY} intervals, s", "ratio")
    print(table(heads, [(given.scale, found["one"], found["many"], found["ratio"])]))


if __name__ == "__main__":
    main()
