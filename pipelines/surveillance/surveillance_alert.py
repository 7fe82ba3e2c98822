"""Figures that reached their rule, with evidence, explanation and the next measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.rule_book import load_rule_book
from pipelines.engine.job import Inputs, as_of, job, previous, same
from pipelines.engine.local import arrow_frame, local_frame
from pipelines.surveillance.book import BOOK_DIGEST, measures_frame
from pipelines.surveillance.evidence import evidence
from pipelines.surveillance.subjects import subjects

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REACHED = """
SELECT /*+ BROADCAST(r) */ d.*, r.* FROM {day} d
JOIN {rules} r ON r.on_date = d.trade_date AND r.book_rule = d.rule_id AND r.alerts
WHERE d.result = 'REACHED'
"""

ALERTS = """
WITH behind AS (
  SELECT finding, count(*) AS evidence_count,
    array_join(slice(sort_array(collect_list(key)), 1, 20), ',') AS evidence_keys
  FROM {keys} GROUP BY finding
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
LEFT JOIN behind b USING (finding)
LEFT JOIN earlier e USING (rule_id, subject_kind, subject_id, trade_date)
"""


@job(
    "gold.surveillance_alert",
    version=3,
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
    metrics = set(rows.column("metric").to_pylist())
    if not metrics:
        columns = ", ".join(f"`{c.name}` {c.type}" for c in inputs.contract.columns)
        return local_frame(spark, (), columns)
    reached = arrow_frame(spark, rows.append_column("finding", [range(rows.num_rows)]))
    who = subjects(
        spark, inputs.intervals,
        control_group=inputs.read("silver.control_group"), client=inputs.read("silver.client"),
    )  # fmt: skip
    keys = evidence(
        spark,
        metrics,
        findings=reached,
        subjects=arrow_frame(spark, who.toArrow()),
        order_event=inputs.read("silver.order_event"),
        trade=inputs.read("silver.trade"),
        position=inputs.read("silver.position"),
    )
    before = inputs.read("gold.surveillance_day", "previous")
    alerts = spark.sql(ALERTS, reached=reached, keys=keys, before=before)
    return alerts.select(*[column.name for column in inputs.contract.columns])
