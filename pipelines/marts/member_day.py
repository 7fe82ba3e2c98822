"""What each member and its clients did on each day, with the member's money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SQL = """
WITH clients AS (
  SELECT trade_date, member_id,
    count(DISTINCT if(new_orders + rejects + traded_lots > 0, client_id, NULL)) AS active_clients,
    sum(new_orders) AS new_orders, sum(cancels) AS cancels, sum(rejects) AS rejects,
    sum(fills) AS fills, sum(message_count) AS message_count, sum(traded_lots) AS traded_lots,
    sum(turnover) AS turnover, sum(end_long_lots) AS end_long_lots,
    sum(end_short_lots) AS end_short_lots, sum(close_profit) AS close_profit,
    sum(holding_profit) AS holding_profit, sum(fee) AS fee
  FROM {client_day} GROUP BY trade_date, member_id
), members AS (
  SELECT coalesce(c.trade_date, f.trade_date) AS trade_date,
    coalesce(c.member_id, f.member_id) AS member_id,
    coalesce(c.active_clients, 0) AS active_clients,
    coalesce(c.new_orders, 0) AS new_orders, coalesce(c.cancels, 0) AS cancels,
    coalesce(c.rejects, 0) AS rejects, coalesce(c.fills, 0) AS fills,
    coalesce(c.message_count, 0) AS message_count,
    coalesce(c.traded_lots, 0) AS traded_lots,
    CAST(coalesce(c.turnover, 0) AS DECIMAL(24,4)) AS turnover,
    coalesce(c.end_long_lots, 0) AS end_long_lots,
    coalesce(c.end_short_lots, 0) AS end_short_lots,
    CAST(coalesce(c.close_profit, 0) AS DECIMAL(24,4)) AS close_profit,
    CAST(coalesce(c.holding_profit, 0) AS DECIMAL(24,4)) AS holding_profit,
    CAST(coalesce(c.fee, 0) AS DECIMAL(24,4)) AS fee,
    f.balance, f.margin, f.available
  FROM clients c
  FULL JOIN {member_fund} f ON f.trade_date = c.trade_date AND f.member_id = c.member_id
)
SELECT *,
  CAST(rank() OVER (PARTITION BY trade_date ORDER BY traded_lots DESC) AS INT) AS volume_rank
FROM members
"""


@job(
    "gold.member_day",
    version=1,
    inputs=(same("gold.client_day"), same("silver.member_fund")),
)
def member_day(inputs: Inputs) -> DataFrame:
    """One row per member and date with funds or active clients.

    Sums over the member's clients; lots and turnover count its own legs. ``active_clients`` sent
    an order or traded. Money (yuan) is the clearing house's.
    """
    rows = inputs.spark.sql(
        SQL,
        client_day=inputs.read("gold.client_day"),
        member_fund=inputs.read("silver.member_fund"),
    )
    return rows.select(*[column.name for column in inputs.contract.columns])
