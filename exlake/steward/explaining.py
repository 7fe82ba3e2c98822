"""Why an interval stands where it stands: the facts behind ``exlake explain``, from ledgers alone.

Nothing is judged here: states, reasons and results are what the last run recorded. Times are UTC.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from contracts.errors import TerminalError
from exlake.aside import current_rows
from exlake.steward.standing import state_of
from pipelines.engine.delivery import unanswered
from pipelines.engine.ledgers import DECISION, DELIVERY, INTERVAL, RESULT, period_of
from pipelines.engine.rows import DecisionRow, IntervalRow, ResultRow, newest

if TYPE_CHECKING:
    from pipelines.engine.run import Lake
    from pipelines.engine.state import State

ROWS_SHOWN = 10
FAULT = "gate fault: "


class NothingRecordedError(TerminalError):
    """Raised when no run has recorded anything about an interval yet."""

    code = "nothing-recorded"

    def __init__(self, product: str, interval: str) -> None:
        super().__init__(
            "no run has recorded anything about this interval.",
            product=product,
            interval=interval,
            next_step=f"`exlake plan --product {product}` tells whether it will run or waits.",
        )


@dataclass(frozen=True)
class Finding:
    """One rule that did not pass: what it asks, and who let it pass, if somebody did."""

    rule: str
    severity: str
    outcome: str
    failing: int | None
    checked: int | None
    description: str
    description_zh: str
    message: str
    decision_id: str | None
    rows: int
    """Rows in quarantine that name the rule."""
    is_row_rule: bool


@dataclass(frozen=True)
class Waiting:
    """Something that cannot go on until the interval is free."""

    product: str
    interval: str
    title: str
    title_zh: str
    audiences: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One row in quarantine: where it came from and what it broke (no values)."""

    delivery_id: str | None
    row_number: int | None
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """One interval: what, since when, who waits, whose it is, and what would free it.

    ``turn``: ``approver``, ``run``, ``steward``, ``sender``, ``operator``, ``root`` (see
    ``waiting_on``), ``review`` (rows in quarantine, the rest is published) or ``nobody``.
    ``published_at``: when what readers see was committed, None when they see nothing.
    """

    product: str
    interval: str
    title: str
    title_zh: str
    state: str
    since: datetime
    published_at: datetime | None
    reasons: tuple[str, ...]
    waiting_on: str | None
    turn: str
    owner: str
    steward: str
    built: int
    accepted: int
    quarantined: int
    findings: tuple[Finding, ...]
    faults: tuple[str, ...]
    waiting: tuple[Waiting, ...]
    audiences: tuple[str, ...]
    decisions: tuple[DecisionRow, ...]
    rows: tuple[Row, ...]
    rows_total: int
    refused: tuple[str, ...]
    """Refused files of this date among the deliveries the product is built from."""


def explain(lake: Lake, product: str, interval: str, state: State | None = None) -> Explanation:
    """Gather the facts. Raises UnknownProductError or NothingRecordedError.

    ``state`` saves reading the ledgers again for one interval after the other.
    """
    contract = lake.catalogue[product]
    state = state or lake.state()
    record = state.record(product, interval)
    if record is None:
        raise NothingRecordedError(product, interval)
    latest = record.latest
    aside = current_rows(lake, product, interval)
    marks = [tuple(json.loads(r["rules"] or "[]")) for r in aside]
    waiting = _waiting(lake, state, f"{product} {interval}")
    refused = _refused(lake, product, interval)
    decisions = tuple(
        d
        for d in newest(lake.ledgers.read(DECISION))
        if d.product == product and d.interval in (interval, None, "*") and not d.revoked
    )
    applied = (
        record.attempt is not None
        and record.attempt.decisions_fingerprint == state.decisions_fingerprint(product, interval)
    )
    faults = tuple(r.removeprefix(FAULT) for r in latest.reasons if r.startswith(FAULT))
    return Explanation(
        product=product,
        interval=interval,
        title=contract.title,
        title_zh=contract.title_zh,
        state=latest.state,
        since=_since(_history(lake, product, interval), latest),
        published_at=record.published.committed_at if record.published else None,
        reasons=latest.reasons,
        waiting_on=latest.waiting_on,
        turn=turn(latest, decisions, applied=applied, fault=bool(faults), refused=bool(refused)),
        owner=contract.owner,
        steward=contract.steward,
        built=latest.built,
        accepted=latest.accepted,
        quarantined=latest.quarantined,
        findings=_findings(lake, product, interval, marks),
        faults=faults,
        waiting=waiting,
        audiences=tuple(
            sorted({*contract.audiences, *(a for each in waiting for a in each.audiences)})
        ),
        decisions=decisions,
        rows=tuple(
            Row(r["delivery_id"], r["row_number"], m)
            for r, m in zip(aside[:ROWS_SHOWN], marks, strict=False)
        ),
        rows_total=len(aside),
        refused=refused,
    )


