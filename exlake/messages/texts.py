"""What a message says, in Chinese and English. No value of any row is ever in it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from exlake.messages.changes import Group
from quality.board import Board, Trouble

BEIJING = ZoneInfo("Asia/Shanghai")
WORDS = {
    "blocked": ("被阻断", "blocked"), "held": ("等待上游", "held"),
    "failed": ("运行出错", "failed"),
    "flagged": ("已发布但未通过新检验", "flagged"), "late": ("迟到", "late"),
    "recovered": ("已恢复", "recovered"), "refused": ("文件被拒收", "refused"),
}  # fmt: skip
TURNS = {
    "steward": ("数据管家", "the steward"), "approver": ("第二人审批", "a second person approves"),
    "engineer": ("数据工程师", "the data engineer"), "sender": ("报送方", "the sender"),
    "run": ("下一次运行", "the next run"),
}  # fmt: skip
LISTED = 30


class Text(NamedTuple):
    """Subject and body."""

    subject: str
    body: str


def message_id(group: Group) -> str:
    """Digest of what is told: the same changes have the same id, whenever they are told."""
    said = [f"{c.product}|{c.interval}|{c.state}|{c.number}" for c in group.changes]
    return f"{group.kind}-{hashlib.sha256(chr(10).join(said).encode()).hexdigest()[:16]}"


def text_of(group: Group, board: Board) -> Text:
    """A message about a group of changes; facts about a trouble come from the board."""
    zh, en = WORDS[group.kind]
    names = [f"{c.product} {c.interval}" for c in group.changes]
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    lines = [f"{zh} · {en}", *_listed(names)]
    if group.kind == "held":
        lines += ["", f"等待 {group.root} · they wait for {group.root}"]
    for trouble in board.troubles:
        if f"{trouble.product} {trouble.interval}" in (*names, group.root):
            lines += ["", *_trouble(trouble)]
    return Text(f"[exlake] {zh} {en}: {names[0]}{more}", "\n".join(lines) + "\n")


def digest_of(board: Board, day: str, published: int) -> Text:
    """The day in one message: what is published, what is not and whose turn it is."""
    troubles = len(board.troubles) + board.more_troubles
    waits, open_ = board.waiting, len(board.incidents)
    zh = f"已发布 {published} 个区间，{troubles} 项待处理，{waits} 个区间等待，{open_} 项事件"
    en = f"{published} intervals published, {troubles} to deal with, {waits} wait"
    lines = [f"{day}：{zh}。", f"{day}: {en}, {open_} open incidents."]
    for trouble in board.troubles[:LISTED]:
        lines += ["", *_trouble(trouble)]
    if board.reviews:
        lines += ["", "被隔离的行 · rows in quarantine"]
        lines += _listed([f"{r.product} {r.interval}: {r.rows:,}" for r in board.reviews])
    if board.incidents:
        lines += ["", "事件 · incidents"]
        lines += _listed([f"{i.product} {i.rule_id} ({i.severity}), {', '.join(i.intervals)}"
                          for i in board.incidents])  # fmt: skip
    said = f"{troubles} 项待处理 to deal with" if troubles else "一切正常 all is well"
    return Text(f"[exlake] {day} 日报 daily digest: {said}", "\n".join(lines) + "\n")


def _trouble(t: Trouble) -> list[str]:
    zh, en = WORDS[t.state]
    turn = TURNS[t.turn]
    who = f" {t.who}" if t.who else ""
    lines = [
        f"{t.product} {t.interval} · {t.title_zh} · {t.title}: {zh} {en}"
        + (f", {_at(t.since)}" if t.since else ""),
        f"  轮到 whose turn: {turn[0]} · {turn[1]}{who}",
        *(f"  {line}" for line in t.why[:8]),
    ]
    if t.waiting:
        lines.append(f"  等待 waiting: {', '.join(t.waiting[:LISTED])}")
    if t.audiences:
        lines.append(f"  受众 audiences: {', '.join(t.audiences)}")
    return [*lines, f"  $ {t.command}"]


def _listed(names: Sequence[str]) -> list[str]:
    rest = len(names) - LISTED
    return [f"  {name}" for name in names[:LISTED]] + ([f"  … +{rest}"] if rest > 0 else [])


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M} +08:00"
