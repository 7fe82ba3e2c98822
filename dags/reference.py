"""
### reference: calendar, commodities, contracts, members, clients, control groups

**Purpose.** Lands the day's reference deliveries and rebuilds the dimensions they change. It is
the first DAG of the chain: `trading_day` and `external` follow by partition key (the trade date).

**Schedule (exchange time, Asia/Shanghai).** Monday to Friday 16:30, after the close. On a day the
exchange is closed the first task skips, and nothing follows.

**Steps.** `trade_date` reads the parameter `trade_date`, else the partition key, and skips closed
days. `land` copies the inbox's reference files and appends them to bronze. `build` builds, judges
and publishes the silver dimensions. `verdict` is red when the gate blocked or held something; the
chain has gone on by then with the last published state.

**When it fails.**

- `land` retries (*delivery-awaited*): the files are not in `$EXLAKE_HOME/inbox/reference/` yet. It
  asks again with growing pauses; after the last try, call the sender.
- `land` is red at once: the delivery is damaged. The log names the file and what is wrong; ask for
  a corrected delivery. Nothing of it has landed.
- `verdict` is red: `exlake status`, then the quality report, say which rule failed and whose it is.
- Run it again for a date: trigger with `trade_date`, or `exlake run`; doing so twice is harmless.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="reference",
    schedule=schedule.AFTER_CLOSE,
    catchup=False,
    max_active_runs=schedule.DATES_WAITING,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    tags=["exlake", "silver", "reference"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task
    def land(day: str) -> dict[str, object]:
        """Deliveries to bronze."""
        return flows.land_flow("reference", day)

    @task(pool=schedule.SPARK, outlets=[schedule.REFERENCE])
    def build(day: str) -> dict[str, object]:
        """Bronze to silver, judged and published."""
        return flows.run_flow("reference", day)

    @task(retries=0)
    def verdict(day: str) -> None:
        """Red when something of this date is blocked or held."""
        flows.confirm("reference", day)

    day = trade_date()
    land(day) >> build(day) >> verdict(day)
