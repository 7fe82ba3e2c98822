"""The market per contract and day, with the exchange's public figures beside the internal ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SQL = """
WITH traded AS (
  SELECT trade_date, contract_id, sum(lots) AS volume_lots, sum(turnover) AS turnover,
    count(*) AS trade_count,
    CAST(sum(price * lots) / sum(lots) AS DECIMAL(18,4)) AS vwap_price
  FROM {trade} WHERE side = 'B' GROUP BY trade_date, contract_id
), internal AS (
  SELECT coalesce(s.trade_date, t.trade_date) AS trade_date,
    coalesce(s.contract_id, t.contract_id) AS contract_id,
    s.exchange, s.commodity_id, s.open_price, s.high_price, s.low_price, s.close_price,
    s.settlement_price, s.prev_settlement_price, s.open_interest_lots,
    coalesce(t.volume_lots, 0) AS volume_lots,
    coalesce(t.turnover, 0) AS turnover,
    coalesce(t.trade_count, 0) AS trade_count, t.vwap_price
  FROM {settlement} s
  FULL JOIN traded t ON t.trade_date = s.trade_date AND t.contract_id = s.contract_id
)
SELECT coalesce(i.trade_date, q.trade_date) AS trade_date,
  coalesce(i.exchange, q.exchange) AS exchange,
  coalesce(i.commodity_id, q.commodity_id) AS commodity_id,
  coalesce(i.contract_id, q.contract_id) AS contract_id,
  CASE WHEN i.contract_id IS NOT NULL THEN 'INTERNAL'
    WHEN q.data_source = 'EXCHANGE_QUOTE' THEN 'PUBLIC' ELSE 'VENDOR' END AS figure_source,
  coalesce(i.open_price, q.open_price) AS open_price,
  coalesce(i.high_price, q.high_price) AS high_price,
  coalesce(i.low_price, q.low_price) AS low_price,
  coalesce(i.close_price, q.close_price) AS close_price,
  coalesce(i.settlement_price, q.settlement_price) AS settlement_price,
  coalesce(i.prev_settlement_price, q.prev_settlement_price) AS prev_settlement_price,
  if(i.contract_id IS NOT NULL, i.volume_lots, q.volume_lots) AS volume_lots,
  CAST(if(i.contract_id IS NOT NULL, i.turnover, q.turnover) AS DECIMAL(24,4)) AS turnover,
  if(i.contract_id IS NOT NULL, i.open_interest_lots, q.open_interest_lots) AS open_interest_lots,
  if(q.data_source = 'EXCHANGE_QUOTE', q.volume_lots, NULL) AS public_volume_lots,
  if(q.data_source = 'EXCHANGE_QUOTE', q.turnover, NULL) AS public_turnover,
  if(q.data_source = 'EXCHANGE_QUOTE', q.open_interest_lots, NULL) AS public_open_interest_lots,
  i.trade_count, i.vwap_price
FROM internal i
FULL JOIN {quote} q ON q.trade_date = i.trade_date AND q.contract_id = i.contract_id
"""


@job(
    "gold.market_daily",
    version=2,
    inputs=(
        same("silver.settlement", optional=True),
        same("silver.trade", optional=True),
        same("silver.quote_daily", optional=True),
    ),
)
def market_daily(inputs: Inputs) -> DataFrame:
    """One row per contract and date known to the clearing house, the trades or the public quotes.

    Prices, open interest and volume are internal where internal systems know the contract on the
    date (volume and turnover are sums over published trades, counted one-sided), else the public
    ones; ``figure_source`` says which. ``vwap_price`` is the mean trade price weighted by lots.
    """
    rows = inputs.spark.sql(
        SQL,
        trade=inputs.read("silver.trade"),
        settlement=inputs.read("silver.settlement"),
        quote=inputs.read("silver.quote_daily"),
    )
    return rows.select(*[column.name for column in inputs.contract.columns])
