"""What the report's templates show: the document, grouped and counted. Pure functions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from quality.outcome import EVERY_INTERVAL
from quality.report import Held, Refusal, RunInfo, RunLine, Sample

if TYPE_CHECKING:
    from contracts.model import Contract
    from quality.board import Board
    from quality.outcome import Decision, RuleResult, Verdict
    from quality.report import ReportDocument
    from quality.trend import Trend

LAYERS = ("bronze", "silver", "gold")
SHOWN_EACH = 5
"""Intervals of one rule that are told in full; a backfill may have hundreds."""
_DECLARED = ("not_due", "not_applicable")
_WORST = ("block", "publish_with_quarantine", "publish")
_BEIJING = ZoneInfo("Asia/Shanghai")
_WORDS = {
    "publish": ("发布", "published"),
    "publish_with_quarantine": ("隔离后发布", "with quarantine"),
    "block": ("拦截", "blocked"),
    "held": ("等待", "held"),
    "unchanged": ("未变", "unchanged"),
    "passed": ("通过", "passed"),
    "failed": ("未通过", "failed"),
    "waived": ("已豁免", "waived"),
    "not_evaluated": ("无法评估", "not evaluated"),
    "not_applicable": ("不适用", "not applicable"),
    "not_due": ("未到期", "not yet due"),
    "critical": ("致命", "critical"),
    "error": ("错误", "error"),
    "warning": ("警告", "warning"),
    "info": ("提示", "info"),
    "completeness": ("完整性", "completeness"),
    "uniqueness": ("唯一性", "uniqueness"),
    "validity": ("有效性", "validity"),
    "accuracy": ("准确性", "accuracy"),
    "consistency": ("一致性", "consistency"),
    "timeliness": ("及时性", "timeliness"),
    "published": ("已发布", "published"),
    "with_quarantine": ("隔离后发布", "with quarantine"),
    "landed": ("已接收", "landed"),
    "blocked": ("拦截", "blocked"),
    "flagged": ("新检验未通过", "flagged"),
    "failed_run": ("运行出错", "run broke"),
    "late": ("迟到", "late"),
    "refused": ("文件被拒收", "file refused"),
    "steward": ("数据管家", "steward"),
    "approver": ("第二人审批", "second person"),
    "engineer": ("数据工程师", "engineer"),
    "sender": ("报送方", "sender"),
    "run": ("下一次运行", "next run"),
    "waiver": ("豁免", "waiver"),
    "release": ("放行", "release"),
    "patch": ("修补", "patch"),
    "rejection": ("剔除", "rejection"),
    "bronze": ("原始层", "bronze"),
    "silver": ("整合层", "silver"),
    "gold": ("集市层", "gold"),
}


@dataclass(frozen=True)
class Cell:
    """One product and interval on the map; ``state`` is a key of ``words`` or empty."""

    state: str
    quarantined: int = 0
    target: str = ""


@dataclass(frozen=True)
class MapRow:
    """One product on the map, a cell per interval."""

    product: str
    title: str
    title_zh: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Finding:
    """One rule result worth reading: failed, waived, not evaluated or declared."""

    result: RuleResult
    state: str
    description: str
    description_zh: str
    evidence: tuple[dict[str, Any], ...]
    trend: Trend
    decisions: tuple[Decision, ...]
    more: tuple[str, ...] = ()
    """Other intervals on which the rule came to the same, not listed one by one."""


@dataclass(frozen=True)
class Passed:
    """A rule that passed on some intervals."""

    rule_id: str
    dimension: str
    severity: str
    description: str
    intervals: int
    checked: int
    trend: Trend


@dataclass(frozen=True)
class Section:
    """One product: its verdicts, findings, passes and sample rows."""

    anchor: str
    product: str
    title: str
    title_zh: str
    owner: str
    steward: str
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    passes: tuple[Passed, ...]
    samples: tuple[Sample, ...]
    sample_columns: tuple[str, ...]
    worst: str

    @property
    def calm(self) -> bool:
        """Nothing to look at: all published whole, no rule failed (some may be declared)."""
        return self.worst == "publish" and all(f.state in _DECLARED for f in self.findings)

    @property
    def built(self) -> int:
        """Rows over all intervals."""
        return sum(v.built for v in self.verdicts)


@dataclass(frozen=True)
class RunView:
    """All that ``run.html.j2`` shows."""

    run: RunInfo
    line: RunLine
    accepted: int
    intervals: tuple[str, ...]
    layers: tuple[tuple[str, tuple[MapRow, ...]], ...]
    sections: tuple[Section, ...]
    clean: tuple[Section, ...]
    held: tuple[Held, ...]
    refusals: tuple[Refusal, ...]
    decisions: tuple[Decision, ...]
    rules: int
    rules_failed: int
    board: Board | None


def words(key: str) -> tuple[str, str]:
    """A word of the gate in Chinese and English."""
    return _WORDS.get(key, (key, key))


def beijing(moment: datetime | str | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time as people at the exchange read it (Asia/Shanghai)."""
    if moment is None:
        return "-"
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return value.astimezone(_BEIJING).strftime(form)


