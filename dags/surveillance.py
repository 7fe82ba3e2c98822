"""
### surveillance: surveillance_day, surveillance_exemption, surveillance_alert

**Purpose.** Counts every client and control group against the rule book of the date, and publishes
figures, exemptions and alerts to the surveillance audience.

**Schedule.** When `marts` has published a trade date (one run per partition key), in exchange time.

**Steps.** `trade_date` takes the parameter, else the partition key. `build` builds, judges and
publishes gold, and records what became of alerts. `publish` brings the audience files up to date:
marts do not wait for surveillance, nor do analysts. `pages` writes the offline pages of the date
and its alerts, and again those of dates on which an alert changed. `verdict` is red when the gate
blocked or held something.

**When it fails.**

- `build` is red at once (*rule-book-unreleased*): the rule book changed without a new job version.
- `verdict` is red, *held*: an input is blocked; until it is mended readers see the last state.
- `verdict` is red, *blocked*: figures do not tie to published orders or trades. The quality report
  has both.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="surveillance",
    schedule=schedule.AFTER_MARTS,
    catchup=False,
    max_active_runs=1,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    tags=["exlake", "gold", "surveillance"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task(pool=schedule.SPARK, outlets=[schedule.SURVEILLANCE])
    def build(day: str) -> dict[str, object]:
        """Silver to gold, judged and published."""
        return flows.run_flow("surveillance", day)

    @task
    def publish(day: str) -> dict[str, object]:
        """Figures and alerts to the surveillance audience's file."""
        return flows.publish_marts(day)

    @task
    def pages(day: str) -> dict[str, object]:
        """The offline pages of the date and its alerts."""
        return flows.surveillance_pages(day)

    @task(retries=0)
    def verdict(day: str) -> None:
        """Red when something of this date is blocked or held."""
        flows.confirm("surveillance", day)

    day = trade_date()
    build(day) >> publish(day) >> pages(day) >> verdict(day)
