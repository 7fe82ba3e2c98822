"""How good a tick recording is: per contract, session and date, counted on what was delivered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.market_tick import delivered_ticks

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GAP_SECONDS = 60
"""A longer time without a snapshot inside a session is a gap."""
LATE_SECONDS = 60
"""As the rule ``market_tick.received.late``."""
_MINUTE = "hour(event_time + INTERVAL 8 HOURS) * 60 + minute(event_time)"
SESSION = (
    f"CASE WHEN {_MINUTE} BETWEEN 535 AND 615 THEN 'MORNING'"
    f" WHEN {_MINUTE} BETWEEN 629 AND 690 THEN 'LATE_MORNING'"
    f" WHEN {_MINUTE} BETWEEN 809 AND 900 THEN 'AFTERNOON'"
    f" WHEN {_MINUTE} >= 1255 OR {_MINUTE} <= 150 THEN 'NIGHT' ELSE 'OUTSIDE' END"
)
"""Hours of the exchange, Beijing time, with those of ``market_tick.session``: 08:55 to 10:16, 10:29
to 11:31, 13:29 to 15:01, 20:55 to 02:31."""
SQL = """
WITH placed AS (
  SELECT *, {session} AS session,
    lag(event_time) OVER recorded AS before,
    lag(cum_volume_lots) OVER recorded AS volume_before,
    row_number() OVER (
      PARTITION BY trade_date, contract_id, event_time, receive_time, cum_volume_lots, cum_turnover,
        open_interest_lots, last_price, bid_price, bid_lots, ask_price, ask_lots, open_price,
        high_price, low_price
      ORDER BY tick_number) AS place,
    count(bid_lots) OVER (PARTITION BY trade_date, contract_id) AS quotes
  FROM {ticks}
  WINDOW recorded AS (PARTITION BY trade_date, contract_id ORDER BY tick_number)
), timed AS (
  SELECT *,
    if(session = 'OUTSIDE', NULL, unix_micros(event_time) - unix_micros(lag(event_time) OVER (
      PARTITION BY trade_date, contract_id, session ORDER BY event_time, tick_number))) / 1000000
      AS pause,
    (unix_micros(receive_time) - unix_micros(event_time)) / 1000000 AS delay
  FROM placed
), counted AS (
  SELECT trade_date, contract_id, session,
    max(exchange) AS exchange,
    count(*) AS tick_count,
    min(event_time) AS first_event_time,
    max(event_time) AS last_event_time,
    count_if(pause > {gap}) AS gap_count,
    max(pause) AS longest_gap_seconds,
    count_if(place > 1) AS duplicate_count,
    if(count(receive_time) = 0, NULL, count_if(delay > {late})) AS late_count,
    max(delay) AS longest_delay_seconds,
    count_if(event_time < before) AS out_of_order_count,
    count_if(cum_volume_lots < volume_before) AS volume_fall_count,
    count_if(coalesce(last_price, 0) = 0) AS zero_snapshot_count,
    if(max(quotes) = 0, NULL, count_if(bid_price > ask_price)) AS crossed_count,
    if(max(quotes) = 0, NULL, count_if(bid_price IS NULL OR ask_price IS NULL)) AS one_sided_count
  FROM timed GROUP BY trade_date, contract_id, session
), published AS (
  SELECT trade_date, contract_id, {session} AS session, count(*) AS published_tick_count
  FROM {published} GROUP BY ALL
)
SELECT c.*, regexp_replace(c.contract_id, '[0-9]+$', '') AS commodity_id,
  coalesce(p.published_tick_count, 0) AS published_tick_count
FROM counted c
LEFT JOIN published p ON p.trade_date = c.trade_date AND p.contract_id = c.contract_id
  AND p.session = c.session
"""


@job(
    "gold.tick_quality",
    version=1,
    inputs=(same("bronze.market_tick"), same("silver.market_tick")),
)
def tick_quality(inputs: Inputs) -> DataFrame:
    """One row per contract, session and date with any delivered snapshot.

    Counted on the recording as it was delivered, before the gate took rows out: what is wrong with
    it is the subject. ``published_tick_count`` is what the gate let through. Late arrivals are null
    without receive times, crossed and one-sided books without any quote in the recording.
    """
    silver = inputs.catalogue["silver.market_tick"]
    sql = SQL.replace("{session}", SESSION).replace("{gap}", str(GAP_SECONDS))
    rows = inputs.spark.sql(
        sql.replace("{late}", str(LATE_SECONDS)),
        ticks=delivered_ticks(replace(inputs, contract=silver)),
        published=inputs.read("silver.market_tick"),
    )
    types = {column.name: column.type for column in inputs.contract.columns}
    return rows.selectExpr(*[f"CAST({name} AS {type_}) AS {name}" for name, type_ in types.items()])
