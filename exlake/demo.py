"""`make demo`: the simulated exchange's deliveries through the real DAGs, and what came out."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import TerminalError
from exlake import stage
from exlake.reporting import refresh_pages
from exlake.summary import show, summarise

if TYPE_CHECKING:
    from rich.console import Console

    from exlake.orchestration.driver import DagOutcome
    from pipelines.engine.run import Lake
    from pipelines.engine.settings import Settings

DATES = (date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7))
DIRTY = "demo"
"""A small fixed set of dirty deliveries, so that the gate has something to find."""


class OtherDemoError(TerminalError):
    """Raised when the lake holds a demonstration of another seed or scale."""

    code = "other-demo"

    def __init__(self, home: Path, scale: str, seed: int) -> None:
        super().__init__(
            f"{home} holds a demonstration of scale {scale}, seed {seed}.",
            next_step="use those, or set EXLAKE_HOME to another folder.",
        )


@dataclass
class Progress:
    """What of the demonstration is done: kept in the lake, so that a killed one goes on."""

    seed: int
    scale: str
    simulated: list[str] = field(default_factory=list)
    driven: list[tuple[str, str]] = field(default_factory=list)


def run_demo(scale: str, seed: int) -> None:
    """Simulate, drive the DAGs, publish, and show the outcome; only what is not done yet."""
    from exlake.lake import open_lake

    began = time.monotonic()
    lake = open_lake()
    os.environ["EXLAKE_HOME"] = str(lake.settings.home)
    # A few small days: compiling less is quicker than compiling well.
    os.environ.setdefault("EXLAKE_JVM_COMPILER", "quick")
    console = stage.terminal()
    done = _load(lake.settings, seed, scale)
    if runs := pending(lake, done):
        console.print(
            f"The simulated exchange ({scale}, seed {seed}) delivers {len(DATES)} trade dates; "
            f"Airflow drives the DAGs over them, in this process.\n",
            highlight=False,
        )

        def note(outcome: DagOutcome) -> None:
            run = (outcome.dag_id, outcome.trade_date)
            if outcome.carried_out and run not in done.driven:
                done.driven.append(run)
                _save(lake.settings, done)

        stage.perform(lake.settings, _delivering(lake.settings, done, runs, console), console, note)
    else:
        console.print(
            "Nothing is new: nothing to land, nothing stale. No DAG was run and no JVM started.",
            highlight=False,
        )
    refresh_pages(lake)
    show(summarise(lake), console)
    console.print(f"\ndone in {time.monotonic() - began:.0f} s", highlight=False)


def pending(lake: Lake, done: Progress) -> list[tuple[str, str]]:
    """DAG runs still to be driven: those never done, or all when anything is new or stale."""
    from exlake.inbox import unlanded

    every = [(dag_id, day.isoformat()) for day in DATES for dag_id in stage.CHAIN]
    missing = [run for run in every if run not in done.driven]
    if missing:
        return missing
    fresh = lake.plan(lake.request()).idle
    return [] if fresh and not unlanded(lake.settings, lake.catalogue) else every


def _delivering(
    settings: Settings, done: Progress, runs: list[tuple[str, str]], console: Console
) -> Iterator[tuple[str, str]]:
    """The runs in order; each date's deliveries are simulated just before its first DAG."""
    from pipelines.simulation.world import simulate

    for dag_id, day in runs:
        if day not in done.simulated:
            console.print(f"[bold]{day}[/] the exchange delivers its files", highlight=False)
            [made] = simulate(
                settings.inbox, [date.fromisoformat(day)], done.seed, done.scale, dirty=DIRTY
            ).days
            console.print(
                f"  {made.order_events:,} order events, {made.trades:,} trades, {made.files} files "
                f"in {made.seconds:.1f} s",
                style="dim",
                highlight=False,
            )
            done.simulated.append(day)
            _save(settings, done)
        yield dag_id, day


def _file(settings: Settings) -> Path:
    return settings.home / "demo.json"


def _load(settings: Settings, seed: int, scale: str) -> Progress:
    if not _file(settings).exists():
        return Progress(seed, scale)
    body = json.loads(_file(settings).read_text(encoding="utf-8"))
    if (body["seed"], body["scale"]) != (seed, scale):
        raise OtherDemoError(settings.home, body["scale"], body["seed"])
    return Progress(seed, scale, body["simulated"], [tuple(run) for run in body["driven"]])


def _save(settings: Settings, done: Progress) -> None:
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = _file(settings).with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(done)), encoding="utf-8")
    draft.replace(_file(settings))
