"""Drive the real DAGs through Airflow's own in-process runner, all from one process.

``dag.test()`` runs a DAG's tasks here, one after another, so that one Spark session
serves them all. It triggers nothing downstream: the caller gives the order.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import TerminalError
from exlake.orchestration import airflow_home

if TYPE_CHECKING:
    from pipelines.engine.settings import Settings


QUICK_RETRIES = 1
QUICK_DELAY = timedelta(seconds=5)
"""Somebody is watching an in-process run: the scheduler's pauses of minutes are not for it."""


@dataclass(frozen=True)
class DagOutcome:
    """How one DAG run ended: Airflow's word for the run, and the tasks that are not green."""

    dag_id: str
    trade_date: str
    state: str
    seconds: float
    failed: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def carried_out(self) -> bool:
        """True when everything was done; it may be red all the same, for what the gate found."""
        return self.state == "success" or self.failed == ("verdict",)


class DagImportError(TerminalError):
    """Raised when a DAG file cannot be imported or a DAG is not there."""

    code = "dag-import"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Airflow could not load the DAGs: {detail}.",
            next_step="correct the file in dags/ and run `make test-unit`.",
        )


def drive(
    settings: Settings,
    runs: Iterable[tuple[str, str]],
    on_begin: Callable[[str, str], None] = lambda dag_id, day: None,
    on_end: Callable[[DagOutcome], None] = lambda outcome: None,
    log: Path | None = None,
) -> list[DagOutcome]:
    """Run each (dag id, ISO trade date) in the order given and return how each ended.

    Airflow's and Spark's own output goes to ``log`` (default: ``airflow/logs/driver.log`` below
    the home), so that the terminal shows only progress. Raises DagImportError before the
    first run when a DAG cannot be loaded. A DAG run that fails does not stop the next.
    """
    outcomes: list[DagOutcome] = []
    target = log or settings.airflow / "logs" / "driver.log"
    with _output_to(target):
        airflow_home.prepare(settings)
        dags = _load()
    for dag_id, day in runs:
        on_begin(dag_id, day)
        with _output_to(target):
            outcome = _run(_known(dags, dag_id), dag_id, day)
        outcomes.append(outcome)
        on_end(outcome)
    return outcomes


def _load() -> dict[str, Any]:
    """The DAGs of the folder by id."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(airflow_home.DAGS), bundle_path=airflow_home.DAGS)
    if bag.import_errors:
        file, text = next(iter(bag.import_errors.items()))
        raise DagImportError(f"{file}: {text.strip().splitlines()[-1]}")
    for dag in bag.dags.values():
        # dag.test() cannot evaluate deadlines (Airflow 3.3.2 looks their ids up in a copy of the
        # DAG that has none), and without a triggerer nothing would act on them.
        dag.deadline = None
        for task in dag.tasks:
            task.retries = min(task.retries, QUICK_RETRIES)
            task.retry_delay, task.retry_exponential_backoff = QUICK_DELAY, 0
    return dict(bag.dags)


def _known(dags: dict[str, Any], dag_id: str) -> Any:
    if dag_id not in dags:
        raise DagImportError(f"there is no DAG '{dag_id}'")
    return dags[dag_id]


def _run(dag: Any, dag_id: str, day: str) -> DagOutcome:
    started = time.monotonic()
    run = dag.test(run_conf={"trade_date": day}, logical_date=None)
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    order = [task_id for task_id in dag.task_ids if task_id in states]
    return DagOutcome(
        dag_id=dag_id,
        trade_date=day,
        state=str(getattr(run.state, "value", run.state)),
        seconds=time.monotonic() - started,
        failed=tuple(t for t in order if states[t] in ("failed", "upstream_failed")),
        skipped=tuple(t for t in order if states[t] == "skipped"),
    )


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Send file descriptors 1 and 2 to a file: the JVM and Airflow write there directly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for target, descriptor in zip((1, 2), saved, strict=True):
            os.dup2(descriptor, target)
            os.close(descriptor)
