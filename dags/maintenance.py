"""
### maintenance: fewer files and no waste

**Purpose.** Removes intervals that are older than their contract keeps them (a legal hold keeps
them longer), merges the small files of intervals that have many, removes files of versions older
than `EXLAKE_RETENTION_HOURS` (168), and files that killed batches left. Each table is done under
its own lock, so it waits for a batch and a batch waits for it.

**Schedule (exchange time, Asia/Shanghai).** Saturday 08:00, when the night session has ended.

**Steps.** `tables` does one table after the other, then the ledgers. `exlake maintain --dry-run`
says what it would do.

**When it fails.** A table's lock was held too long (*lock-held*): it is retried; what was done
stays done. Anything may be killed, and the next run goes on.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="maintenance",
    schedule=schedule.WEEKLY,
    catchup=False,
    max_active_runs=1,
    default_args=schedule.DEFAULTS,
    tags=["exlake", "operations"],
    doc_md=__doc__,
):

    @task(pool=schedule.SPARK)
    def tables() -> int:
        """Tables that needed something."""
        return len(flows.maintain_tables())

    tables()
