"""Measure what one more day costs after 5 stored days and after 60, with everything it does.

``python -m benchmarks.growth [--days 60] [--few 5] [--scale tiny] [--keep FOLDER]`` prints JSON and
tables. The simulated exchange delivers; each date is landed, and all products are run by backfill
(batches of up to twenty intervals) up to one date before each mark. Then a fresh process carries
out three dates as the DAGs do, one after the other: the first warms it, the median of the other two
counts. So the two measurements have equally warm processes. At the end the commands people wait for
are timed on the larger lake (``benchmarks.looking``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.days import (
    BATCH,
    PHASES,
    PUBLISHING,
    DayCost,
    carry_out,
    deliver,
    in_process,
    middle,
    note,
    table,
    trade_dates,
)
from benchmarks.looking import looked, shown

GOAL = 1.1
MEASURED = 3
"""Dates carried out at each mark: one that warms the process, two that count."""
CHUNK = 20
LOOK_BACK = 20
"""Trade dates before its own that a day brings up to date too, as the DAGs do."""


def fill(home: Path, first: int, last: int, scale: str) -> None:
    """Land dates ``first`` (from 0) to before ``last`` one by one; run them by backfill."""
    from pipelines.engine.lake import open_lake
    from pipelines.engine.settings import load_settings
    from pipelines.sources.landing import land

    settings = load_settings(home=home)
    lake = open_lake(settings)
    days = trade_dates(last)
    for begin in range(first, last, CHUNK):
        chunk = days[begin : min(begin + CHUNK, last)]
        for day in chunk:
            deliver(settings, [day], scale)
            land(settings, lake.catalogue)
        note(f"backfill {chunk[0]}..{chunk[-1]}")
        carry_out(settings, chunk[0], chunk[-1], publishing=True)
    print(json.dumps({"days": last}))


def measure(home: Path, first: int, scale: str) -> None:
    """Carry out dates ``first`` (from 0) and the two after it, one by one."""
    from pipelines.engine.settings import load_settings

    settings = load_settings(home=home)
    days = trade_dates(first + MEASURED)
    found = []
    for number in range(first, first + MEASURED):
        day = days[number]
        deliver(settings, [day], scale)
        cost = carry_out(settings, days[max(0, number - LOOK_BACK)], day)
        note(f"{day}: {cost.total:.1f} s, published {cost.published:.1f} s, {cost.states}")
        found.append(asdict(cost))
    print(json.dumps(found))


def compared(few: Sequence[DayCost], many: Sequence[DayCost]) -> dict[str, Any]:
    """Both marks beside each other: totals, phases, products; the days that count.

    Not every date brings something to every product (a dimension that does not change is not
    built), so a product's seconds are those of the dates that built it, and ``like for like`` is a
    day of the products that were built at both marks, and all that is not a batch.
    """

    def both(of: Any) -> dict[str, float]:
        before, after = (statistics.median(of(c) for c in costs) for costs in (few, many))
        return {"few": before, "many": after, "ratio": after / before if before else 0.0}

    before, after = middle(few), middle(many)
    products = {
        p: {"few": _built(few, p), "many": _built(many, p)}
        for p in sorted({p for c in (*few, *many) for p in c.products})
    }
    like = {m: sum(o[m] for o in products.values() if all(o.values())) for m in ("few", "many")}
    for mark, seconds in (("few", before), ("many", after)):
        like[mark] += sum(seconds[n] for n in PHASES if n not in BATCH)
    return {
        "like for like": like | {"ratio": like["many"] / like["few"]},
        "a day": both(lambda c: c.total),
        "with publishing": both(lambda c: c.published),
        "cpu of a day": both(lambda c: c.cpu),
        "intervals": both(lambda c: float(c.intervals)),
        "phases": {n: {"few": before[n], "many": after[n]} for n in (*PHASES, *PUBLISHING)},
        "layers": {
            layer: both(lambda c, at=layer: _layer(c.products, at)) for layer in ("silver", "gold")
        },
        "products": products,
    }


def _built(costs: Sequence[DayCost], product: str) -> float:
    """Median seconds of a product's batches on the dates that built it; 0 when none did."""
    return statistics.median(
        [_spent(c.products[product]) for c in costs if product in c.products] or [0.0]
    )


def _spent(of: Mapping[str, float]) -> float:
    return sum(of.get(phase, 0.0) for phase in BATCH)


def _layer(products: Mapping[str, Mapping[str, float]], layer: str) -> float:
    return sum(_spent(of) for name, of in products.items() if name.startswith(f"{layer}."))


def report(found: Mapping[str, Any], few: int, many: int) -> str:
    """The tables: totals, phases, and all products, the largest growth first."""
    heads = ("", f"after {few} days", f"after {many} days", "ratio")
    totals = [
        (name, found[name]["few"], found[name]["many"], found[name]["ratio"])
        for name in ("like for like", "a day", "with publishing", "cpu of a day", "intervals")
    ]
    totals += [(f"all of {n}", o["few"], o["many"], o["ratio"]) for n, o in found["layers"].items()]
    phases = [(n, o["few"], o["many"], o["many"] - o["few"]) for n, o in found["phases"].items()]
    ordered = sorted(found["products"].items(), key=lambda item: item[1]["few"] - item[1]["many"])
    products = [
        (n, o["few"], o["many"], o["many"] - o["few"] if all(o.values()) else "not in both")
        for n, o in ordered
    ]
    grows = (*heads[:3], "grows by")
    return "\n\n".join((table(heads, totals), table(grows, phases), table(grows, products)))


def main() -> None:
    """Fill, measure, fill, measure, look; each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=60, help="stored days at the second mark")
    parser.add_argument("--few", type=int, default=5, help="stored days at the first mark")
    parser.add_argument("--scale", default="tiny")
    parser.add_argument("--keep", type=Path, help="make the lake here, and leave it")
    parser.add_argument("--step", choices=("fill", "measure"), help=argparse.SUPPRESS)
    parser.add_argument("--range", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        home, (first, last) = Path(os.environ["EXLAKE_HOME"]), given.range
        if given.step == "fill":
            fill(home, first, last, given.scale)
        else:
            measure(home, first, given.scale)
        return
    if given.days - given.few < MEASURED:
        parser.error(f"--days must be at least {MEASURED} more than --few")
    home = (given.keep or Path(tempfile.mkdtemp())).absolute() / "lake"

    def step(name: str, first: int, last: int) -> Any:
        note(f"{name} {first}..{last}")
        span = ("--range", str(first), str(last))
        arguments = ("--step", name, *span, "--scale", given.scale)
        return in_process("benchmarks.growth", *arguments, home=home)

    try:
        costs: dict[int, list[DayCost]] = {}
        filled, seconds = 0, {}
        for mark in (given.few, given.days):
            spent, _ = step("fill", filled, mark - 1)
            seconds[f"filling to {mark - 1}"] = round(spent, 1)
            _, days = step("measure", mark - 1, mark - 1 + MEASURED)
            costs[mark] = [DayCost(**day) for day in days][1:]
            filled = mark - 1 + MEASURED
        found = compared(costs[given.few], costs[given.days])
        note("looking at the lake")
        looks = looked(home)
    finally:
        if given.keep is None:
            shutil.rmtree(home.parent, ignore_errors=True)
    result = {
        "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "scale": given.scale,
        "at": datetime.now(UTC).isoformat(timespec="minutes"), "goal": GOAL, "seconds": seconds,
        **_rounded(found), "looking": _rounded(looks),
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    print()
    print(report(found, given.few, given.days), shown(looks), sep="\n\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
