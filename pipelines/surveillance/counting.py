"""What clients and control groups did, counted in the cells that rules add up.

A cell is an amount of one metric of one subject in one contract and date, of one kind (side, hedge
flags, order types, reported or not) and either published or ``missing``: delivered and rejected.
Acts are added up per client first; then each client stands for itself and for the control groups
it was tied to on the date. Both come from one small frame (``TIES``), so no table is read twice
for the sake of groups: the plan's size, not the data's, was most of this job's time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.rule_book import GROUP_STATES, RuleBook
from pipelines.engine.local import arrow_frame
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

TIES = f"""
SELECT client_id, collect_list(tie) AS ties FROM (
  SELECT client_id, struct(group_id, valid_from, valid_to) AS tie
  FROM {{control_group}} WHERE status IN {GROUP_STATES!r}
  UNION ALL
  SELECT client_id, struct('' AS group_id, valid_from, valid_to) FROM {{client}}
  WHERE programme_reported
) GROUP BY client_id
"""
"""Per client its control groups and, as the group without a name, that its programme trading is
reported, each with its validity."""

ON = "x.valid_from <= {0}trade_date AND (x.valid_to IS NULL OR {0}trade_date < x.valid_to)"


def subjects_sql(client: str, ties: str, of: str) -> str:
    """SQL of an array of ``{kind, id}``: the client, and the groups it counts for on the date of
    the row called ``of``."""
    groups = f"filter({ties}, x -> x.group_id <> '' AND {ON.format(of + '.')})"
    return (
        f"concat(array(named_struct('kind', 'CLIENT', 'id', {client})), coalesce(transform("
        f"array_distinct(transform({groups}, x -> x.group_id)),"
        " x -> named_struct('kind', 'GROUP', 'id', x)), array()))"
    )


ORDERS = f"""
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
"""

OTHER_ACTS = """
SELECT trade_date, exchange, contract_id, client_id, hedge_flags, '' AS order_types, side,
  false AS missing, metric, sum(amount) AS amount, 0L AS filled
FROM (
  SELECT trade_date, exchange, contract_id, client_id, hedge_flag AS hedge_flags, '' AS side,
    'open_lots' AS metric, CAST(lots AS BIGINT) AS amount FROM {trade} WHERE offset = 'O'
  UNION ALL
  SELECT trade_date, exchange, contract_id, client_id, hedge_flag, position_side,
    'position_lots', CAST(lots AS BIGINT) FROM {position}
  UNION ALL
  SELECT trade_date, exchange, contract_id, client_id, '', '', 'messages', 1L FROM {quote_request}
) GROUP BY ALL
"""

OF_SUBJECTS = f"""
SELECT /*+ BROADCAST(t) */ c.trade_date, c.exchange, c.contract_id, s.kind AS subject_kind,
  s.id AS subject_id, c.metric, c.side, c.hedge_flags, c.order_types, false AS reported, c.missing,
  c.amount, c.filled
FROM {{acts}} c LEFT JOIN {{ties}} t ON t.client_id = c.client_id
LATERAL VIEW inline({subjects_sql("c.client_id", "t.ties", "c")}) s AS kind, id
WHERE (c.amount > 0 OR c.filled > 0) AND NOT (c.metric = 'messages' AND s.kind = 'GROUP')
"""
"""The message fee is a bill to a client: groups have none."""

PAIRS = """
SELECT trade_date, exchange, contract_id, trade_id,
  max(if(side = 'B', client_id, NULL)) AS buyer, max(if(side = 'S', client_id, NULL)) AS seller,
  concat(min(hedge_flag), max(hedge_flag)) AS hedge_flags
FROM {trade} GROUP BY ALL
"""

OWN_TRADES = f"""
SELECT /*+ BROADCAST(b), BROADCAST(s) */ c.trade_date, c.exchange, c.contract_id, c.trade_id,
  c.hedge_flags, o.kind AS subject_kind, o.id AS subject_id
FROM {{pairs}} c
LEFT JOIN {{ties}} b ON b.client_id = c.buyer LEFT JOIN {{ties}} s ON s.client_id = c.seller
LATERAL VIEW inline(array_intersect({subjects_sql("c.buyer", "b.ties", "c")},
  {subjects_sql("c.seller", "s.ties", "c")})) o AS kind, id
