"""Figures that reached their rule, with evidence, explanation and the next measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.rule_book import GROUP_STATES, load_rule_book
from pipelines.engine.job import Inputs, as_of, job, previous, same
from pipelines.engine.local import arrow_frame, local_frame
from pipelines.surveillance.book import BOOK_DIGEST, measures_frame
from pipelines.surveillance.bursts import SECOND, starts_sql
from pipelines.surveillance.counting import ON, OWN_ACT, OWN_CANCEL, ties

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REACHED = """
SELECT /*+ BROADCAST(r) */ d.*, r.* FROM {day} d
JOIN {rules} r ON r.on_date = d.trade_date AND r.book_rule = d.rule_id AND r.alerts
WHERE d.result = 'REACHED'
"""

SUBJECTS = f"""
SELECT /*+ BROADCAST(t) */ a.*, coalesce(exists(t.ties, x -> x.group_id = '' AND {ON.format("a.")}),
  false) AS reported
FROM (
  SELECT a.*, if(a.subject_kind = 'CLIENT', a.subject_id, g.client_id) AS client_id
  FROM {{reached}} a LEFT JOIN (
    SELECT DISTINCT group_id, client_id, valid_from, valid_to
    FROM {{control_group}} WHERE status IN {GROUP_STATES!r}
  ) g ON a.subject_kind = 'GROUP' AND g.group_id = a.subject_id
    AND a.trade_date >= g.valid_from AND (g.valid_to IS NULL OR a.trade_date < g.valid_to)
) a LEFT JOIN {{ties}} t ON t.client_id = a.client_id
"""

EXEMPT = """
  (array_contains(a.exemptions, 'REPORTED') AND a.reported)
  OR (array_contains(a.exemptions, 'HEDGING') AND e.hedge_flag = 'H')
  OR (array_contains(a.exemptions, 'MARKET_MAKING') AND e.hedge_flag = 'M')
"""

WINDOWS = f"""
SELECT trade_date, exchange, rule_id, subject_kind, subject_id, contract_id, clients,
  explode({starts_sql("moments", "least")}) AS t
FROM (
  SELECT /*+ BROADCAST(a) */ a.trade_date, a.exchange, a.rule_id, a.subject_kind, a.subject_id,
    a.contract_id, max(a.burst_messages) AS least, collect_set(a.client_id) AS clients,
    sort_array(collect_list(unix_micros(e.event_time))) AS moments
  FROM {{order_event}} e JOIN {{subjects}} a ON a.trade_date = e.trade_date
    AND a.client_id = e.client_id AND a.exchange = e.exchange
  WHERE a.metric = 'bursts' AND {OWN_ACT} AND NOT ({EXEMPT})
  GROUP BY ALL
)
"""
"""The windows that were counted: each begins at ``t`` microseconds and lasts a second."""

KEYS = f"""
SELECT /*+ BROADCAST(a) */ a.rule_id, a.subject_kind, a.subject_id, a.contract_id, a.trade_date,
  e.order_id AS key
FROM {{order_event}} e JOIN {{subjects}} a ON a.trade_date = e.trade_date
  AND a.client_id = e.client_id AND a.exchange = e.exchange
  AND (a.contract_id = e.contract_id OR a.contract_id = 'ALL')
WHERE ((a.metric = 'cancels' AND {OWN_CANCEL})
    OR (a.metric = 'large_cancels' AND {OWN_CANCEL} AND e.lots >= a.min_lots))
  AND NOT ({EXEMPT}) AND NOT array_contains(a.exemptions, e.order_type)
UNION
SELECT /*+ BROADCAST(w) */ w.rule_id, w.subject_kind, w.subject_id, w.contract_id, w.trade_date,
  e.order_id
FROM {{order_event}} e JOIN {{windows}} w ON w.trade_date = e.trade_date
  AND w.exchange = e.exchange AND array_contains(w.clients, e.client_id)
  AND unix_micros(e.event_time) >= w.t AND unix_micros(e.event_time) < w.t + {SECOND}
WHERE {OWN_ACT}
UNION
SELECT /*+ BROADCAST(a) */ a.rule_id, a.subject_kind, a.subject_id, a.contract_id, a.trade_date,
  e.trade_id
FROM {{trade}} e JOIN {{subjects}} a ON a.trade_date = e.trade_date
  AND a.client_id = e.client_id AND a.contract_id = e.contract_id
WHERE (a.metric = 'open_lots' AND e.offset = 'O') AND NOT ({EXEMPT})
UNION
SELECT /*+ BROADCAST(a) */ a.rule_id, a.subject_kind, a.subject_id, a.contract_id, a.trade_date,
  e.client_id
FROM {{position}} e JOIN {{subjects}} a ON a.trade_date = e.trade_date
  AND a.client_id = e.client_id AND a.contract_id = e.contract_id
WHERE a.metric = 'position_lots' AND e.lots > 0 AND NOT ({EXEMPT})
UNION
SELECT rule_id, subject_kind, subject_id, contract_id, trade_date, key FROM (
  SELECT /*+ BROADCAST(a) */ a.rule_id, a.subject_kind, a.subject_id, a.contract_id, a.trade_date,
    e.trade_id AS key, count(DISTINCT e.side) AS legs, bool_or({EXEMPT}) AS exempt
  FROM {{trade}} e JOIN {{subjects}} a ON a.trade_date = e.trade_date
    AND a.client_id = e.client_id AND a.contract_id = e.contract_id
  WHERE a.metric = 'self_trades'
  GROUP BY ALL HAVING count(DISTINCT e.side) = 2 AND NOT bool_or({EXEMPT})
) s WHERE NOT EXISTS (
  SELECT 1 FROM {{killed}} k WHERE k.trade_date = s.trade_date AND k.trade_id = s.key)