def count(number: float | None) -> str:
    """A number with thousands separators."""
    return "-" if number is None else f"{number:,}"


def run_line(document: ReportDocument) -> RunLine:
    """The run on the index."""
    kinds = [v.decision for v in document.verdicts]
    dates = sorted({v.interval for v in document.verdicts} - {"all"})
    run = document.run
    return RunLine(
        run_id=run.run_id,
        started_at=run.started_at.isoformat(),
        path=f"runs/{_slug(run.run_id)}.html",
        seconds=round((run.finished_at - run.started_at).total_seconds(), 1),
        intervals=len(kinds),
        published=kinds.count("publish"),
        with_quarantine=kinds.count("publish_with_quarantine"),
        blocked=kinds.count("block"),
        held=len(document.held),
        refused=len(document.refusals),
        built=sum(v.built for v in document.verdicts),
        quarantined=sum(v.quarantined for v in document.verdicts),
        dates="" if not dates else dates[0] if len(dates) == 1 else f"{dates[0]} … {dates[-1]}",
        notes=tuple(f"{v.product} {v.interval}" for v in document.verdicts if not v.publishes)[:5],
    )


def run_view(document: ReportDocument) -> RunView:
    """Group a document by layer, product and interval; the worst first within a section."""
    held = {(h.product, h.interval) for h in document.held}
    intervals = tuple(sorted({v.interval for v in document.verdicts} | {i for _, i in held}))
    products = sorted({v.product for v in document.verdicts} | {p for p, _ in held}, key=_order)
    sections = tuple(
        _section(document, p) for p in products if any(v.product == p for v in document.verdicts)
    )
    layers = []
    for layer in LAYERS:
        rows = tuple(
            _map_row(document, p, intervals) for p in products if p.split(".", 1)[0] == layer
        )
        if rows:
            layers.append((layer, rows))
    results = [r for v in document.verdicts for r in v.results]
    return RunView(
        run=document.run,
        line=run_line(document),
        accepted=sum(v.accepted for v in document.verdicts if v.publishes),
        intervals=intervals,
        layers=tuple(layers),
        sections=tuple(
            sorted((s for s in sections if not s.calm), key=lambda s: _WORST.index(s.worst))
        ),
        clean=tuple(s for s in sections if s.calm),
        held=document.held,
        refusals=document.refusals,
        decisions=document.decisions,
        rules=len(results),
        rules_failed=sum(r.outcome in ("failed", "not_evaluated") for r in results),
        board=document.board,
    )


def _section(document: ReportDocument, product: str) -> Section:
    contract = document.contracts.get(product)
    verdicts = tuple(
        sorted((v for v in document.verdicts if v.product == product), key=lambda v: v.interval)
    )
    samples = tuple(s for s in document.samples if s.product == product)
    columns = dict.fromkeys(name for s in samples for name, _ in s.values)
    decisions = [v.decision for v in verdicts]
    worst = next(d for d in _WORST if d in decisions)
    return Section(
        anchor=_slug(product),
        product=product,
        title=contract.title if contract else product,
        title_zh=contract.title_zh if contract else product,
        owner=contract.owner if contract else "-",
        steward=contract.steward if contract else "-",
        verdicts=verdicts,
        findings=_findings(document, verdicts, contract),
        passes=_passes(document, verdicts, contract),
        samples=samples,
        sample_columns=tuple(columns),
        worst=worst,
    )


