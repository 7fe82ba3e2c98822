"""
### trading_day: orders, trades, positions, settlement, member funds, logins

**Purpose.** Lands what the trading and clearing systems deliver for one trade date and builds the
silver tables that surveillance and the marts stand on.

**Schedule.** When `reference` has published the same trade date (one run per partition key), so
shortly after 16:30 exchange time (Asia/Shanghai) on trade dates.

**Steps.** `trade_date` takes the parameter, else the partition key. `land` appends the deliveries
of the systems `trading` and `clearing` to bronze. `build` builds, judges and publishes silver.
`verdict` is red when the gate blocked or held something.

**When it fails.**

- `land` retries (*delivery-awaited*): nothing has arrived from `trading` or `clearing` yet.
- `land` is red at once: a delivery is damaged; the log names it. Ask for a new sequence number.
- `build` retries: another run holds a table, or Spark died; it starts again where it must.
- `verdict` is red: read the quality report. Both figures of a failed reconciliation and its 20
  largest contributors are there; `exlake quarantine list` shows the rows that were put aside.
- A corrected delivery later: `exlake plan` names what becomes stale, triggering this DAG with
  `trade_date` rebuilds exactly that.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="trading_day",
    schedule=schedule.AFTER_REFERENCE,
    catchup=False,
    max_active_runs=schedule.DATES_WAITING,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    tags=["exlake", "silver", "trading"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task
    def land(day: str) -> dict[str, object]:
        """Deliveries to bronze."""
        return flows.land_flow("trading_day", day)

    @task(pool=schedule.SPARK, outlets=[schedule.TRADING_DAY])
    def build(day: str) -> dict[str, object]:
        """Bronze to silver, judged and published."""
        return flows.run_flow("trading_day", day)

    @task(retries=0)
    def verdict(day: str) -> None:
        """Red when something of this date is blocked or held."""
        flows.confirm("trading_day", day)

    day = trade_date()
    land(day) >> build(day) >> verdict(day)
