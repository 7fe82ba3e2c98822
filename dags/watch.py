"""
### watch: what should have started and did not

**Purpose.** A deadline of a DAG that never started never fires, and a DAG that waits for assets may
never start. This DAG goes by the calendar alone and compares what contracts promise (the due time
of each product, on the trading calendar) with what the ledgers show.

**Schedule (exchange time, Asia/Shanghai).** Monday to Friday, quarter past every hour from 17:15 to
23:15.

**Steps.** `report` writes the pages anew, tells what changed since (log, mail, webhook; once a day
the digest: docs/steward.md) and lists, for the last trade dates, every product that is past its due
time and has not been published, and what it waits for; it is red when there is any.

**When it fails.** That is its message. The log has one line per late product: *not delivered* (call
the sender), *not run* (the DAG did not start: trigger it with `trade_date`), *blocked* or *held*
(the quality report says why). `exlake status` shows the same at any time.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="watch",
    schedule=schedule.EVENING_HOURS,
    catchup=False,
    max_active_runs=1,
    default_args=schedule.DEFAULTS,
    tags=["exlake", "operations"],
    doc_md=__doc__,
):

    @task(retries=0)
    def report() -> list[dict[str, object]]:
        """Red when a product is past its due time."""
        return flows.watch()

    report()
