"""Every benchmark, one after the other: ``make bench``; all sizes, ``make bench-full``."""

from __future__ import annotations

import argparse
import subprocess
import sys

SHORT: dict[str, tuple[str, ...]] = {
    "simulate": (),
    "spine": (),
    "small_day": (),
    "backfill": (),
    "growth": ("--days", "10"),
    "sentiment": (),
    "pages": (),
    "publishing": (),
    "maintenance": (),
    "surveillance": (),
    "ticks": (),
    "governed": (),
}
"""Benchmark -> what it is given when minutes are there, not hours."""
FULL = SHORT | {"growth": (), "governed": ("--rows", "10000000")}
"""The same with all sizes."""


def main() -> None:
    """Run each in a process of its own; the first that fails ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all sizes: hours")
    for name, arguments in (FULL if parser.parse_args().full else SHORT).items():
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=True)


if __name__ == "__main__":
    main()