WHERE c.buyer = c.seller OR (b.ties IS NOT NULL AND s.ties IS NOT NULL)
"""

SELF_TRADES = """
SELECT /*+ BROADCAST(t) */ s.trade_date, s.exchange, s.contract_id, s.subject_kind, s.subject_id,
  'self_trades' AS metric, '' AS side, s.hedge_flags, coalesce(t.order_types, '') AS order_types,
  false AS reported, false AS missing, 1L AS amount, 0L AS filled
FROM {own} s LEFT JOIN (
  SELECT /*+ BROADCAST(w) */ e.trade_date, e.trade_id,
    concat_ws(',', sort_array(collect_set(e.order_type))) AS order_types
  FROM {order_event} e
  JOIN (SELECT DISTINCT trade_date, trade_id FROM {own}) w
    ON w.trade_date = e.trade_date AND w.trade_id = e.trade_id
  WHERE e.event_type = 'FILL' GROUP BY e.trade_date, e.trade_id
) t ON t.trade_date = s.trade_date AND t.trade_id = s.trade_id
"""

MOMENTS = f"""
SELECT /*+ BROADCAST(t) */ c.trade_date, c.exchange, s.kind AS subject_kind, s.id AS subject_id,
  sort_array(collect_list(unix_micros(c.event_time) * 2
    + if(exists(t.ties, x -> x.group_id = '' AND {ON.format("c.")}), 1, 0))) AS marked
FROM {{order_event}} c LEFT JOIN {{ties}} t ON t.client_id = c.client_id
LATERAL VIEW inline({subjects_sql("c.client_id", "t.ties", "c")}) s AS kind, id
WHERE {OWN_ACT} GROUP BY c.trade_date, c.exchange, s.kind, s.id
HAVING count(*) >= @BURST@
"""
"""Each subject's moments in order, doubled, plus one where the programme trading is reported."""

BURSTS = f"""
SELECT trade_date, exchange, 'ALL' AS contract_id, subject_kind, subject_id, 'bursts' AS metric,
  '' AS side, '' AS hedge_flags, '' AS order_types, reported, false AS missing, amount, 0L AS filled
FROM (
  SELECT *, stack(2, false, open, true, every - open) AS (reported, amount) FROM (
    SELECT trade_date, exchange, subject_kind, subject_id,
      {count_sql("unreported", "@BURST@")} AS open, {count_sql("moments", "@BURST@")} AS every
    FROM (
      SELECT *, transform(marked, x -> x div 2) AS moments,
        transform(filter(marked, x -> x % 2 = 0), x -> x div 2) AS unreported
      FROM {{moments}}
    )
  )
) WHERE amount > 0
"""


def ties(spark: SparkSession, control_group: DataFrame, client: DataFrame) -> DataFrame:
    """One row per client with a control group or a report (see ``TIES``); currently known rows."""
    return spark.sql(TIES, control_group=control_group, client=client)


def cells(
    spark: SparkSession,
    book: RuleBook,
    *,
    order_event: DataFrame,
    trade: DataFrame,
    position: DataFrame,
    quote_request: DataFrame,
    ties: DataFrame,
    missing: DataFrame | None,
) -> DataFrame:
    """All cells (columns ``CELL``) of the wanted dates, more than one row per cell.

    ``missing``: client cells of delivered rows that are not published, None when all are. Amounts
    are occurrences or lots.
    """
    large = parameter_sql(book, "large_cancels", "min_lots")
    burst = parameter_sql(book, "bursts", "burst_messages")
    acts = spark.sql(ORDERS.replace("@LARGE@", large), order_event=order_event).unionByName(
        spark.sql(OTHER_ACTS, trade=trade, position=position, quote_request=quote_request)
    )
    if missing is not None:
        acts = acts.unionByName(missing)
    own = spark.sql(OWN_TRADES, pairs=spark.sql(PAIRS, trade=trade), ties=ties).toArrow()
    moments = spark.sql(MOMENTS.replace("@BURST@", burst), order_event=order_event, ties=ties)
    every = spark.sql(OF_SUBJECTS, acts=acts, ties=ties)
    every = every.unionByName(spark.sql(BURSTS.replace("@BURST@", burst), moments=moments))
    if own.num_rows:  # few enough to collect: trades of a subject with itself
        self_trades = spark.sql(SELF_TRADES, own=arrow_frame(spark, own), order_event=order_event)
        every = every.unionByName(self_trades)
    return every.select(*CELL)