"""

KILLED = """
SELECT DISTINCT trade_date, trade_id FROM {order_event}
WHERE event_type = 'FILL' AND order_type IN ('FAK', 'FOK')
"""

ALERTS = """
WITH behind AS (
  SELECT rule_id, subject_kind, subject_id, contract_id, trade_date, count(*) AS evidence_count,
    array_join(slice(sort_array(collect_list(key)), 1, 20), ',') AS evidence_keys
  FROM {keys} GROUP BY ALL
), earlier AS (
  SELECT a.trade_date, a.rule_id, a.subject_kind, a.subject_id,
    CAST(count(DISTINCT p.trade_date) AS INT) AS earlier_occurrences
  FROM (SELECT DISTINCT trade_date, rule_id, subject_kind, subject_id, window_from FROM {reached}) a
  JOIN {before} p ON p._for_interval = a.trade_date AND p.rule_id = a.rule_id
    AND p.subject_kind = a.subject_kind AND p.subject_id = a.subject_id AND p.result = 'REACHED'
    AND p.trade_date >= a.window_from
  GROUP BY ALL
)
SELECT a.*, concat('A', left(sha2(concat_ws('|', a.rule_id, a.subject_kind, a.subject_id,
    a.contract_id, CAST(a.trade_date AS STRING)), 256), 20)) AS alert_id,
  coalesce(e.earlier_occurrences, 0) AS earlier_occurrences,
  element_at(a.measures, least(coalesce(e.earlier_occurrences, 0) + 1, size(a.measures)))
    AS next_measure,
  element_at(a.measures_zh, least(coalesce(e.earlier_occurrences, 0) + 1, size(a.measures_zh)))
    AS next_measure_zh,
  CASE WHEN a.metric = 'position_lots' THEN 'client_id'
    WHEN a.metric IN ('self_trades', 'open_lots') THEN 'trade_id' ELSE 'order_id' END
    AS evidence_kind,
  coalesce(b.evidence_count, 0) AS evidence_count, coalesce(b.evidence_keys, '') AS evidence_keys,
  concat(if(a.subject_kind = 'CLIENT', 'Client ', 'Control group '), a.subject_id, ' in ',
    if(a.contract_id = 'ALL', concat('all contracts of ', a.exchange), a.contract_id),
    ' on ', CAST(a.trade_date AS STRING), ': ', a.title,
    if(a.nature = 'DUTY', ' (a duty, not misconduct) ', ' '),
    CAST(a.figure AS STRING), ' (threshold ', a.op, ' ', CAST(a.threshold AS STRING),
    ', rule ', a.rule_id, ' version ', CAST(a.rule_version AS STRING), ').') AS explanation_en,
  concat(if(a.subject_kind = 'CLIENT', '客户', '实控组'), a.subject_id, '于',
    CAST(a.trade_date AS STRING), '在', if(a.contract_id = 'ALL', '全部合约', a.contract_id),
    a.title_zh, if(a.nature = 'DUTY', '（义务提示，非违规）计数', '计数'),
    CAST(a.figure AS STRING), '，标准', if(a.op = '>', '大于', '不少于'),
    CAST(a.threshold AS STRING), '（规则', a.rule_id, '第', CAST(a.rule_version AS STRING),
    '版）。') AS explanation_zh,
  'CURRENT' AS state
FROM {reached} a
LEFT JOIN behind b USING (rule_id, subject_kind, subject_id, contract_id, trade_date)
LEFT JOIN earlier e USING (rule_id, subject_kind, subject_id, trade_date)
"""


@job(
    "gold.surveillance_alert",
    version=2,
    inputs=(
        same("gold.surveillance_day"),
        previous("gold.surveillance_day", 20),
        same("silver.order_event"),
        same("silver.trade"),
        same("silver.position"),
        as_of("silver.control_group"),
        as_of("silver.client"),
    ),
)
def surveillance_alert(inputs: Inputs) -> DataFrame:
    """One row per figure that reached a rule that alerts.

    The id is a digest of rule, subject, contract and date. Earlier occurrences are trade dates of
    the rule's window before the date on which the subject reached the same rule; the measure is
    the rule book's for that many. Findings are few, so they are collected: a day without any reads
    no order.
    """
    spark = inputs.spark
    rules = measures_frame(spark, load_rule_book(), inputs, released=BOOK_DIGEST)
    found = spark.sql(REACHED, day=inputs.read("gold.surveillance_day", "same"), rules=rules)
    rows = found.toArrow()
    if not rows.num_rows:
        columns = ", ".join(f"`{c.name}` {c.type}" for c in inputs.contract.columns)
        return local_frame(spark, (), columns)
    reached = arrow_frame(spark, rows)
    events, groups = inputs.read("silver.order_event"), inputs.read("silver.control_group")
    tied = ties(spark, groups, inputs.read("silver.client"))
    subjects = spark.sql(SUBJECTS, reached=reached, control_group=groups, ties=tied)
    keys = spark.sql(
        KEYS,
        order_event=events,
        trade=inputs.read("silver.trade"),
        position=inputs.read("silver.position"),
        killed=spark.sql(KILLED, order_event=events),
        subjects=subjects,
        windows=spark.sql(WINDOWS, order_event=events, subjects=subjects),
    )
    alerts = spark.sql(
        ALERTS,
        reached=reached,
        keys=keys,
        before=inputs.read("gold.surveillance_day", "previous"),
    )
    return alerts.select(*[column.name for column in inputs.contract.columns])