def _findings(
    document: ReportDocument, verdicts: tuple[Verdict, ...], contract: Contract | None
) -> tuple[Finding, ...]:
    rank = {"not_evaluated": 0, "failed": 1, "waived": 2, "not_due": 3, "not_applicable": 4}
    severity = {"critical": 0, "error": 1, "warning": 2, "info": 3}
    found = []
    for r in (r for v in verdicts for r in v.results if r.outcome != "passed"):
        text = _texts(contract, r.rule_id)
        state = "waived" if r.decision_id and r.outcome == "failed" else r.outcome
        trend = document.trends.get((r.product, r.rule_id), ())
        decisions = tuple(d for d in document.decisions if _reaches(d, r))
        found.append(Finding(r, state, *text, _evidence(r.evidence), trend, decisions))
    found.sort(
        key=lambda f: (
            rank[f.state],
            severity[f.result.severity],
            f.result.rule_id,
            f.result.interval,
        )
    )
    return _shortened(found)


def _shortened(found: list[Finding]) -> tuple[Finding, ...]:
    """The newest few intervals of each rule and state in full; the last one names the others."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for f in found:
        alike.setdefault((f.state, f.result.rule_id), []).append(f)
    kept = []
    for of in alike.values():
        shown, rest = of[-SHOWN_EACH:], of[:-SHOWN_EACH]
        kept += shown[:-1]
        kept.append(replace(shown[-1], more=tuple(f.result.interval for f in rest)))
    return tuple(kept)


def _reaches(decision: Decision, result: RuleResult) -> bool:
    """True when a decision in force is about this rule on this interval."""
    if decision.product != result.product or decision.rule_id not in (result.rule_id, None):
        return False
    named = decision.rule_id is not None or decision.kind == "release"
    return named and decision.interval in (result.interval, EVERY_INTERVAL)


def _passes(
    document: ReportDocument, verdicts: tuple[Verdict, ...], contract: Contract | None
) -> tuple[Passed, ...]:
    found: dict[str, list[RuleResult]] = {}
    for r in (r for v in verdicts for r in v.results if r.outcome == "passed"):
        found.setdefault(r.rule_id, []).append(r)
    return tuple(
        Passed(
            rule_id,
            of[0].dimension,
            of[0].severity,
            _texts(contract, rule_id)[0],
            len(of),
            sum(r.checked or 0 for r in of),
            document.trends.get((of[0].product, rule_id), ()),
        )
        for rule_id, of in found.items()
    )


def _map_row(document: ReportDocument, product: str, intervals: tuple[str, ...]) -> MapRow:
    contract = document.contracts.get(product)
    verdicts = {v.interval: v for v in document.verdicts if v.product == product}
    held = {h.interval for h in document.held if h.product == product}
    cells = []
    for interval in intervals:
        verdict = verdicts.get(interval)
        if verdict is not None:
            same = (product, interval) in document.unchanged and verdict.publishes
            state = "unchanged" if same and not verdict.quarantined else verdict.decision
            cells.append(Cell(state, verdict.quarantined, _slug(product)))
        elif interval in held:
            cells.append(Cell("held", target="held"))
        else:
            cells.append(Cell(""))
    return MapRow(
        product,
        contract.title if contract else product,
        contract.title_zh if contract else product,
        tuple(cells),
    )


def _texts(contract: Contract | None, rule_id: str) -> tuple[str, str]:
    for rule in contract.rules if contract else ():
        if rule.id == rule_id:
            return rule.description, rule.description_zh
    return "", ""


def _evidence(text: str | None) -> tuple[dict[str, Any], ...]:
    """Keys behind a failed table rule; anything else a ledger may hold is shown as it is."""
    if not text:
        return ()
    try:
        items = json.loads(text)
    except ValueError:
        return ({"key": text},)
    found = []
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, dict) and "key" in item:
            key = item["key"]
            shown = ", ".join(f"{k}={v}" for k, v in key.items()) if isinstance(key, dict) else key
            found.append({**item, "key": str(shown)})
        else:
            found.append({"key": json.dumps(item, ensure_ascii=False)})
    return tuple(found)


def _order(product: str) -> tuple[int, str]:
    layer = product.split(".", 1)[0]
    return (LAYERS.index(layer) if layer in LAYERS else len(LAYERS), product)


def _slug(text: str) -> str:
    """A name that is safe in a path and an anchor."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-") or "run"
