"""Minute bars of vendors, each with the trade date it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.conform import conform
from pipelines.engine.job import Inputs, history, job
from pipelines.external.histories import newest
from pipelines.external.published import basis_sql, one_sided_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.engine.calendar import TradingCalendar

_DATE = "^ *([0-9]+)[-/]([0-9]+)[-/]([0-9]+)"
DAY_TEXT = (
    f"CASE WHEN date RLIKE '{_DATE}' THEN concat_ws('-', regexp_extract(date, '{_DATE}', 1),"
    f" lpad(regexp_extract(date, '{_DATE}', 2), 2, '0'),"
    f" lpad(regexp_extract(date, '{_DATE}', 3), 2, '0')) ELSE date END"
)
"""``2019/7/31 星期三`` as ``2019-07-31``; a text that is no date stays as it is."""
SESSION_DAY = (
    f"date_sub(try_cast({DAY_TEXT} AS DATE), CASE WHEN trim(time) < '06' THEN 1 ELSE 0 END)"
)
"""Calendar date on which the bar's session began: bars after midnight belong to the evening."""
COUNTED_ON = "coalesce(_trade_date, _day, _interval)"
"""A row without trade date is rejected, but shown as it came."""
AT_NIGHT = "trim(time) >= '18' OR trim(time) < '06'"


@job("silver.bar_minute", version=1, inputs=(history("bronze.bar_minute"),))
def bar_minute(inputs: Inputs) -> DataFrame:
    """One row per series, length and end of the bar; the newest delivery of a bar counts.

    A bar of an evening, or of the hours after its midnight, belongs to the next trade date. A bar
    of a day without that session has no trade date and is rejected. Counts and turnover are
    one-sided: before 2020 they are halved, and an odd count is unreadable.
    """
    key = ("exchange", "commodity", "series", "bar_minutes", DAY_TEXT, "time")
    bars = newest(inputs, "bronze.bar_minute", key).selectExpr(
        "*", f"{SESSION_DAY} AS _day", f"{AT_NIGHT} AS _night"
    )
    sessions = inputs.spark.createDataFrame(
        _sessions(inputs.calendar), "_day date, _night boolean, _trade_date date"
    )
    dated = bars.join(sessions.hint("broadcast"), ["_day", "_night"], "left")
    commodity = "lower(trim(commodity))"
    main = "CASE WHEN upper(trim(series)) = 'HOT' THEN '.main' ELSE trim(series) END"
    halved = "CAST(CAST(try_cast(turnover AS DECIMAL(28,4)) / 2 AS DECIMAL(28,4)) AS STRING)"
    return conform(
        dated,
        inputs.contract,
        {
            "trade_date": "_trade_date",
            "exchange": "upper(trim(exchange))",
            "commodity_id": commodity,
            "series_id": f"concat({commodity}, {main})",
            "bar_end": f"concat({DAY_TEXT}, ' ', trim(time))",
            "open_price": "open",
            "high_price": "high",
            "low_price": "low",
            "close_price": "close",
            "volume_lots": one_sided_sql("volume", COUNTED_ON),
            "turnover": f"CASE WHEN {basis_sql(COUNTED_ON)} = 'TWO_SIDED'"
            f" THEN coalesce({halved}, turnover) ELSE turnover END",
            "open_interest_lots": one_sided_sql("hold", COUNTED_ON),
            "counting_basis": basis_sql(COUNTED_ON),
        },
    )


def _sessions(calendar: TradingCalendar) -> list[tuple[object, bool, object]]:
    """(date a session begins on, at night?, its trade date) of every session there is."""
    days = [(day, False, day) for day in calendar.trade_dates]
    nights = [
        (before, True, day)
        for before, day in zip(calendar.trade_dates, calendar.trade_dates[1:], strict=False)
        if calendar.has_night_session(day)
    ]
    return [*days, *nights]
