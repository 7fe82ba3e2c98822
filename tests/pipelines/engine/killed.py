"""A process that is killed, or loses its JVM: ``python -m ...engine.killed WHAT HOME``.

WHAT is ``land``, ``run``, or ``lose``: run, kill the JVM at the first batch, run again.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from pipelines.engine.run import Event, run
from tests.pipelines.engine.small_lake import NOW, SmallLake


def main(what: str, home: str) -> None:
    """Land or run the small lake below ``home``."""
    lake = SmallLake.at(Path(home))
    if what == "land":
        lake.land()
    elif what == "run":
        lake.run()
    else:
        print(json.dumps(lose(lake)))


def lose(lake: SmallLake) -> list[list[str]]:
    """Run with a JVM that is killed once; return (product, error code) of what broke."""
    killed: list[int] = []

    def kill_once(event: Event) -> None:
        if event.kind != "begin" or killed:
            return
        from pyspark import SparkContext

        gateway = SparkContext._gateway
        assert gateway is not None
        killed.append(gateway.proc.pid)
        os.kill(killed[0], signal.SIGKILL)

    made = lake.lake
    summary = run(made.settings, lake=made, now=lambda: NOW, on_progress=kill_once)
    assert all(failure.transient for failure in summary.failures), summary.failures
    lake.run()
    return [[f.product, getattr(f.error, "code", repr(f.error))] for f in summary.failures]


if __name__ == "__main__":
    main(*sys.argv[1:])
