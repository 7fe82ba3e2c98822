"""The stage of a demonstration: progress on the terminal while Airflow drives the DAGs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from exlake.orchestration.driver import DagOutcome, drive

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.engine.settings import Settings

CHAIN = (
    "reference", "trading_day", "external", "marts", "publish", "sentiment", "surveillance",
    "members",
)  # fmt: skip
"""The DAGs in the order in which the scheduler would start them for one trade date."""


class _Lines(logging.Handler):
    """Prints progress lines of the flows, indented, with the seconds since the beginning."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self.console = console
        self.began = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        spent = time.monotonic() - self.began
        self.console.print(
            f"  {spent:5.0f}s  {record.getMessage()}", style="dim", markup=False, highlight=False
        )


def terminal() -> Console:
    """A console on a copy of standard output: that descriptor is lent to Airflow's logs."""
    from rich.console import Console

    return Console(file=os.fdopen(os.dup(1), "w"), width=None if os.isatty(1) else 160)


def perform(
    settings: Settings,
    runs: Iterable[tuple[str, str]],
    console: Console,
    note: Callable[[DagOutcome], None] = lambda outcome: None,
) -> list[DagOutcome]:
    """Drive DAG runs with progress; a run that ends red is shown with what failed first.

    ``note`` hears of each run as it ends.
    """
    log = logging.getLogger("exlake.progress")
    lines = _Lines(console)

    def begin(dag_id: str, day: str) -> None:
        # Airflow sets logging up anew when it is imported: take our place again each time.
        log.disabled, log.propagate = False, False
        log.setLevel(logging.INFO)
        if lines not in log.handlers:
            log.addHandler(lines)
        console.print(f"[bold]{day}[/] DAG {dag_id}", highlight=False)

    def end(outcome: DagOutcome) -> None:
        note(outcome)
        if outcome.state == "success":
            console.print(f"  [green]ok[/]      {outcome.seconds:.1f} s", highlight=False)
            return
        first = outcome.failed[0] if outcome.failed else "?"
        said = f"task {first} failed: see {settings.airflow / 'logs' / 'driver.log'}"
        if outcome.carried_out:
            said = "not everything could be published"
        console.print(f"  [red]red[/]     {said} ({outcome.seconds:.1f} s)", highlight=False)

    new = not (settings.airflow / "airflow.db").exists()
    console.print(
        f"Airflow starts{', and makes its database the first time' if new else ''} "
        f"(its output: {settings.airflow / 'logs' / 'driver.log'})",
        highlight=False,
        soft_wrap=True,
    )
    try:
        return drive(settings, runs, begin, end)
    finally:
        log.removeHandler(lines)
