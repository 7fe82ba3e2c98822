"""Failures that stewards let pass, as readers of a published file see them.

A rule that was waived is evaluated all the same and its result stays *failed*. What is published
names the rule, the count, who decided and until when it holds; never a value of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from catalog.masking import MaskPlan
from catalog.meta import MetaColumn, MetaTable
from pipelines.engine.ledgers import DECISION, RESULT, Ledgers, period_of
from pipelines.engine.rows import DecisionRow, newest


@dataclass(frozen=True)
class Waived:
    """One rule's failure on one interval that a decision in force lets pass."""

    product: str
    interval: str
    rule_id: str
    severity: str
    failing: int | None
    checked: int | None
    decision_id: str
    reason: str
    by: str
    until: date | None


def waived(ledgers: Ledgers) -> tuple[Waived, ...]:
    """By product, interval and rule, by the newest judgement of each.

    Reads only the months of the products that decisions in force name.
    """
    decisions = {
        d.decision_id: d
        for d in newest(ledgers.read(DECISION))
        if d.in_force and d.kind in ("waiver", "release")
    }
    if not decisions:
        return ()
    everywhere = any(d.interval in (None, "*") for d in decisions.values())
    periods = None if everywhere else {period_of(str(d.interval)) for d in decisions.values()}
    products = sorted({d.product for d in decisions.values()})
    last = {
        (r.product, r.interval, r.rule_id): r
        for r in ledgers.read(RESULT, periods=periods, where={"product": products})
    }
    return tuple(
        Waived(
            r.product, r.interval, r.rule_id, r.severity, r.failing, r.checked, r.decision_id,
            decisions[r.decision_id].reason, _people(decisions[r.decision_id]),
            decisions[r.decision_id].expires_on,
        )
        for _, r in sorted(last.items())
        if r.outcome == "failed" and r.decision_id in decisions
    )  # fmt: skip


def waived_table(found: Sequence[Waived], plans: Mapping[str, MaskPlan]) -> MetaTable:
    """``_meta.waived`` of a file that holds these products.

    A reason is a person's own words and may name what is above the audience's clearance: it is
    left out unless the audience sees the whole product in clear.
    """
    columns = (
        MetaColumn("product", "VARCHAR", "product", "数据产品"),
        MetaColumn("interval", "VARCHAR", "ISO trade date, or all", "区间"),
        MetaColumn("rule_id", "VARCHAR", "the rule that failed", "未通过的规则"),
        MetaColumn("severity", "VARCHAR", "its severity", "严重度"),
        MetaColumn("outcome", "VARCHAR", "always: failed, waived", "结果"),
        MetaColumn("failing", "BIGINT", "rows or keys that failed", "未通过数"),
        MetaColumn("checked", "BIGINT", "rows or keys checked", "检查数"),
        MetaColumn("waived_by", "VARCHAR", "who decided, and who approved", "决定与批准"),
        MetaColumn("reason", "VARCHAR", "why; null where the product is masked", "理由"),
        MetaColumn("until", "DATE", "last trade date it holds; null: this one", "到期日"),
        MetaColumn("decision_id", "VARCHAR", "the decision", "决定编号"),
    )
    rows = tuple(
        (w.product, w.interval, w.rule_id, w.severity, "failed, waived", w.failing, w.checked,
         w.by, w.reason if _in_clear(plans[w.product]) else None, w.until, w.decision_id)
        for w in found
        if w.product in plans
    )  # fmt: skip
    title = "failed rules that a steward let pass"
    return MetaTable("waived", title, "管家放行的未通过规则", columns, rows)


def _in_clear(plan: MaskPlan) -> bool:
    return all(c.classification <= plan.audience.clearance for c in plan.contract.columns)


def _people(d: DecisionRow) -> str:
    return " + ".join(p for p in (d.decided_by, d.approved_by) if p)
