"""A process to be killed: ``python -m tests.pipelines.engine.killed land|run HOME``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pipelines.engine.small_lake import SmallLake


def main(what: str, home: str) -> None:
    """Land or run the small lake below ``home``."""
    lake = SmallLake.at(Path(home))
    if what == "land":
        lake.land()
    else:
        lake.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