def turn(
    latest: IntervalRow,
    decisions: Sequence[DecisionRow],
    *,
    applied: bool,
    fault: bool,
    refused: bool = False,
) -> str:
    """Who has to move next; ``refused``: a file of the interval was refused."""
    if latest.state == "held":
        return "root"
    if latest.state == "failed" or fault:
        return "operator"
    if any(d.pending for d in decisions):
        return "approver"
    if any(state_of(d) == "in force" for d in decisions) and not applied:
        return "run"
    if latest.state == "blocked" and refused:
        return "sender"
    if latest.state in ("blocked", "flagged"):
        return "steward"
    return "review" if latest.state == "quarantine" else "nobody"


def _history(lake: Lake, product: str, interval: str) -> list[IntervalRow]:
    rows = lake.ledgers.read(
        INTERVAL, periods=[period_of(interval)], where={"product": [product]}
    )  # fmt: skip
    return [r for r in rows if r.interval == interval]


def _since(history: Sequence[IntervalRow], latest: IntervalRow) -> datetime:
    """When the newest unbroken series of this state began."""
    began = latest.committed_at
    for row in reversed(history):
        if (row.state, row.waiting_on) != (latest.state, latest.waiting_on):
            break
        began = row.committed_at
    return began


def _waiting(lake: Lake, state: State, root: str) -> tuple[Waiting, ...]:
    found = []
    for product, records in sorted(state.records.items()):
        for interval, record in sorted(records.items()):
            if record.latest.state == "held" and record.latest.waiting_on == root:
                c = lake.catalogue[product]
                found.append(Waiting(product, interval, c.title, c.title_zh, c.audiences))
    return tuple(found)


def _findings(
    lake: Lake, product: str, interval: str, marks: Sequence[tuple[str, ...]]
) -> tuple[Finding, ...]:
    """Rules of the newest judgement that failed or could not be evaluated, worst first."""
    results = [
        r
        for r in lake.ledgers.read(
            RESULT, periods=[period_of(interval)], where={"product": [product]}
        )
        if r.interval == interval
    ]
    if not results:
        return ()
    batch = results[-1].batch_id
    counts = Counter(rule for each in marks for rule in set(each))
    rules = {r.id: r for r in lake.catalogue[product].rules}
    order = {"critical": 0, "error": 1, "warning": 2, "info": 3}

    def finding(r: ResultRow) -> Finding:
        rule = rules.get(r.rule_id)
        return Finding(
            rule=r.rule_id,
            severity=r.severity,
            outcome=r.outcome,
            failing=r.failing,
            checked=r.checked,
            description=rule.description if rule else "",
            description_zh=(rule.description_zh if rule else "") or "",
            message=r.message,
            decision_id=r.decision_id,
            rows=counts[r.rule_id],
            is_row_rule=bool(rule and rule.is_row_rule),
        )

    bad = [r for r in results if r.batch_id == batch and r.outcome in ("failed", "not_evaluated")]
    return tuple(finding(r) for r in sorted(bad, key=lambda r: (order[r.severity], r.rule_id)))


def _refused(lake: Lake, product: str, interval: str) -> tuple[str, ...]:
    """Refused files of the date that nobody delivered again, of what the product reads itself."""
    job = lake.graph.nodes[product].job
    sources = {r.product.split(".", 1)[1] for r in job.inputs if r.product.startswith("bronze.")} \
        if job else set()  # fmt: skip
    if not sources or interval == "all":
        return ()
    day = date.fromisoformat(interval).isoformat()
    rows = lake.ledgers.read(DELIVERY, where={"dataset": sorted(sources)})
    mine = [d for d in rows if d.interval == day]
    return tuple(f"{d.file}: {d.error_code}" for d in unanswered(mine))
