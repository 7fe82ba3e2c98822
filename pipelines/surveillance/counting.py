"""What clients and control groups did, counted in the cells that rules add up.

A cell is an amount of one metric of one subject in one contract and date, of one kind (side, hedge
flags, order types, reported or not) and either published or ``missing``: delivered and rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.rule_book import GROUP_STATES, RuleBook
from pipelines.surveillance.book import parameter_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OWN_CANCEL = "event_type = 'CANCEL' AND coalesce(reason, '') <> 'SESSION_END'"
"""A cancellation that the client sent, or its order's type brought: not that at the close."""

CELL = (
    "trade_date", "exchange", "contract_id", "subject_kind", "subject_id", "metric", "side",
    "hedge_flags", "order_types", "reported", "missing", "amount", "filled",
)  # fmt: skip

ORDERS = f"""
SELECT trade_date, exchange, contract_id, client_id, hedge_flag, order_type,
  count_if({OWN_CANCEL}) AS cancels,
  count_if({OWN_CANCEL} AND lots >= @LARGE@) AS large_cancels,
  count_if(event_type = 'NEW' OR ({OWN_CANCEL})) AS messages
FROM {{order_event}} GROUP BY ALL
"""

FILLED = """
SELECT trade_date, exchange, contract_id, client_id, hedge_flag, order_type, count(*) AS filled
FROM (SELECT DISTINCT trade_date, exchange, contract_id, client_id, hedge_flag, order_type, order_id
      FROM {order_event} WHERE event_type = 'FILL')
GROUP BY ALL
"""

SECONDS = f"""
SELECT trade_date, exchange, client_id, unix_seconds(event_time) AS second, count(*) AS messages
FROM {{order_event}} WHERE event_type = 'NEW' OR ({OWN_CANCEL}) GROUP BY ALL
"""

PLAIN = """
SELECT trade_date, exchange, contract_id, client_id, metric, side, hedge_flags, order_types,
  false AS reported, false AS missing, sum(amount) AS amount, sum(filled) AS filled
FROM (
  SELECT trade_date, exchange, contract_id, client_id, hedge_flag AS hedge_flags,
    order_type AS order_types, '' AS side, 0L AS filled,
    stack(3, 'cancels', cancels, 'large_cancels', large_cancels, 'messages', messages)
      AS (metric, amount)
  FROM {orders}
  UNION ALL
  SELECT trade_date, exchange, contract_id, client_id, hedge_flag, order_type, '', filled,
    'messages', 0L FROM {filled}
  UNION ALL
  SELECT trade_date, exchange, contract_id, client_id, hedge_flag, '', '', 0L, 'open_lots',
    CAST(lots AS BIGINT) FROM {trade} WHERE offset = 'O'
  UNION ALL
  SELECT trade_date, exchange, contract_id, client_id, hedge_flag, '', position_side, 0L,
    'position_lots', CAST(lots AS BIGINT) FROM {position}
)
GROUP BY ALL HAVING sum(amount) > 0 OR sum(filled) > 0
"""

MEMBERS = f"""
SELECT DISTINCT group_id, client_id, valid_from, valid_to
FROM {{control_group}} WHERE status IN {GROUP_STATES!r}
"""

OF_GROUP = (
    "m.client_id = {0} AND c.trade_date >= m.valid_from"
    " AND (m.valid_to IS NULL OR c.trade_date < m.valid_to)"
)

PAIRS = """
SELECT trade_date, exchange, contract_id, trade_id,
  max(if(side = 'B', client_id, NULL)) AS buyer, max(if(side = 'S', client_id, NULL)) AS seller,
  concat(min(hedge_flag), max(hedge_flag)) AS hedge_flags
FROM {trade} GROUP BY ALL
"""

SELF = f"""
SELECT /*+ BROADCAST(m), BROADCAST(n) */ c.*, 'GROUP' AS subject_kind, m.group_id AS subject_id
FROM {{pairs}} c JOIN {{members}} m ON {OF_GROUP.format("c.buyer")}
JOIN {{members}} n ON n.group_id = m.group_id
  AND {OF_GROUP.format("c.seller").replace("m.", "n.")}
UNION ALL
SELECT *, 'CLIENT' AS subject_kind, buyer AS subject_id FROM {{pairs}} WHERE buyer = seller
"""

