"""What a published file tells of alerts besides the mart: their past states, and what was done.

Both come from ledgers, for an audience that sees the alerts themselves in clear, and for no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from catalog.masking import MaskPlan
from catalog.meta import TIMESTAMP, MetaColumn, MetaTable
from catalog.sidecar import digest
from pipelines.engine.ledgers import ALERT, DISPOSITION
from pipelines.surveillance.alert_life import versions

if TYPE_CHECKING:
    from pipelines.engine.ledgers import Ledgers

PRODUCT = "gold.surveillance_alert"
HISTORY = (
    MetaColumn("alert_id", "VARCHAR", "alert", "预警编号"),
    MetaColumn("trade_date", "DATE", "trade date", "交易日"),
    MetaColumn("state", "VARCHAR", "CURRENT, SUPERSEDED or WITHDRAWN", "状态"),
    MetaColumn("rule_id", "VARCHAR", "rule", "规则"),
    MetaColumn("rule_version", "INTEGER", "rule version", "规则版本"),
    MetaColumn("subject_kind", "VARCHAR", "kind of subject", "对象类别"),
    MetaColumn("subject_id", "VARCHAR", "subject", "监察对象"),
    MetaColumn("contract_id", "VARCHAR", "contract", "合约"),
    MetaColumn("figure", "BIGINT", "figure then", "当时计数"),
    MetaColumn("threshold", "BIGINT", "threshold then", "当时标准"),
    MetaColumn("since", TIMESTAMP, "recorded at, UTC", "记录时间（UTC）"),
    MetaColumn("because", "VARCHAR", "what brought it: deliveries, decisions", "来由"),
    MetaColumn("until", TIMESTAMP, "ended at, UTC; null: it stands", "结束时间（UTC）"),
    MetaColumn("ended_because", "VARCHAR", "what changed or withdrew it", "更正或撤销的来由"),
)
DONE = (
    MetaColumn("alert_id", "VARCHAR", "alert", "预警编号"),
    MetaColumn("trade_date", "DATE", "trade date", "交易日"),
    MetaColumn("kind", "VARCHAR", "note, no_action, phoned, watch_list, escalated", "处置方式"),
    MetaColumn("reason", "VARCHAR", "reason", "事由"),
    MetaColumn("person", "VARCHAR", "who did it", "处置人"),
    MetaColumn("at", TIMESTAMP, "when it was done, UTC", "处置时间（UTC）"),
    MetaColumn("recorded_at", TIMESTAMP, "when it was written down, UTC", "记录时间（UTC）"),
    MetaColumn("entered_by", "VARCHAR", "the system's user", "录入用户"),
)


def alert_tables(
    ledgers: Ledgers, plans: Mapping[str, MaskPlan]
) -> tuple[tuple[MetaTable, ...], str]:
    """``_meta.alert_history`` and ``_meta.disposition`` with a digest of both; none for an audience
    without the mart of alerts, or with a masked one."""
    plan = plans.get(PRODUCT)
    if plan is None or plan.is_masked:
        return (), ""
    history = tuple(
        (
            v.row.alert_id, v.row.interval, v.state, v.row.rule_id, v.row.rule_version,
            v.row.subject_kind, v.row.subject_id, v.row.contract_id, v.row.figure,
            v.row.threshold, v.row.at, "; ".join(v.row.because) or None,
            v.ended_by.at if v.ended_by else None,
            ("; ".join(v.ended_by.because) or None) if v.ended_by else None,
        )
        for v in versions(ledgers.read(ALERT))
    )  # fmt: skip
    done = tuple(
        (d.alert_id, d.interval, d.kind, d.reason, d.person, d.at, d.recorded_at, d.entered_by)
        for d in ledgers.read(DISPOSITION)
    )
    tables = (
        MetaTable("alert_history", "every state of every alert", "预警历史", HISTORY, history),
        MetaTable("disposition", "what was done about alerts", "预警处置", DONE, done),
    )
    return tables, digest([[str(v) for v in row] for row in (*history, *done)])
