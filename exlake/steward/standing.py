"""What became of decisions: in force, waiting for a second person, revoked, applied or not yet.

The ledger is append-only: approving and revoking add a row under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exlake.steward.deciding import Act
from exlake.steward.errors import DecisionApproverError, DecisionTermsError, UnknownDecisionError
from pipelines.engine.ledgers import DECISION
from pipelines.engine.rows import DecisionRow, newest

if TYPE_CHECKING:
    from pipelines.engine.run import Lake
    from pipelines.engine.state import State

PENDING, REVOKED, IN_FORCE = "waits for approval", "revoked", "in force"


def state_of(decision: DecisionRow) -> str:
    """One of ``in force``, ``waits for approval`` and ``revoked``."""
    if decision.revoked:
        return REVOKED
    return PENDING if decision.pending else IN_FORCE


def listed(
    lake: Lake,
    *,
    product: str | None = None,
    interval: str | None = None,
    revoked: bool = False,
    pending: bool = False,
) -> list[dict[str, Any]]:
    """Decisions as a listing shows them; ``applied`` tells if a run has looked at them since."""
    if product:
        _ = lake.catalogue[product]
    state = lake.state()
    rows = []
    for d in newest(state.decisions):
        if product not in (None, d.product) or interval not in (None, d.interval):
            continue
        standing = state_of(d)
        if (standing == REVOKED and not revoked) or (pending and standing != PENDING):
            continue
        rows.append(described(d) | {"applied": _applied(state, d)})
    return rows


def described(d: DecisionRow) -> dict[str, Any]:
    """One decision, its state in words first."""
    return {
        "decision_id": d.decision_id,
        "state": state_of(d),
        "kind": d.kind,
        "product": d.product,
        "interval": d.interval,
        "rule": d.rule_id,
        "row": f"{d.delivery_id}:{d.row_number}" if d.delivery_id else None,
        "change": f"{d.column} = {d.value if d.value is not None else 'no value'}"
        if d.column
        else None,
        "reason": d.reason,
        "by": d.decided_by,
        "approved_by": d.approved_by,
        "until": d.expires_on,
        "decided_at": d.decided_at,
        "approved_at": d.approved_at,
        "entered_by": d.entered_by,
    }


def approve(lake: Lake, names: Sequence[str], act: Act) -> tuple[DecisionRow, ...]:
    """Approve waiting decisions, by id or by act, in one append.

    Raises DecisionApproverError when the author would approve, UnknownDecisionError when there
    is nothing of that name or nothing of it waits. Nothing is recorded then.
    """
    found = []
    for decision in _named(lake, names):
        if state_of(decision) != PENDING:
            raise UnknownDecisionError(
                decision.decision_id, f"does not wait: it is {state_of(decision)}"
            )
        if act.person == decision.decided_by:
            raise DecisionApproverError(decision.decision_id, act.person)
        found.append(
            replace(decision, approved_by=act.person, approved_at=act.at, entered_by=act.entered_by)
        )
    lake.ledgers.append((DECISION, found))
    return tuple(found)


def revoke(lake: Lake, names: Sequence[str], reason: str, act: Act) -> tuple[DecisionRow, ...]:
    """Take decisions back, by id or by act, in one append; the next run goes without them."""
    if not reason.strip():
        raise DecisionTermsError("a revocation needs a reason.", "Give --reason.")
    found = []
    for decision in _named(lake, names):
        if decision.revoked:
            raise UnknownDecisionError(decision.decision_id, "is revoked already")
        found.append(
            replace(
                decision,
                revoked=True,
                reason=reason.strip(),
                decided_by=act.person,
                decided_at=act.at,
                entered_by=act.entered_by,
            )
        )
    lake.ledgers.append((DECISION, found))
    return tuple(found)


def _named(lake: Lake, names: Sequence[str]) -> list[DecisionRow]:
    known = newest(lake.ledgers.read(DECISION))
    found: dict[str, DecisionRow] = {}
    for name in names:
        mine = [d for d in known if name in (d.decision_id, d.decision_id.rpartition(".")[0])]
        if not mine:
            raise UnknownDecisionError(name, "is not in the ledger")
        found |= {d.decision_id: d for d in mine}
    return list(found.values())


def _applied(state: State, decision: DecisionRow) -> bool:
    """True when the interval's newest verdict was reached with today's decisions."""
    interval = decision.interval or ""
    record = state.record(decision.product, interval)
    if record is None or record.attempt is None or state_of(decision) != IN_FORCE:
        return False
    now = state.decisions_fingerprint(decision.product, interval)
    return record.attempt.decisions_fingerprint == now
