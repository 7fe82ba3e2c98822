"""The orders, trades and positions behind figures that reached their rule.

Findings are few, what they point at need not be: findings are numbered and kept in the driver,
the tables they count are read once each, and windows find their messages by the second.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pipelines.surveillance.bursts import SECOND, starts_sql
from pipelines.surveillance.counting import OWN_ACT, OWN_CANCEL

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql import DataFrame, SparkSession

CLIENTS = """
SELECT /*+ BROADCAST(a) */ a.finding, a.trade_date, a.exchange, a.contract_id, a.metric,
  a.exemptions, a.min_lots, a.burst_messages, coalesce(s.client_id, a.subject_id) AS client_id,
  coalesce(s.reported, false) AS reported
FROM {findings} a LEFT JOIN {subjects} s ON s.trade_date = a.trade_date
  AND s.subject_kind = a.subject_kind AND s.subject_id = a.subject_id
"""
"""Findings with each client that counts for their subject."""

EXEMPT = """(
  (array_contains(a.exemptions, 'REPORTED') AND a.reported)
  OR (array_contains(a.exemptions, 'HEDGING') AND e.hedge_flag = 'H')
  OR (array_contains(a.exemptions, 'MARKET_MAKING') AND e.hedge_flag = 'M'))
"""

OF_CLIENT = """JOIN {clients} a ON a.trade_date = e.trade_date AND a.client_id = e.client_id
  AND a.exchange = e.exchange"""

WINDOWS = f"""
SELECT finding, starts, inline(array(named_struct('second', starts div {SECOND}),
  named_struct('second', starts div {SECOND} + 1))) FROM (
  SELECT finding, explode({starts_sql("moments", "least")}) AS starts FROM (
    SELECT /*+ BROADCAST(a) */ a.finding, max(a.burst_messages) AS least,
      sort_array(collect_list(unix_micros(e.event_time))) AS moments
    FROM {{order_event}} e {OF_CLIENT}
    WHERE a.metric = 'bursts' AND {OWN_ACT} AND NOT {EXEMPT}
    GROUP BY a.finding
  )
)
"""
"""The windows that were counted, each beginning at ``starts`` microseconds and lasting a second,
once for either second of the clock it can touch."""

IN_WINDOWS = f"""
SELECT /*+ BROADCAST(w) */ DISTINCT a.finding, a.order_id AS key FROM (
  SELECT /*+ BROADCAST(a) */ a.finding, e.order_id, unix_micros(e.event_time) AS moment
  FROM {{order_event}} e {OF_CLIENT}
  WHERE a.metric = 'bursts' AND {OWN_ACT} AND NOT {EXEMPT}
) a JOIN {{windows}} w ON w.finding = a.finding AND w.second = a.moment div {SECOND}
  AND a.moment >= w.starts AND a.moment < w.starts + {SECOND}
"""

CANCELS = f"""
SELECT /*+ BROADCAST(a) */ DISTINCT a.finding, e.order_id AS key
FROM {{order_event}} e {OF_CLIENT} AND a.contract_id = e.contract_id
WHERE (a.metric = 'cancels' OR (a.metric = 'large_cancels' AND e.lots >= a.min_lots))
  AND {OWN_CANCEL} AND NOT {EXEMPT} AND NOT array_contains(a.exemptions, e.order_type)
"""

TRADES = f"""
SELECT /*+ BROADCAST(k) */ t.finding, t.key FROM (
  SELECT /*+ BROADCAST(a) */ a.finding, e.trade_date, e.trade_id AS key
  FROM {{trade}} e {OF_CLIENT} AND a.contract_id = e.contract_id
  WHERE a.metric = 'self_trades' OR (a.metric = 'open_lots' AND e.offset = 'O' AND NOT {EXEMPT})
  GROUP BY a.finding, a.metric, e.trade_date, e.trade_id
  HAVING a.metric = 'open_lots'
    OR (bool_or(e.side = 'B') AND bool_or(e.side = 'S') AND NOT bool_or({EXEMPT}))
) t LEFT ANTI JOIN {{killed}} k ON k.finding = t.finding AND k.trade_id = t.key
"""

KILLED = f"""
SELECT /*+ BROADCAST(a) */ DISTINCT a.finding, e.trade_id
FROM {{order_event}} e {OF_CLIENT}
WHERE a.metric = 'self_trades' AND e.event_type = 'FILL' AND e.order_type IN ('FAK', 'FOK')
  AND array_contains(a.exemptions, e.order_type)
"""
"""Trades of a FAK or FOK order; both their orders are the subject's."""

POSITIONS = f"""
SELECT /*+ BROADCAST(a) */ DISTINCT a.finding, e.client_id AS key
FROM {{position}} e {OF_CLIENT} AND a.contract_id = e.contract_id
WHERE a.metric = 'position_lots' AND e.lots > 0 AND NOT {EXEMPT}
"""


def evidence(
    spark: SparkSession,
    metrics: Collection[str],
    *,
    findings: DataFrame,
    subjects: DataFrame,
    order_event: DataFrame,
    trade: DataFrame,
    position: DataFrame,
) -> DataFrame:
    """Each finding's distinct keys (``finding``, ``key``): order, trade or client ids.

    ``metrics`` are those of the findings, at least one: only the tables that they count are read.
    """
    clients = spark.sql(CLIENTS, findings=findings, subjects=subjects)
    parts = []
    if {"cancels", "large_cancels"} & set(metrics):
        parts.append(spark.sql(CANCELS, order_event=order_event, clients=clients))
    if "bursts" in metrics:
        windows = spark.sql(WINDOWS, order_event=order_event, clients=clients)
        parts.append(
            spark.sql(IN_WINDOWS, order_event=order_event, clients=clients, windows=windows)
        )
    if {"self_trades", "open_lots"} & set(metrics):
        killed = spark.sql(KILLED, order_event=order_event, clients=clients)
        parts.append(spark.sql(TRADES, trade=trade, clients=clients, killed=killed))
    if "position_lots" in metrics:
        parts.append(spark.sql(POSITIONS, position=position, clients=clients))
    return reduce(lambda found, part: found.unionByName(part), parts)
