"""Closes by contract and date, unfolded from a vendor's series by delivery month."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pipelines.engine.conform import conform
from pipelines.engine.job import Inputs, history, job
from pipelines.external.published import exchange_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.engine.calendar import TradingCalendar

MONTH_BEFORE = ("sc", "lu", "fu")
"""Commodities whose contracts end with the month before their delivery month."""
LAST_MONDAY = ("ec",)
"""Commodities whose contracts end on the last Monday of their delivery month that trades.

Every other contract ends on the 15th of its delivery month, or the next trade date."""
QUARTERS = (3, 6, 9, 12)
TWO_LISTED = f"""
    CASE commodity_id
      WHEN 'sc' THEN series_month IN {QUARTERS}
      WHEN 'bu' THEN series_month IN {QUARTERS}
      WHEN 'au' THEN (12 + series_month - month(day)) % 12 <= 1
      ELSE false END"""
"""TRUE where contracts of two years are listed under one month: crude oil lists quarters up to
three years ahead, bitumen up to two, gold thirteen months. The vendor then shows whichever traded,
the farther one first, and nothing in the file says which."""
MONDAY = 0


@job("silver.month_close", version=1, inputs=(history("bronze.month_close"),))
def month_close(inputs: Inputs) -> DataFrame:
    """One row per contract and date with a close.

    A series is named by its month alone: on a date it is the contract of this year, until that has
    ended, then next year's. Where two years are listed under one month the contract is not known:
    ``contract_id`` is null. An array that is not as long as the list of dates cannot be read by
    position: it becomes one row without a date, for the gate. Of several deliveries the last one
    that tells a series' date counts.
    """
    ends = ", ".join(
        f"({day.year}, {day.month}, DATE '{fifteenth}', DATE '{monday}')"
        for day, fifteenth, monday in ends_of_months(inputs.calendar)
    )
    rows = inputs.spark.sql(
        f"""
        WITH days AS (
          SELECT _delivery_id, transform(
              array_sort(collect_list(named_struct(
                'n', _row_number, 'day', trim(BOTH '"' FROM trim(record))))), x -> x.day) AS days
          FROM {{delivered}} WHERE section = 'dates' GROUP BY _delivery_id
        ), series AS (
          SELECT s._delivery_id, s._row_number, s._interval, s._sequence,
            lower(trim(s.subject)) AS commodity_id, coalesce(d.days, array()) AS days,
            try_cast(substring_index(s.section, '.', -1) AS INT) AS series_month,
            coalesce(from_json(s.record, 'close ARRAY<STRING>').close, array()) AS closes
          FROM {{delivered}} s LEFT JOIN days d ON d._delivery_id = s._delivery_id
          WHERE s.section LIKE 'series.%'
        ), sized AS (
          SELECT * EXCEPT (days, closes), size(closes) AS value_count, size(days) AS date_count,
            if(size(closes) = size(days), arrays_zip(days, closes), array(named_struct(
              'days', CAST(NULL AS STRING), 'closes', CAST(NULL AS STRING)))) AS pairs
          FROM series
        ), unfolded AS (
          SELECT * EXCEPT (pairs), explode(pairs) AS told FROM sized
        ), dated AS (
          SELECT _delivery_id, _row_number, commodity_id, series_month, told.days AS trade_date,
            told.closes AS close_price, value_count, date_count,
            try_cast(told.days AS DATE) AS day,
            rank() OVER (PARTITION BY commodity_id, series_month, told.days
                         ORDER BY _interval DESC, _sequence DESC) AS place
          FROM unfolded
          WHERE told.closes IS NOT NULL OR value_count <> date_count
        ), ended AS (
          SELECT d.*, CASE
              WHEN d.commodity_id IN ({_codes(MONTH_BEFORE)})
                THEN d.day >= make_date(year(d.day), d.series_month, 1)
              WHEN d.commodity_id IN ({_codes(LAST_MONDAY)}) THEN d.day > e.monday
              ELSE d.day > e.fifteenth END AS over
          FROM dated d
          LEFT JOIN (SELECT * FROM VALUES {ends} AS t(year, month, fifteenth, monday)) e
            ON e.year = year(d.day) AND e.month = d.series_month
          WHERE d.place = 1
        )
        SELECT *, lpad(series_month, 2, '0') AS mm,
          if({TWO_LISTED}, NULL, CAST(year(day) + CAST(over AS INT) AS STRING)) AS yyyy
        FROM ended
        """,
        delivered=inputs.read("bronze.month_close"),
    )
    return conform(
        rows,
        inputs.contract,
        {
            "contract_id": "concat(commodity_id, right(yyyy, 2), mm)",
            "delivery_month": "concat(yyyy, mm)",
            "exchange": exchange_sql("commodity_id"),
        },
    )


def ends_of_months(calendar: TradingCalendar) -> list[tuple[date, date, date]]:
    """(first day, first trade date from the 15th on, last trading Monday) of each month covered."""
    by_month: dict[tuple[int, int], list[date]] = {}
    days = calendar.between(calendar.first_day, calendar.last_day)
    for day in days:
        by_month.setdefault((day.year, day.month), []).append(day)
    found = []
    for (year, month), traded in by_month.items():
        middle = date(year, month, 15)
        # A month that trades no more after its 15th ends with the first date of the next.
        following = next((d for d in traded if d >= middle), None) or next(
            (d for d in days if d >= middle), middle
        )
        mondays = [d for d in traded if d.weekday() == MONDAY]
        found.append((date(year, month, 1), following, mondays[-1] if mondays else traded[-1]))
    return found


def _codes(commodities: tuple[str, ...]) -> str:
    return ", ".join(f"'{code}'" for code in commodities)
