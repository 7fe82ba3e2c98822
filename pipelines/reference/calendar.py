"""The exchange's own calendar: trade dates and night sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.conform import conform
from pipelines.engine.job import Inputs, history, job

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.calendar", version=1, inputs=(history("bronze.calendar"),))
def calendar(inputs: Inputs) -> DataFrame:
    """One row per calendar date, as the last delivery that names the date tells it.

    Deliveries cover whole years and may overlap. Dates that cannot be read stay in, for the gate;
    so does a date that one delivery names twice. A bare list of trade dates says nothing of night
    sessions, and its neighbours are the trade dates before and after.
    """
    delivered = inputs.spark.sql(
        """
        WITH marked AS (
          SELECT *, coalesce(is_trade_date, has_night_session, prev_trade_date, next_trade_date)
            IS NULL AS bare
          FROM {delivered}
        ), ranked AS (
          SELECT *,
            lag(calendar_date) OVER list AS listed_before,
            lead(calendar_date) OVER list AS listed_after,
            rank() OVER (
              PARTITION BY calendar_date ORDER BY _interval DESC, _sequence DESC) AS place
          FROM marked
          WINDOW list AS (PARTITION BY _delivery_id, bare ORDER BY calendar_date)
        )
        SELECT * FROM ranked WHERE place = 1 OR calendar_date IS NULL
        """,
        delivered=inputs.read("bronze.calendar"),
    )
    return conform(
        delivered,
        inputs.contract,
        {
            "is_trade_date": "if(bare, '1', is_trade_date)",
            "prev_trade_date": "if(bare, listed_before, prev_trade_date)",
            "next_trade_date": "if(bare, listed_after, next_trade_date)",
        },
    )
