"""
### publish: one DuckDB file per audience

**Purpose.** Copies the marts and the silver tables that contracts name for an audience, masked by
classification, into one DuckDB file per audience, and swaps it in while readers hold the old one.

**Schedule.** When `marts` has published the same trade date (one run per partition key).

**Steps.** `trade_date` takes the parameter, else the partition key. `publish` copies the last file
and the changed intervals into a new one, checks it, and swaps it in.

**When it fails.**

- `publish` retries: the disk was busy or another publication holds the lock.
- `publish` is red at once: the log says which table and why. The file readers use is the old one
  and is whole; nothing is ever swapped in half-done.
- No space left: a publication needs the file's size twice for a moment.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="publish",
    schedule=schedule.AFTER_MARTS,
    catchup=False,
    max_active_runs=1,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    tags=["exlake", "serving"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task
    def publish(day: str) -> dict[str, object]:
        """Gold and shared silver to every audience's file."""
        return flows.publish_marts(day)

    publish(trade_date())
