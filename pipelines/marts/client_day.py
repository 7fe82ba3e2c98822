"""What each client did in each contract on each day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.conform import as_of_join
from pipelines.engine.job import Inputs, as_of, job, same

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ORDERS = """
SELECT trade_date, member_id, client_id, contract_id,
  count_if(event_type = 'NEW') AS new_orders,
  count_if(event_type = 'CANCEL' AND coalesce(reason, '') <> 'SESSION_END') AS cancels,
  count_if(event_type = 'REJECT') AS rejects,
  count_if(event_type = 'FILL') AS fills,
  count(DISTINCT if(event_type = 'FILL', order_id, NULL)) AS filled_orders
FROM {order_event} GROUP BY trade_date, member_id, client_id, contract_id
"""

TRADES = """
SELECT trade_date, member_id, client_id, contract_id,
  sum(if(side = 'B' AND offset = 'O', lots, 0)) AS bought_open_lots,
  sum(if(side = 'S' AND offset = 'O', lots, 0)) AS sold_open_lots,
  sum(if(side = 'B' AND offset <> 'O', lots, 0)) AS bought_close_lots,
  sum(if(side = 'S' AND offset <> 'O', lots, 0)) AS sold_close_lots,
  sum(lots) AS traded_lots,
  CAST(sum(turnover) AS DECIMAL(24,4)) AS turnover
FROM {trade} GROUP BY trade_date, member_id, client_id, contract_id
"""

POSITIONS = """
SELECT trade_date, member_id, client_id, contract_id,
  CAST(sum(close_profit) AS DECIMAL(24,4)) AS close_profit,
  CAST(sum(holding_profit) AS DECIMAL(24,4)) AS holding_profit,
  CAST(sum(fee) AS DECIMAL(24,4)) AS fee,
  sum(if(position_side = 'L', lots, 0)) AS end_long_lots,
  sum(if(position_side = 'S', lots, 0)) AS end_short_lots
FROM {position} GROUP BY trade_date, member_id, client_id, contract_id
"""

KEY = ("trade_date", "member_id", "client_id", "contract_id")


@job(
    "gold.client_day",
    version=1,
    inputs=(
        same("silver.order_event"),
        same("silver.trade"),
        same("silver.position"),
        as_of("silver.contract"),
    ),
)
def client_day(inputs: Inputs) -> DataFrame:
    """One row per client, contract and date with an order, a trade or a position.

    Messages are new orders and cancellations; the order-to-trade ratio is messages / orders with
    any fill (at least 1) - 1, as in the exchange's message fee (SHFE, from 2022-08-04), null
    without messages. What the exchange itself cancels at the close is no cancellation.
    """
    from pyspark.sql import functions as F

    spark = inputs.spark
    orders = spark.sql(ORDERS, order_event=inputs.read("silver.order_event"))
    trades = spark.sql(TRADES, trade=inputs.read("silver.trade"))
    positions = spark.sql(POSITIONS, position=inputs.read("silver.position"))
    joined = orders.join(trades, list(KEY), "full").join(positions, list(KEY), "full")
    given = joined.fillna(0).withColumn("message_count", F.expr("new_orders + cancels"))
    ratio = (
        "if(message_count = 0, NULL, CAST(CAST(message_count AS DECIMAL(18,0))"
        " / greatest(filled_orders, 1) - 1 AS DECIMAL(18,4)))"
    )
    rows = as_of_join(
        given.withColumn("order_to_trade_ratio", F.expr(ratio)),
        inputs.read("silver.contract"),
        on=["contract_id"],
        date_column="trade_date",
        columns=["commodity_id"],
    )
    return rows.select(*[column.name for column in inputs.contract.columns])
