"""What the DAG files share: assets, retries, schedules, and the trade date of a run.

Assets are defined here and nowhere else: two assets of one name and two URIs break
Airflow's runs. Schedules are in exchange time.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    AsyncCallback,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    Param,
    PartitionedAssetTimetable,
    RetryAction,
    RetryRule,
    get_current_context,
)
from airflow.sdk.exceptions import AirflowSkipException

from exlake.orchestration import flows

EXCHANGE_TIME = "Asia/Shanghai"
SPARK = "spark"
"""The pool of one slot: one Spark process at a time on one machine."""

DATES_WAITING = 16
"""Dates of a landing DAG that may be open at once: one that waits for its files, possibly for
hours, must not stop another. The pool still builds one at a time."""

REFERENCE = Asset(name="reference", uri="exlake://silver/reference")
TRADING_DAY = Asset(name="trading_day", uri="exlake://silver/trading_day")
EXTERNAL = Asset(name="external", uri="exlake://silver/external")
MARTS = Asset(name="marts", uri="exlake://gold/marts")
SENTIMENT = Asset(name="sentiment", uri="exlake://gold/sentiment")
SURVEILLANCE = Asset(name="surveillance", uri="exlake://gold/surveillance")
MEMBERS = Asset(name="members", uri="exlake://gold/members")

AFTER_CLOSE = CronPartitionTimetable("30 16 * * 1-5", timezone=EXCHANGE_TIME, key_format="%Y-%m-%d")
AFTER_REFERENCE = PartitionedAssetTimetable(assets=REFERENCE)
AFTER_BOTH = PartitionedAssetTimetable(assets=TRADING_DAY & EXTERNAL)
AFTER_EXTERNAL = PartitionedAssetTimetable(assets=EXTERNAL)
AFTER_MARTS = PartitionedAssetTimetable(assets=MARTS)
AFTER_SURVEILLANCE = PartitionedAssetTimetable(assets=SURVEILLANCE)
EVENING_HOURS = CronTriggerTimetable("15 17-23 * * 1-5", timezone=EXCHANGE_TIME)
WEEKLY = CronTriggerTimetable("0 8 * * 6", timezone=EXCHANGE_TIME)

RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception="contracts.errors.TransientError",
            action=RetryAction.RETRY,
            reason="transient: a retry can help",
        ),
        RetryRule(
            exception="contracts.errors.TerminalError",
            action=RetryAction.FAIL,
            reason="terminal: a person has to change something",
        ),
        RetryRule(
            exception=[TypeError, AttributeError, NameError, ImportError, "builtins.KeyError"],
            action=RetryAction.FAIL,
            reason="a defect in the code: retrying repeats it",
        ),
    ]
)
DEFAULTS: dict[str, Any] = {
    "owner": "data-platform",
    "retries": 6,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=20),
    "retry_policy": RETRIES,
}
PARAMS: dict[str, Param] = {
    "trade_date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Trade date",
        description="YYYY-MM-DD; empty: the run's partition key",
    )
}
MARTS_DEADLINE = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=timedelta(minutes=60),
    callback=AsyncCallback("exlake.orchestration.flows.marts_are_late"),
    name="marts within an hour of their inputs",
)


def trade_date() -> str:
    """The trade date this run is for, as ISO text: ``params["trade_date"]``, else the key.

    Raises AirflowSkipException on a day the exchange is closed (cron knows no holidays),
    NoTradeDateGivenError when the run has neither, DateOutsideCalendarError for a date the
    calendar doesn't cover: that is an error, never a skip.
    """
    context = get_current_context()
    given = context["params"].get("trade_date") or context["dag_run"].partition_key
    day = flows.parse_trade_date(given, context["dag_run"].dag_id)
    if not flows.is_trade_date(day):
        raise AirflowSkipException(f"{day} is not a trade date of the exchange: nothing to do")
    return day


def today() -> date:
    """Today's date at the exchange."""
    return flows.exchange_now().date()
