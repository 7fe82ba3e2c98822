"""Gather the first screen from the ledgers: troubles with their root, reviews, open incidents.

Nothing is judged here, and Spark is not started. Held intervals stand under what they wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from catalog.states import interval_states
from exlake.steward.explaining import Explanation, explain
from pipelines.engine.delivery import Delivery, unanswered
from pipelines.engine.incidents import incidents_of
from pipelines.engine.lateness import HISTORY
from pipelines.engine.ledgers import DELIVERY, INCIDENT
from pipelines.engine.state import State, load_records
from quality.board import Board, OpenIncident, Review, Trouble, TroubleState, Turn

if TYPE_CHECKING:
    from pipelines.engine.run import Lake

SHOWN = 40
"""Troubles and reviews in full; the rest is counted."""
DATES = 5
"""Trade dates, the newest ones, whose lateness is news."""
TURNS: dict[str, Turn] = {
    "approver": "approver", "run": "run", "steward": "steward", "operator": "engineer",
    "sender": "sender", "root": "engineer", "review": "steward", "nobody": "run",
}  # fmt: skip
WORST: tuple[TroubleState, ...] = ("blocked", "failed", "refused", "late", "flagged", "held")
ENGINEER = "data engineer"


def board_of(lake: Lake, now: datetime | None = None, *, late: bool = True) -> Board:
    """The first screen as the ledgers have it at ``now`` (aware; default: this moment).

    ``late`` asks for the calendar's part too; a run's own page does without it.
    """
    moment = now or datetime.now(UTC)
    state = load_records(lake.ledgers)
    roots, lost = _roots(state)
    deliveries = lake.ledgers.read(DELIVERY)
    refused = _refused(lake, deliveries)
    absent = _late(lake, state, deliveries, moment) if late else []
    troubles = [
        *(_trouble(explain(lake, p, i, state)) for p, i in roots[:SHOWN]),
        *(_lost(lake, root, held) for root, held in lost.items()),
        *refused,
        *absent,
    ]
    troubles.sort(key=lambda t: (WORST.index(t.state), -len(t.waiting), t.interval, t.product))
    reviews = _reviews(lake, state)
    return Board(
        at=moment,
        troubles=tuple(troubles),
        reviews=tuple(reviews[:SHOWN]),
        incidents=_incidents(lake),
        more_troubles=max(len(roots) - SHOWN, 0),
        more_reviews=max(len(reviews) - SHOWN, 0),
    )


def _roots(state: State) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """Blocked, failed and flagged intervals, and what is held by something that is none of them."""
    found, held = [], []
    for product, records in state.records.items():
        for interval, record in records.items():
            if record.latest.state in ("blocked", "failed", "flagged"):
                found.append((product, interval))
            elif record.latest.state == "held":
                held.append((record.latest.waiting_on or "", f"{product} {interval}"))
    known = {" ".join(each) for each in found}
    lost: dict[str, list[str]] = {}
    for root, name in held:
        if root not in known:
            lost.setdefault(root, []).append(name)
    return sorted(found, key=lambda each: (each[1], each[0])), lost


def _trouble(e: Explanation) -> Trouble:
    turn = TURNS[e.turn]
    blocking = [f for f in e.findings if any(r.startswith(f"{f.rule} ") for r in e.reasons)]
    shown = blocking or list(e.findings)
    why = [f"{f.rule} ({f.severity}): {_count(f.failing, f.checked, f.outcome)}" for f in shown]
    if not why and e.state != "failed":
        why = list(e.reasons)
    return Trouble(
        product=e.product,
        title=e.title,
        title_zh=e.title_zh,
        interval=e.interval,
        state=e.state,  # type: ignore[arg-type]  # one of the states that _roots asks for
        since=e.since,
        turn=turn,
        who=_who(turn, e.steward),
        owner=e.owner,
        why=(*(f"gate fault: {f}" for f in e.faults), *why, *(f"refused {f}" for f in e.refused)),
        waiting=tuple(f"{w.product} {w.interval}" for w in e.waiting),
        audiences=e.audiences,
        rows=e.rows_total,
        command=f"exlake explain {e.product} --interval {e.interval}",
    )


def _count(failing: int | None, checked: int | None, outcome: str) -> str:
    return outcome.replace("_", " ") if failing is None else f"{failing} / {checked}"


def _who(turn: Turn, steward: str, sender: str = "") -> str:
    return {"steward": steward, "approver": "", "engineer": ENGINEER, "sender": sender}.get(
        turn, ""
    )


def _lost(lake: Lake, root: str, held: Sequence[str]) -> Trouble:
    """Held by what is no trouble any more: the next run resumes it."""
    product, _, interval = (root or held[0]).partition(" ")
    contract = lake.catalogue.contracts.get(product)
    return Trouble(
        product, contract.title if contract else "", contract.title_zh if contract else "",
        interval, "held", None, "run", "", contract.owner if contract else "",
        ("its root cause is gone: the next run resumes it",), tuple(held),
        command="exlake run",
    )  # fmt: skip


def _refused(lake: Lake, deliveries: Sequence[Delivery]) -> list[Trouble]:
    """Files that were refused and not delivered again; what reads them waits if nothing landed."""
    landed = {(d.dataset, d.interval) for d in deliveries if d.status == "landed"}
    found = []
    for d in unanswered(deliveries):
        contract = lake.catalogue.contracts.get(f"bronze.{d.dataset}")
        if contract is None:
            continue
        readers = sorted(lake.graph.consumers.get(contract.product, ()))
        waiting = () if (d.dataset, d.interval) in landed else readers
        found.append(
            Trouble(
                contract.product, contract.title, contract.title_zh, d.interval, "refused",
                d.received_at, "sender", str(contract.source or ""), contract.owner,
                (f"{d.file}: {d.error_code}",), tuple(f"{p} {d.interval}" for p in waiting),
                command=f"exlake history {contract.product}",
            )
        )  # fmt: skip
    return found


def _late(lake: Lake, state: State, deliveries: Sequence[Delivery], now: datetime) -> list[Trouble]:
    recorded = [r.latest for of in state.records.values() for r in of.values()]
    rows = interval_states(lake.catalogue.contracts, recorded, lake.calendar, now)
    dates = sorted({d.interval for d in deliveries if d.interval[:1].isdigit()})[-DATES:]
    recent = {*dates, *(r.interval for r in rows if r.late_by and r.late_by < HISTORY)}
    landed = {(d.dataset, d.interval) for d in deliveries if d.status == "landed"}
    found = []
    for r in rows:
        if r.own_state != "late" or r.interval not in recent:
            continue
        contract, node = lake.catalogue[r.product], lake.graph.nodes.get(r.product)
        sources = [x.product for x in (node.inputs if node else ()) if not x.optional]
        bronze = [p for p in sources if p.startswith("bronze.")]
        missing = [p for p in bronze if (p.partition(".")[2], r.interval) not in landed]
        turn: Turn = "sender" if missing else "engineer"
        systems = sorted({str(lake.catalogue[p].source) for p in missing})
        why = f"not delivered: {', '.join(missing)}" if missing else "due and not there"
        found.append(
            Trouble(
                r.product, contract.title, contract.title_zh, r.interval, "late", r.due_at, turn,
                _who(turn, contract.steward, ", ".join(systems)), contract.owner, (why,), (),
                contract.audiences,
                command=f"exlake plan --product {r.product} --dates {r.interval}",
            )
        )  # fmt: skip
    return found


def _reviews(lake: Lake, state: State) -> list[Review]:
    """Intervals with rows in quarantine, the newest first."""
    found = [
        Review(
            product, lake.catalogue[product].title, lake.catalogue[product].title_zh, interval,
            record.latest.quarantined, lake.catalogue[product].steward,
        )
        for product, records in state.records.items()
        for interval, record in records.items()
        if record.latest.state == "quarantine" and product in lake.catalogue
    ]  # fmt: skip
    return sorted(found, key=lambda r: (_newest_first(r.interval), r.product))


def _newest_first(interval: str) -> int:
    return -date.fromisoformat(interval).toordinal() if interval[:1].isdigit() else 0


def _incidents(lake: Lake) -> tuple[OpenIncident, ...]:
    order = {"critical": 0, "error": 1, "warning": 2}
    found = [i for i in incidents_of(lake.ledgers.read(INCIDENT)) if i.open]
    found.sort(key=lambda i: (order.get(i.severity, 3), i.opened_at, i.incident_id))
    return tuple(
        OpenIncident(
            i.incident_id, i.product, i.rule_id, i.severity, i.opened_at,
            tuple(sorted(i.intervals)), i.owner,
        )
        for i in found
    )  # fmt: skip
