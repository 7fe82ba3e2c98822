"""
### external: public quotes, member rankings, warehouse stocks, ticks, news

**Purpose.** Lands what the exchange publishes to the world, the market-data feed and the news, and
builds silver tables with counting bases and units made the same over all format generations.

**Schedule.** When `reference` has published the same trade date (one run per partition key), beside
`trading_day`: public files must not wait for the internal systems, nor these for them.

**Steps.** `trade_date` takes the parameter, else the partition key. `land` appends the deliveries
of the systems `public` and `news` to bronze, each format recognised by its contract. `build`
builds, judges and publishes silver. `verdict` is red when the gate blocked or held something.

**When it fails.**

- `land` retries (*delivery-awaited*): the public files are not out yet.
- `land` is red at once (unknown format): the publisher changed a layout. Add a `formats` entry to
  the bronze contract; the delivery lands on the next run.
- `verdict` is red: the quality report shows totals of the file beside ours. A public file that
  disagrees with itself is the publisher's to correct; a waiver is a steward's to give.
- An empty reply on a holiday is no failure: it lands, with no rows.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="external",
    schedule=schedule.AFTER_REFERENCE,
    catchup=False,
    max_active_runs=schedule.DATES_WAITING,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    tags=["exlake", "silver", "external"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task
    def land(day: str) -> dict[str, object]:
        """Deliveries to bronze."""
        return flows.land_flow("external", day)

    @task(pool=schedule.SPARK, outlets=[schedule.EXTERNAL])
    def build(day: str) -> dict[str, object]:
        """Bronze to silver, judged and published."""
        return flows.run_flow("external", day)

    @task(retries=0)
    def verdict(day: str) -> None:
        """Red when something of this date is blocked or held."""
        flows.confirm("external", day)

    day = trade_date()
    land(day) >> build(day) >> verdict(day)
