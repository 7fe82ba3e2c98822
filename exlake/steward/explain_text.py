"""The page of ``exlake explain``, in Chinese and English, from the facts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

from exlake.steward.explaining import Explanation, Finding
from exlake.steward.standing import state_of

Language = Literal["zh", "en"]
BEIJING = timezone(timedelta(hours=8))
STATES = {
    "published": ("已发布", "published"),
    "quarantine": ("已发布，部分行被隔离", "published, some rows are in quarantine"),
    "flagged": ("已发布，但未通过新的检验", "published, and fails a rule judged later"),
    "blocked": ("被阻断", "blocked"),
    "held": ("等待上游", "held: it waits for an input"),
    "failed": ("运行出错", "failed: the run broke before a verdict"),
}
TURNS = {
    "approver": ("第二人审批", "a second person: a decision waits for approval"),
    "run": (
        "下一次运行：决定已记录，尚未执行",
        "the next run: a decision is not applied yet",
    ),
    "steward": ("数据管家 {steward}", "the steward, {steward}"),
    "sender": (
        "报送方：有文件被拒收，请更正后重新报送",
        "the sender: a file was refused, and is to be corrected and delivered again",
    ),
    "review": (
        "数据管家 {steward}：查看被隔离的行，其余已发布",
        "the steward, {steward}: rows in quarantine, the rest is published",
    ),
    "operator": ("运维或数据工程师", "the operator or data engineer"),
    "root": ("先解决 {waiting_on}", "first {waiting_on}"),
    "nobody": ("无需处理", "nobody: nothing has to be done"),
}
SEVERITIES = {"critical": "严重", "error": "错误", "warning": "警告", "info": "提示"}


def page(e: Explanation, language: Language) -> str:
    """One page of text."""
    return "\n".join(_Page(e, language).lines())


class _Page:
    def __init__(self, e: Explanation, language: Language) -> None:
        self.e, self.zh = e, language == "zh"

    def say(self, zh: str, en: str) -> str:
        return zh if self.zh else en

    def lines(self) -> Iterator[str]:
        e = self.e
        state = self.say(*STATES[e.state])
        yield f"{e.product} {e.interval} · {self.say(e.title_zh, e.title)}"
        since = self.say("，自 ", ", since ") + _at(e.since)
        yield self.say("状态：", "State: ") + state + since
        yield self.say("轮到：", "Whose turn: ") + self._turn()
        yield (
            self.say("负责人：", "Owner: ")
            + e.owner
            + self.say("；数据管家：", "; steward: ")
            + e.steward
        )
        yield self._readers()
        yield ""
        yield self.say("原因", "Why")
        yield from self._why()
        yield ""
        yield self.say("谁在等待", "Who waits")
        yield from self._waiting()
        yield ""
        yield self.say("如何解除", "What would free it")
        yield from self._ways()
        if e.decisions:
            yield ""
            yield self.say("现有决定", "Decisions")
            yield from self._decisions()
        if e.rows_total:
            yield ""
            yield self.say(
                f"被隔离的行：{e.rows_total}", f"Rows put aside: {e.rows_total}"
            ) + (self.say("（仅列前若干行）", " (the first of them)")
                 if e.rows_total > len(e.rows) else "")  # fmt: skip
            for row in e.rows:
                yield f"  {row.delivery_id}:{row.row_number}  {', '.join(row.rules)}"

    def _turn(self) -> str:
        return self.say(*TURNS[self.e.turn]).format(
            steward=self.e.steward, waiting_on=self.e.waiting_on
        )

    def _readers(self) -> str:
        e = self.e
        if e.published_at is None:
            return self.say("读者：看不到该区间的任何数据", "Readers see nothing of this interval")
        return self.say("读者：看到的是发布于 ", "Readers see what was published at ") + _at(
            e.published_at
        )

    def _why(self) -> Iterator[str]:
        e = self.e
        if e.waiting_on:
            yield "  " + self.say(f"等待 {e.waiting_on}", f"it waits for {e.waiting_on}")
        for fault in e.faults:
            yield "  " + self.say(
                f"闸门自身故障（不可豁免）：{fault}",
                f"gate fault, cannot be waived: {fault}",
            )
        for f in e.findings:
            yield from self._finding(f)
        told = {f.rule for f in e.findings}
        for reason in e.reasons:
            if reason.split(" ", 1)[0] not in told and not reason.startswith("gate fault"):
                yield f"  {reason}"
        for name in e.refused:
            yield "  " + self.say(f"拒收的文件 {name}", f"refused file {name}")
        if not (e.waiting_on or e.faults or e.findings or e.reasons or e.refused):
            yield "  " + self.say("全部通过", "everything passed")

    def _finding(self, f: Finding) -> Iterator[str]:
        severity = SEVERITIES.get(f.severity, f.severity) if self.zh else f.severity
        count = f"{f.failing} / {f.checked}" if f.failing is not None else f.outcome
        yield f"  [{severity}] {f.rule}: {count}" + (
            self.say(f"，{f.rows} 行被隔离", f", {f.rows} rows aside") if f.rows else ""
        )
        text = (f.description_zh if self.zh else "") or f.description
        if text:
            yield f"      {text}"
        if f.message:
            yield f"      {f.message}"

    def _waiting(self) -> Iterator[str]:
        e = self.e
        for w in e.waiting:
            yield f"  {w.product} {w.interval} · {self.say(w.title_zh, w.title)}"
        if not e.waiting:
            yield "  " + self.say("没有其他数据产品", "no other product")
        if e.state in ("blocked", "failed", "held", "flagged"):
            yield "  " + self.say("受众：", "audiences: ") + (", ".join(e.audiences) or "-")

    def _ways(self) -> Iterator[str]:
        e = self.e
        at = f"{e.product} --interval {e.interval}"
        if e.state == "held" and e.waiting_on:
            root, _, interval = e.waiting_on.partition(" ")
            yield f"  exlake explain {root} --interval {interval}"
            return
        if e.state in ("published", "quarantine") and not e.rows_total:
            yield "  " + self.say("无需处理", "nothing has to be done")
            return
        pending = sorted({d.decision_id.rpartition(".")[0] for d in e.decisions if d.pending})
        for act in pending:
            yield "  " + self.say("审批：", "approve: ") + f"exlake decisions approve {act}"
        yield "  " + self.say(
            "更正后的文件（下一个序号）：重新接收并运行",
            "a corrected delivery (the next sequence number), landed and run",
        )
        if e.faults or e.state == "failed":
            yield "  " + self.say("修复故障后运行 exlake run", "mend the fault, then exlake run")
        if any(f.is_row_rule and f.rows for f in e.findings):
            yield f"  exlake quarantine repair {at} --row … --set COLUMN=VALUE --reason …"
            yield f"  exlake quarantine release {at} --row … --reason …"
        for f in e.findings:
            blocking = any(reason.startswith(f"{f.rule} ") for reason in e.reasons)
            if blocking and f.outcome == "failed" and f.decision_id is None:
                yield (
                    f"  exlake waive {f.rule} --product {e.product} --interval {e.interval} "
                    f"--until {e.interval} --reason …"
                )

    def _decisions(self) -> Iterator[str]:
        for d in self.e.decisions:
            what = d.rule_id or (f"{d.column} = {d.value}" if d.column else "")
            row = f" {d.delivery_id}:{d.row_number}" if d.delivery_id else ""
            who = d.decided_by + (f" + {d.approved_by}" if d.approved_by else "")
            yield f"  {d.decision_id}  {d.kind}{row} {what} ({state_of(d)}; {who}: {d.reason})"


def _at(moment: datetime) -> str:
    """A moment as Beijing reads it."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone(BEIJING):%Y-%m-%d %H:%M} +08:00"
