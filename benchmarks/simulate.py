"""Measure the simulator: seconds and memory a day, and how near its market is to real ones.

``python -m benchmarks.simulate [--scales small,medium,exchange] [--days 3] [--shared DIR]
[--plots DIR]``;
``--scales ""`` compares without measuring, ``--plots docs/images`` draws the page's plots again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.likeness import CANCEL_RATIO, Likeness, likeness
from pipelines.simulation.world import simulate

START = date(2026, 1, 5)
SEED = 7
MOST_DAYS = {"exchange": 2}
"""A date of the largest scale takes a minute and more: one without a night session, one with."""


@dataclass(frozen=True)
class Speed:
    """One scale on this machine; seconds are wall time of the mean and the slowest day;
    ``cpu_seconds`` is the mean of all threads' processor time, which other load does not change."""

    scale: str
    days: int
    events_a_day: int
    mean_seconds: float
    slowest_seconds: float
    cpu_seconds: float
    compressed_mb_a_day: float
    peak_gib: float


def speed(scale: str, days: int, home: Path) -> Speed:
    """Simulate ``days`` trade dates and time them (the first date of a process compiles)."""
    calendar = TradingCalendar.default()
    simulate(home / "warm" / "inbox", [START], SEED, "tiny")
    dates = calendar.between(START, calendar.next(START, days))[:days]
    before = process_time()
    done = simulate(home / scale / "inbox", dates, SEED, scale).days
    seconds = [day.seconds for day in done]
    return Speed(
        scale=scale,
        days=days,
        events_a_day=int(np.mean([day.order_events for day in done])),
        mean_seconds=round(float(np.mean(seconds)), 2),
        slowest_seconds=round(max(seconds), 2),
        cpu_seconds=round((process_time() - before) / days, 2),
        compressed_mb_a_day=round(float(np.mean([day.bytes for day in done])) / 1e6, 1),
        peak_gib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    )


def plot(item: Likeness) -> str:
    """Return an SVG of both cumulative distributions over a logarithmic axis."""
    width, height = 420, 220
    by = "" if "tick" in item.measure else " / mean"
    low, high = -4.0, 1.5

    def line(values: NDArray[np.float64], colour: str) -> str:
        at = np.linspace(low, high, 120)
        share = np.searchsorted(np.sort(values), 10.0**at, side="right") / len(values)
        points = " ".join(
            f"{40 + (x - low) / (high - low) * (width - 60):.1f},{height - 30 - y * 170:.1f}"
            for x, y in zip(at, share, strict=True)
        )
        return f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>'

    ticks = "".join(
        f'<text x="{40 + (e - low) / (high - low) * (width - 60):.0f}" y="{height - 12}" '
        f'font-size="10" text-anchor="middle" fill="#444">10^{e}</text>'
        for e in range(-4, 2)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="40" y="14" font-size="12" fill="#222">{item.measure}{by}: simulated (blue), '
        f"{item.against} (orange), distance {item.distance}</text>"
        f'<path d="M40 20V{height - 30}H{width - 20}" stroke="#888" fill="none"/>{ticks}'
        f"{line(item.simulated, '#1f77b4')}{line(item.real, '#ff7f0e')}</svg>\n"
    )


def main() -> None:
    """Measure each scale in a process of its own (peak memory is a process's), then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scales", default="small,medium,exchange")
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument(
        "--shared", type=Path, default=Path(os.environ.get("EXLAKE_SHARED", "../shared"))
    )
    parser.add_argument("--plots", type=Path)
    parser.add_argument("--one", action="store_true", help="measure the one scale in this process")
    chosen = parser.parse_args()
    if chosen.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asdict(speed(chosen.scales, chosen.days, Path(folder)))))
        return
    for scale in filter(None, chosen.scales.split(",")):
        days = min(chosen.days, MOST_DAYS.get(scale, chosen.days))
        command = [sys.executable, "-m", "benchmarks.simulate", "--one", "--scales", scale,
                   "--days", str(days)]  # fmt: skip
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    data = chosen.shared / "data"
    if not data.is_dir():
        print(f"no real data in {chosen.shared}: distributions not compared")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        simulate(home / "inbox", [START, date(2026, 1, 6)], SEED, "small")
        found, cancels = likeness(home, "20260106", data)
        for item in found:
            print(f"{item.measure}: distance {item.distance} (tolerance {item.tolerance}) "
                  f"to {item.against}")  # fmt: skip
            if chosen.plots:
                chosen.plots.mkdir(parents=True, exist_ok=True)
                name = f"simulation-{item.measure.replace(' ', '-')}.svg"
                (chosen.plots / name).write_text(plot(item), encoding="utf-8")
        print(f"client cancels per new order: {cancels} (range {CANCEL_RATIO})")


if __name__ == "__main__":
    main()
