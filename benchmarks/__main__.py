"""Every benchmark, one after the other: ``make bench``."""

from __future__ import annotations

import subprocess
import sys

for name in (
    "simulate",
    "spine",
    "sentiment",
    "pages",
    "publishing",
    "maintenance",
    "surveillance",
    "ticks",
    "governed",
):
    print(f"== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
