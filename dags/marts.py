"""
### marts: market_daily, client_day, member_day, tick_quality

**Purpose.** Builds the gold tables that analysts read, reconciled with the exchange's public files.

**Schedule.** When `trading_day` and `external` have both published the same trade date (one run per
partition key). A deadline alert is raised when a run has not ended an hour after it was queued; a
run that was never queued is `watch`'s to report.

**Steps.** `trade_date` takes the parameter, else the partition key. `build` builds, judges and
publishes gold. `verdict` is red when the gate blocked or held something.

**When it fails.**

- `build` is red at once: the log names the product and the next step.
- `verdict` is red, *held*: an input is blocked. Mend the input; this interval resumes by itself on
  the next run. Until then readers see the last published state, marked as such.
- `verdict` is red, *blocked*: a total does not tie. The quality report has both figures.
- The deadline alert: look for what occupies the pool `spark`, then at `exlake status`.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="marts",
    schedule=schedule.AFTER_BOTH,
    catchup=False,
    max_active_runs=1,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    deadline=schedule.MARTS_DEADLINE,
    tags=["exlake", "gold", "marts"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task(pool=schedule.SPARK, outlets=[schedule.MARTS])
    def build(day: str) -> dict[str, object]:
        """Silver to gold, judged and published."""
        return flows.run_flow("marts", day)

    @task(retries=0)
    def verdict(day: str) -> None:
        """Red when something of this date is blocked or held."""
        flows.confirm("marts", day)

    day = trade_date()
    build(day) >> verdict(day)
