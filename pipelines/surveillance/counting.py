"""What clients and control groups did, counted in the cells that rules add up.

A cell is an amount of one metric of one subject in one contract and date, of one kind (side, hedge
flags, order types, reported or not) and either published or ``missing``: delivered and rejected.
Order events are read twice, once added up per client and once for their moments. Who counts for
whom comes from one small frame (``pipelines.surveillance.subjects``), so every join is an equality.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.rule_book import RuleBook
from pipelines.surveillance.book import parameter_sql
from pipelines.surveillance.bursts import count_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OWN_CANCEL = "event_type = 'CANCEL' AND coalesce(reason, '') <> 'SESSION_END'"
"""A cancellation that the client sent, or its order's type brought: not that at the close."""

OWN_ACT = f"(event_type = 'NEW' OR ({OWN_CANCEL}))"
"""A message of the client that reached the order book. A FAK or FOK filled in full is one, its
order; otherwise two, with the cancellation of the rest."""

CELL = (
    "trade_date", "exchange", "contract_id", "subject_kind", "subject_id", "metric", "side",
    "hedge_flags", "order_types", "reported", "missing", "amount", "filled",
)  # fmt: skip

ACTS = f"""
SELECT trade_date, exchange, contract_id, client_id, hedge_flag AS hedge_flags,
  order_type AS order_types, '' AS side, false AS missing,
  stack(3, 'cancels', cancels, 0L, 'large_cancels', large_cancels, 0L,
    'messages', messages, orders_filled) AS (metric, amount, filled)
FROM (
  SELECT trade_date, exchange, contract_id, client_id, hedge_flag, order_type,
    count_if({OWN_CANCEL}) AS cancels,
    count_if({OWN_CANCEL} AND lots >= @LARGE@) AS large_cancels,
    count_if({OWN_ACT}) AS messages,
    count(DISTINCT if(event_type = 'FILL', order_id, NULL)) AS orders_filled
  FROM {{order_event}} GROUP BY ALL
)
UNION ALL
SELECT trade_date, exchange, contract_id, client_id, hedge_flag, '', '', false,
  'open_lots', CAST(lots AS BIGINT), 0L FROM {{trade}} WHERE offset = 'O'
UNION ALL
SELECT trade_date, exchange, contract_id, client_id, hedge_flag, '', position_side, false,
  'position_lots', CAST(lots AS BIGINT), 0L FROM {{position}}
UNION ALL
SELECT trade_date, exchange, contract_id, client_id, '', '', '', false, 'messages', 1L, 0L
FROM {{quote_request}}
"""

COUNTS_FOR = (
    """LEFT JOIN {subjects} s ON s.trade_date = c.trade_date AND s.client_id = c.client_id"""
)
KIND = "coalesce(s.subject_kind, 'CLIENT')"
WHO = "coalesce(s.subject_id, c.client_id)"

OF_SUBJECTS = f"""
SELECT /*+ BROADCAST(s) */ c.trade_date, c.exchange, c.contract_id, {KIND} AS subject_kind,
  {WHO} AS subject_id, c.metric, c.side, c.hedge_flags, c.order_types, false AS reported, c.missing,
  c.amount, c.filled
FROM {{acts}} c {COUNTS_FOR}
WHERE (c.amount > 0 OR c.filled > 0) AND NOT (c.metric = 'messages' AND {KIND} = 'GROUP')
"""
"""The message fee is a bill to a client: groups have none."""

OWN_TRADES = f"""
SELECT trade_date, exchange, contract_id, trade_id, subject_kind, subject_id,
  concat(if(hedging, 'H', ''), if(market_making, 'M', '')) AS hedge_flags
FROM (
  SELECT /*+ BROADCAST(s) */ c.trade_date, c.exchange, c.contract_id, c.trade_id,
    {KIND} AS subject_kind, {WHO} AS subject_id, bool_or(c.side = 'B') AS bought,
    bool_or(c.side = 'S') AS sold, bool_or(c.hedge_flag = 'H') AS hedging,
    bool_or(c.hedge_flag = 'M') AS market_making
  FROM {{trade}} c {COUNTS_FOR}
  GROUP BY ALL HAVING bool_or(c.side = 'B') AND bool_or(c.side = 'S')
)
"""
"""Trades of a subject with itself: few enough to collect."""

