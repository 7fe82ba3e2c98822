"""The DAGs as Airflow sees them: integrity, structure, schedules, retries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow
GOLDEN = Path(__file__).with_name("structure.json")


def waits_for(dag: Any) -> list[str]:
    """Names of the assets that start the DAG."""
    from airflow.serialization.encoders import coerce_to_core_timetable

    condition = coerce_to_core_timetable(dag.timetable).asset_condition
    return sorted(asset.name for _, asset in condition.iter_assets())


def structure(bag: Any) -> dict[str, Any]:
    """What a reviewer wants to see change: schedule, tags, tasks, order, pools, outlets."""
    return {
        dag_id: {
            "schedule": type(dag.timetable).__name__,
            "after": waits_for(dag),
            "tags": sorted(dag.tags),
            "params": sorted(dag.params),
            "deadlines": len(dag.deadline or []),
            "tasks": {
                task.task_id: {
                    "after": sorted(task.upstream_task_ids),
                    "pool": task.pool,
                    "outlets": sorted(o.name for o in task.outlets),
                    "retries": task.retries,
                }
                for task in dag.tasks
            },
        }
        for dag_id, dag in sorted(bag.dags.items())
    }  # fmt: skip


def test_every_dag_file_loads(dag_bag: Any) -> None:
    """No DAG file fails to import, and each DAG has an owner, tags and its documentation."""
    assert dag_bag.import_errors == {}
    for dag in dag_bag.dags.values():
        assert dag.tags
        assert dag.doc_md
        assert all(task.owner == "data-platform" for task in dag.tasks)
        assert dag.catchup is False


def test_a_date_that_waits_for_its_files_stops_no_other(dag_bag: Any) -> None:
    """DAGs that wait for deliveries take several dates at once; only one of them builds."""
    for name, dag in dag_bag.dags.items():
        waits = "land" in dag.task_ids
        assert (dag.max_active_runs > 1) is waits, name
        assert not waits or dag.get_task("build").pool == "spark"


def test_structure_is_the_reviewed_one(dag_bag: Any) -> None:
    """Tasks, order, pools, assets and retries change only together with the golden file.

    To accept a change: python -m tests.dags.test_dag_structure
    """
    assert structure(dag_bag) == json.loads(GOLDEN.read_text())


def test_the_chain_is_one_run_per_trade_date(dag_bag: Any) -> None:
    """The first DAG makes partition keys that are trade dates in exchange time; others follow."""
    from airflow.serialization.encoders import coerce_to_core_timetable

    first = coerce_to_core_timetable(dag_bag.dags["reference"].timetable)
    days = [
        info.partition_key
        for info in first.iter_partition_dagrun_infos(
            earliest=datetime(2026, 1, 2, tzinfo=UTC), latest=datetime(2026, 1, 6, 23, tzinfo=UTC)
        )
    ]
    assert days == ["2026-01-02", "2026-01-05", "2026-01-06"]
    for dag_id in ("trading_day", "external", "marts", "publish", "sentiment"):
        mapper = dag_bag.dags[dag_id].timetable.default_partition_mapper
        assert type(mapper).__name__ == "IdentityMapper"


def test_terminal_errors_fail_at_once_and_transient_ones_retry(dag_bag: Any) -> None:
    """The retry policy goes by the error's kind; a defect in the code is not retried either."""
    from airflow.sdk import RetryAction

    from exlake.orchestration.arrival import DeliveryAwaitedError
    from exlake.orchestration.flows import IntervalNotPublishedError
    from pipelines.engine.locks import LockHeldError

    task = dag_bag.dags["trading_day"].get_task("build")
    decide = task.retry_policy.evaluate

    def action(error: Exception) -> Any:
        return decide(error, 1, task.retries).action

    assert action(LockHeldError(Path("x"), 1, 1.0)) is RetryAction.RETRY
    assert action(DeliveryAwaitedError("external", "2026-01-05", ("public",))) is RetryAction.RETRY
    assert action(IntervalNotPublishedError("marts", "2026-01-05", ("x",))) is RetryAction.FAIL
    assert action(TypeError("defect")) is RetryAction.FAIL
    assert action(RuntimeError("unknown")) is RetryAction.DEFAULT
    assert task.retries >= 3
    assert task.retry_exponential_backoff > 1
    assert task.max_retry_delay <= timedelta(hours=1)


def test_the_marts_have_a_deadline_that_can_be_reported(dag_bag: Any) -> None:
    """A marts run that does not end in time calls something that exists and can be awaited."""
    import asyncio

    from exlake.orchestration import flows

    deadlines = dag_bag.dags["marts"].deadline
    alert = deadlines[0] if isinstance(deadlines, list) else deadlines
    assert alert.callback.path == "exlake.orchestration.flows.marts_are_late"
    assert asyncio.iscoroutinefunction(flows.marts_are_late)


if __name__ == "__main__":
    from airflow.dag_processing.dagbag import DagBag

    from exlake.orchestration.airflow_home import DAGS

    bag = DagBag(dag_folder=str(DAGS), bundle_path=DAGS)
    GOLDEN.write_text(json.dumps(structure(bag), indent=2) + "\n")