SELF_CELLS = """
SELECT /*+ BROADCAST(t) */ s.trade_date, s.exchange, s.contract_id, s.subject_kind, s.subject_id,
  'self_trades' AS metric, '' AS side, s.hedge_flags, coalesce(t.order_types, '') AS order_types,
  false AS reported, false AS missing, count(*) AS amount, 0L AS filled
FROM {own} s LEFT JOIN (
  SELECT /*+ BROADCAST(w) */ e.trade_date, e.trade_id,
    concat_ws(',', sort_array(collect_set(e.order_type))) AS order_types
  FROM {order_event} e
  JOIN (SELECT DISTINCT trade_date, trade_id FROM {own}) w
    ON w.trade_date = e.trade_date AND w.trade_id = e.trade_id
  WHERE e.event_type = 'FILL' GROUP BY e.trade_date, e.trade_id
) t ON t.trade_date = s.trade_date AND t.trade_id = s.trade_id
GROUP BY ALL
"""

BURSTS = f"""
WITH seconds AS (
  SELECT /*+ BROADCAST(m) */ c.trade_date, c.exchange, 'GROUP' AS subject_kind,
    m.group_id AS subject_id, c.second,
    sum(c.messages) AS messages, sum(if(c.reported, 0, c.messages)) AS unreported
  FROM {{seconds}} c JOIN {{members}} m ON {OF_GROUP.format("c.client_id")}
  GROUP BY c.trade_date, c.exchange, m.group_id, c.second
  UNION ALL
  SELECT trade_date, exchange, 'CLIENT', client_id, second, messages, if(reported, 0, messages)
  FROM {{seconds}}
), counted AS (
  SELECT trade_date, exchange, subject_kind, subject_id,
    count_if(unreported >= @BURST@) AS open, count_if(messages >= @BURST@) AS every
  FROM seconds GROUP BY ALL
)
SELECT trade_date, exchange, 'ALL' AS contract_id, subject_kind, subject_id, 'bursts' AS metric,
  '' AS side, '' AS hedge_flags, '' AS order_types, reported, false AS missing, amount, 0L AS filled
FROM (SELECT *, stack(2, false, open, true, every - open) AS (reported, amount) FROM counted)
WHERE amount > 0
"""

GROUPED = f"""
SELECT trade_date, exchange, contract_id, 'CLIENT' AS subject_kind, client_id AS subject_id,
  metric, side, hedge_flags, order_types, reported, missing, amount, filled FROM {{cells}}
UNION ALL
SELECT /*+ BROADCAST(m) */ c.trade_date, c.exchange, c.contract_id, 'GROUP', m.group_id, c.metric,
  c.side, c.hedge_flags, c.order_types, c.reported, c.missing, sum(c.amount), sum(c.filled)
FROM {{cells}} c JOIN {{members}} m ON {OF_GROUP.format("c.client_id")}
WHERE c.metric <> 'messages' GROUP BY ALL
"""


def cells(
    spark: SparkSession,
    book: RuleBook,
    *,
    order_event: DataFrame,
    trade: DataFrame,
    position: DataFrame,
    client: DataFrame,
    control_group: DataFrame,
    missing: DataFrame,
) -> DataFrame:
    """All cells (columns ``CELL``) of the wanted dates.

    ``client`` and ``control_group``: the currently known rows; ``missing``: client cells of
    delivered rows that are not published. Amounts are occurrences or lots.
    """
    from pipelines.engine.conform import as_of_join

    large = parameter_sql(book, "large_cancels", "min_lots")
    burst = parameter_sql(book, "bursts", "burst_messages")
    members = spark.sql(MEMBERS, control_group=control_group)
    plain = spark.sql(
        PLAIN,
        orders=spark.sql(ORDERS.replace("@LARGE@", large), order_event=order_event),
        filled=spark.sql(FILLED, order_event=order_event),
        trade=trade,
        position=position,
    ).unionByName(missing)
    pairs = spark.sql(PAIRS, trade=trade)
    own = spark.sql(SELF, pairs=pairs, members=members)
    seconds = as_of_join(
        spark.sql(SECONDS, order_event=order_event), client, ["client_id"], "trade_date",
        {"programme_reported": "reported"},
    ).fillna(False, ["reported"])  # fmt: skip
    found = [
        spark.sql(GROUPED, cells=plain, members=members),
        spark.sql(SELF_CELLS, own=own, order_event=order_event),
        spark.sql(BURSTS.replace("@BURST@", burst), seconds=seconds, members=members),
    ]
    every = found[0]
    for more in found[1:]:
        every = every.unionByName(more)
    return every.select(*CELL)
