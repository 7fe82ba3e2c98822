"""What the benchmarks of days share: deliver dates, carry one out, say where its time went."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.timer import Timer

if TYPE_CHECKING:
    from pipelines.engine.run import RunSummary
    from pipelines.engine.settings import Settings

FIRST = date(2026, 1, 5)
LAST = date(2026, 12, 31)
SEED = 7
ROOT = Path(__file__).resolve().parents[1]
BATCH = (
    "prepare", "job", "write", "audit", "keys", "expectations", "rewrite", "quarantine", "changes",
    "commit",
)  # fmt: skip
"""Phases of a batch, in order. ``job``: until its plan stands (inputs pinned, no rows read, unless
the job itself asks for some); ``write``: reading, computing, writing, and counting rules meanwhile.
``keys`` counts the rules that need more than a row, ``expectations`` is Great Expectations,
``audit`` the rest of judging."""
PHASES = (
    "land", "open", "state", "plan", "session", *BATCH, "between batches", "side by side",
    "ledgers", "incidents", "lineage", "report", "messages", "alerts", "rest of the run", "pages",
)  # fmt: skip
"""Every phase of a day, in order: each second is in one of them. Where two products are built at a
time, the phases of their batches overlap: ``side by side`` takes that off again (below zero)."""
PUBLISHING = ("publish", "copy of the files")
"""Publishing without the byte copy of the last files, and that copy, measured by itself."""


@dataclass(frozen=True)
class DayCost:
    """What one trade date took: wall seconds by phase, and of batches by product and phase.

    ``cpu`` are the processor seconds of this process and its JVM, publishing left out; ``states``
    counts intervals by what became of them.
    """

    day: str
    seconds: dict[str, float]
    products: dict[str, dict[str, float]]
    intervals: int
    states: dict[str, int]
    cpu: float

    @property
    def total(self) -> float:
        """Seconds of everything but publishing."""
        return sum(self.seconds[name] for name in PHASES)

    @property
    def published(self) -> float:
        """Seconds with publishing."""
        return sum(self.seconds.values())


def trade_dates(count: int) -> tuple[date, ...]:
    """The first trade dates of the simulated exchange."""
    return tuple(TradingCalendar.default().between(FIRST, LAST)[:count])


def deliver(settings: Settings, days: Iterable[date], scale: str, dirty: str | None = None) -> None:
    """Let the simulated exchange deliver these dates (they follow what it delivered before)."""
    from pipelines.simulation.world import simulate

    simulate(settings.inbox, list(days), SEED, scale, dirty=dirty)


def carry_out(settings: Settings, since: date, day: date, *, publishing: bool = True) -> DayCost:
    """Land what lies in the inbox, run all products over the dates, publish: as the DAGs do.

    Raises what broke. The session of this process is used, or started (phase ``session``).
    """
    from catalog.publish import publish
    from exlake.orchestration.flows import carry_on, raise_broken
    from exlake.reporting import refresh_pages
    from pipelines.engine.lake import open_lake
    from pipelines.sources.landing import land

    timer, began = Timer(), _cpu()
    with timer.phase("open"):
        lake = open_lake(settings)
    with timer.phase("land"):
        landed = land(settings, lake.catalogue)
    summary = carry_on(lake, command=f"benchmark {day}", say=note, timer=timer, dates=(since, day))
    raise_broken(summary)
    with timer.phase("pages"):
        refresh_pages(lake)
    cpu = _cpu() - began
    seconds = timer.seconds
    if publishing:
        seconds["copy of the files"] = _copied(settings)
        with timer.phase("publish"):
            publish(settings, lake.catalogue)
        seconds["publish"] = max(0.0, seconds["publish"] - seconds["copy of the files"])
    return _cost(day, seconds, summary, cpu, sum(d.status == "refused" for d in landed))


def _cost(
    day: date, seconds: dict[str, float], summary: RunSummary, cpu: float, refused: int
) -> DayCost:
    products: dict[str, dict[str, float]] = {}
    states: dict[str, int] = {}
    for outcome in summary.outcomes:
        of = products.setdefault(outcome.product, {})
        for phase, spent in outcome.seconds.items():
            of[phase] = of.get(phase, 0.0) + spent
        of["intervals"] = of.get("intervals", 0) + len(outcome.rows)
        for row in outcome.rows:
            states[row.state] = states.get(row.state, 0) + 1
    inner = {n: s for n, s in summary.seconds.items() if n != "products"}
    batches = {p: sum(of.get(p, 0.0) for of in products.values()) for p in BATCH}
    # All that happens while products take their turns and is in no batch: planning again, locks.
    between = summary.seconds.get("products", 0.0) - sum(batches.values())
    found = {**seconds, **inner, **batches}
    found |= {"between batches": max(0.0, between), "side by side": min(0.0, between)}
    found["rest of the run"] = found.pop("run") - sum(summary.seconds.values())
    return DayCost(
        day.isoformat(),
        {name: found.get(name, 0.0) for name in (*PHASES, *PUBLISHING)},
        products,
        sum(len(outcome.rows) for outcome in summary.outcomes),
        {**states, "held": len(summary.held), "refused deliveries": refused},
        cpu,
    )


def _copied(settings: Settings) -> float:
    """Seconds of copying every published file's bytes alone, as publishing does it."""
    from catalog.copying import copy_file

    copy = settings.home / "copy"
    began = time.perf_counter()
    for file in sorted(settings.publish.glob("*.duckdb")):
        copy_file(file, copy)
    spent = time.perf_counter() - began
    copy.unlink(missing_ok=True)
    return spent


def _cpu() -> float:
    """Processor seconds of this process, of its children that ended, and of its JVM (Linux)."""
    used = os.times()
    mine = used.user + used.system + used.children_user + used.children_system
    context = sys.modules.get("pyspark.core.context")
    gateway = context.SparkContext._gateway if context is not None else None
    process = getattr(gateway, "proc", None)
    stat = Path(f"/proc/{process.pid}/stat") if process is not None else None
    if stat is None or not stat.exists():
        return mine
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return mine + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def note(line: str) -> None:
    """A line of progress, on standard error: standard output is for results."""
    print(f"  {time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def in_process(module: str, *arguments: str, home: Path, **environment: str) -> tuple[float, Any]:
    """Run a step of a benchmark in a process of its own; its wall seconds and last line's JSON."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT, env=os.environ | environment | {"EXLAKE_HOME": str(home)},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return time.perf_counter() - began, json.loads(done.stdout.splitlines()[-1])


def printed(cost: DayCost) -> None:
    """Hand a day's cost to the process that asked for it."""
    print(json.dumps(asdict(cost)), flush=True)


def middle(costs: Sequence[DayCost]) -> dict[str, float]:
    """Median seconds of each phase over several days."""
    return {name: statistics.median(c.seconds[name] for c in costs) for name in costs[0].seconds}


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers to the right, two decimals."""
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
