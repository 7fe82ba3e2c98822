"""Delivered rows that are not published: what they could add to a figure.

Rejected rows are found by comparing the delivered (bronze) rows with the published ones, so the
job needs no knowledge of the quarantine. Bounds are generous: an undecided subject is looked at,
a missed one is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SHORT = """
SELECT contract_id FROM (
  SELECT trim(contract_id) AS contract_id, 1 AS n FROM {bronze}
  UNION ALL SELECT contract_id, -1 FROM {silver}
) GROUP BY contract_id HAVING sum(n) <> 0
"""

GONE = """
SELECT /*+ BROADCAST(s) */ CAST(b._interval AS DATE) AS trade_date,
  coalesce(trim(b.contract_id), '') AS contract_id, trim(b.client_id) AS client_id, {columns}
FROM {bronze} b LEFT JOIN {short} s ON s.contract_id <=> trim(b.contract_id)
LEFT ANTI JOIN (SELECT p._delivery_id, p._row_number FROM {silver} p) p
  ON p._delivery_id = b._delivery_id AND p._row_number = b._row_number
WHERE s.contract_id IS NOT NULL OR b.contract_id IS NULL
"""

CELLS = """
SELECT g.trade_date, k.exchange, if(metric = 'bursts', 'ALL', g.contract_id) AS contract_id,
  g.client_id, metric, side, '' AS hedge_flags, '' AS order_types, false AS reported,
  true AS missing, sum(amount) AS amount, 0L AS filled
FROM (
  SELECT trade_date, contract_id, client_id, '' AS side,
    stack(4, 'cancels', if(coalesce(kind, '') IN ('NEW', 'FILL', 'REJECT'), 0L, 1L),
      'large_cancels', if(coalesce(kind, '') IN ('NEW', 'FILL', 'REJECT'), 0L, 1L),
      'messages', 2L, 'bursts', 1L) AS (metric, amount)
  FROM {order_event}
  UNION ALL
  SELECT trade_date, contract_id, client_id, '',
    stack(2, 'self_trades', 1L,
      'open_lots', if(coalesce(kind, '') IN ('C', 'T'), 0L, coalesce(amount, 1000000L)))
      AS (metric, amount)
  FROM {trade}
  UNION ALL
  SELECT trade_date, contract_id, client_id, if(kind = 'S', 'S', 'L'), 'position_lots',
    coalesce(amount, 1000000L) FROM {position}
) g JOIN {contract} k ON k.contract_id = g.contract_id AND g.trade_date >= k.valid_from
  AND (k.valid_to IS NULL OR g.trade_date < k.valid_to)
WHERE amount > 0 AND g.client_id IS NOT NULL
GROUP BY ALL
"""

COUNTS = """
SELECT g.trade_date, if(k.contract_id IS NULL, '', g.contract_id) AS contract_id, count(*) AS rows
FROM (SELECT trade_date, contract_id FROM {order_event} UNION ALL
      SELECT trade_date, contract_id FROM {trade} UNION ALL
      SELECT trade_date, contract_id FROM {position}) g
LEFT JOIN {contract} k ON k.contract_id = g.contract_id AND g.trade_date >= k.valid_from
  AND (k.valid_to IS NULL OR g.trade_date < k.valid_to)
GROUP BY ALL
"""

KINDS = {"order_event": "event_type", "trade": "offset", "position": "position_side"}


def gone(spark: SparkSession, name: str, bronze: DataFrame, silver: DataFrame) -> DataFrame:
    """Delivered rows of ``silver.<name>`` that are not published.

    Columns: trade_date, contract_id, client_id, kind (event type, offset or side) and amount (lots,
    NULL where unreadable). Contracts of which every row is published are not searched.
    """
    columns = f"upper(trim(b.{KINDS[name]})) AS kind, try_cast(trim(b.lots) AS BIGINT) AS amount"
    short = spark.sql(SHORT, bronze=bronze, silver=silver)
    return spark.sql(GONE.replace("{columns}", columns), bronze=bronze, silver=silver, short=short)


def missing_cells(spark: SparkSession, found: dict[str, Any], contract: DataFrame) -> DataFrame:
    """What rejected rows could add, as client cells marked ``missing``."""
    return spark.sql(CELLS, contract=contract, **found)


def missing_counts(spark: SparkSession, found: dict[str, Any], contract: DataFrame) -> DataFrame:
    """Rejected rows per date and contract; the contract is empty where none is known."""
    return spark.sql(COUNTS, contract=contract, **found)
