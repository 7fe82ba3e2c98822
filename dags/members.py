"""
### members: member_tag, member_profile

**Purpose.** Computes every tag of every member with its place among peers and its trend, and the
profile made of them, and publishes both.

**Schedule.** When `surveillance` has published a trade date (one run per partition key): the
compliance tags count its cases. `surveillance` itself follows `marts`.

**Steps.** `trade_date` takes the parameter, else the partition key. `build` builds, judges and
publishes gold. `publish` brings the audience files up to date, `pages` writes the league table
and a page per member. `verdict` is red when the gate blocked or held something.

**When it fails.**

- `build` is red at once (*tag-catalogue-unreleased*): a tag changed without a new job version.
- `verdict` is red, *held*: an input is blocked; until it is mended readers see the last state.
- `verdict` is red, *blocked*: shares do not add up, or volumes do not tie to `gold.member_day`.
  The quality report has both figures.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="members",
    schedule=schedule.AFTER_SURVEILLANCE,
    catchup=False,
    max_active_runs=1,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    tags=["exlake", "gold", "members"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task(pool=schedule.SPARK, outlets=[schedule.MEMBERS])
    def build(day: str) -> dict[str, object]:
        """Tags and profiles, judged and published."""
        return flows.run_flow("members", day)

    @task
    def publish(day: str) -> dict[str, object]:
        """Tags and profiles to the audiences' files."""
        return flows.publish_marts(day)

    @task
    def pages(day: str) -> str:
        """The league table and a page per member, offline."""
        return flows.member_pages(day)

    @task(retries=0)
    def verdict(day: str) -> None:
        """Red when something of this date is blocked or held."""
        flows.confirm("members", day)

    day = trade_date()
    build(day) >> publish(day) >> pages(day) >> verdict(day)
