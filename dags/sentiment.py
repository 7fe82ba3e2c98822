"""
### sentiment: news_sentiment_daily, hot_word_daily, news_influence

**Purpose.** Judges the headlines of a trade date and publishes the news marts: tone and direction
per commodity, hot words, and the influence of stories.

**Schedule.** When `external` has published the same trade date (one run per partition key).

**Steps.** `trade_date` takes the parameter, else the partition key. `build` builds, judges and
publishes gold. `publish` brings the audience files up to date: the marts do not wait for the news.
`brief` writes the date's brief from the analysts' file, below `reports/news`. `verdict` is red
when the gate blocked or held something.

**When it fails.**

- `build` is red at once: the log names the product and the next step.
- `verdict` is red, *held*: the news or the reference data are blocked. Mend the input; this
  interval resumes by itself on the next run.
- `verdict` is red, *blocked*: counts do not add up to the articles delivered, which is a defect of
  the job. The quality report has both figures.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from exlake.orchestration import flows, schedule

with DAG(
    dag_id="sentiment",
    schedule=schedule.AFTER_EXTERNAL,
    catchup=False,
    max_active_runs=1,
    default_args=schedule.DEFAULTS,
    params=schedule.PARAMS,
    tags=["exlake", "gold", "sentiment"],
    doc_md=__doc__,
):

    @task
    def trade_date() -> str:
        """The trade date of this run; skips the rest on a closed day."""
        return schedule.trade_date()

    @task(pool=schedule.SPARK, outlets=[schedule.SENTIMENT])
    def build(day: str) -> dict[str, object]:
        """Silver to gold, judged and published."""
        return flows.run_flow("sentiment", day)

    @task
    def publish(day: str) -> dict[str, object]:
        """The news marts to every audience's file."""
        return flows.publish_marts(day)

    @task
    def brief(day: str) -> str:
        """The date's brief as a page; of a date without news it says so."""
        return flows.write_brief(day)

    @task(retries=0)
    def verdict(day: str) -> None:
        """Red when something of this date is blocked or held."""
        flows.confirm("sentiment", day)

    day = trade_date()
    build(day) >> publish(day) >> brief(day) >> verdict(day)