SELF_TRADES = """
SELECT /*+ BROADCAST(t) */ s.trade_date, s.exchange, s.contract_id, s.subject_kind, s.subject_id,
  'self_trades' AS metric, '' AS side, s.hedge_flags, coalesce(t.order_types, '') AS order_types,
  false AS reported, false AS missing, 1L AS amount, 0L AS filled
FROM {own} s LEFT JOIN (
  SELECT /*+ BROADCAST(w) */ e.trade_date, e.trade_id,
    concat(if(bool_or(e.order_type = 'FAK'), 'FAK', ''),
      if(bool_or(e.order_type = 'FOK'), 'FOK', '')) AS order_types
  FROM {order_event} e
  JOIN (SELECT DISTINCT trade_date, trade_id FROM {own}) w
    ON w.trade_date = e.trade_date AND w.trade_id = e.trade_id
  WHERE e.event_type = 'FILL' AND e.order_type IN ('FAK', 'FOK')
  GROUP BY e.trade_date, e.trade_id
) t ON t.trade_date = s.trade_date AND t.trade_id = s.trade_id
"""

MOMENTS = f"""
SELECT /*+ BROADCAST(s) */ c.trade_date, c.exchange, {KIND} AS subject_kind, {WHO} AS subject_id,
  collect_list(if(coalesce(s.reported, false), NULL, unix_micros(c.event_time))) AS open,
  collect_list(if(coalesce(s.reported, false), unix_micros(c.event_time), NULL)) AS closed
FROM {{order_event}} c {COUNTS_FOR}
WHERE {OWN_ACT} GROUP BY ALL
"""
"""Each subject's moments: of messages that are not reported programme trading, and that are."""

BURSTS = f"""
SELECT trade_date, exchange, 'ALL' AS contract_id, subject_kind, subject_id, 'bursts' AS metric,
  '' AS side, '' AS hedge_flags, '' AS order_types, reported, false AS missing, amount, 0L AS filled
FROM (
  SELECT *, stack(2, false, n_open, true, n_all - n_open) AS (reported, amount) FROM (
    SELECT *, coalesce({count_sql("together", "least")}, n_open) AS n_all FROM (
      SELECT *, {count_sql("open", "least")} AS n_open FROM (
        SELECT /*+ BROADCAST(r) */ m.trade_date, m.exchange, m.subject_kind, m.subject_id,
          sort_array(m.open) AS open, r.burst_messages AS least,
          if(size(m.closed) > 0, sort_array(concat(m.open, m.closed)), NULL) AS together
        FROM {{moments}} m JOIN {{rules}} r ON r.on_date = m.trade_date
          AND r.rule_exchange = m.exchange AND r.rule_metric = 'bursts'
        WHERE size(m.open) + size(m.closed) >= r.burst_messages
      )
    )
  )
) WHERE amount > 0
"""
"""Windows of the messages that count, and what reported ones add to them."""


def cells(
    spark: SparkSession,
    book: RuleBook,
    *,
    order_event: DataFrame,
    trade: DataFrame,
    position: DataFrame,
    quote_request: DataFrame,
    subjects: DataFrame,
    rules: DataFrame,
    own_trades: DataFrame | None,
    missing: DataFrame | None,
) -> DataFrame:
    """All cells (columns ``CELL``) of the wanted dates, more than one row per cell.

    ``own_trades``: rows of ``OWN_TRADES``, None without any. ``missing``: client cells of
    delivered rows that are not published, None when all are. Amounts are occurrences or lots.
    """
    text = ACTS.replace("@LARGE@", parameter_sql(book, "large_cancels", "min_lots"))
    acts = spark.sql(
        text, order_event=order_event, trade=trade, position=position, quote_request=quote_request
    )
    if missing is not None:
        acts = acts.unionByName(missing)
    moments = spark.sql(MOMENTS, order_event=order_event, subjects=subjects)
    every = spark.sql(OF_SUBJECTS, acts=acts, subjects=subjects)
    every = every.unionByName(spark.sql(BURSTS, moments=moments, rules=rules))
    if own_trades is not None:
        self_trades = spark.sql(SELF_TRADES, own=own_trades, order_event=order_event)
        every = every.unionByName(self_trades)
    return every.select(*CELL)
