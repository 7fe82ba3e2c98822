"""The state of every interval, as a reader must see it: gold inherits its inputs' worst state.

Pure functions over what the interval ledger recorded (with the pins of each batch's inputs),
the trading calendar and the moment of asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal, cast

from contracts.model import Contract
from pipelines.engine.calendar import BEIJING, TradingCalendar
from pipelines.engine.lateness import HISTORY, due_at
from pipelines.engine.rows import IntervalRow, Pin

State = Literal[
    "published", "with_quarantine", "flagged", "late", "held", "failed", "blocked", "no_trading_day"
]
"""``flagged``: published, and failed a later judgement by newer rules; ``failed``: the last
attempt broke and nothing replaced what was published before; ``late``: due and not there."""
WORSE: tuple[State, ...] = (
    "published", "with_quarantine", "flagged", "late", "held", "failed", "blocked",
)  # fmt: skip
"""From best to worst."""
LEDGER_STATES: dict[str, State] = {"quarantine": "with_quarantine"}
"""The ledger's words that are not the readers'."""
ALL = "all"
READABLE: frozenset[str] = frozenset({"published", "with_quarantine", "flagged"})
"""States in which the rows are those of the interval's last batch."""
LIVE_DAYS = 10
"""A lake whose newest interval is older than this (calendar days) is history: dates after it
are not called late, or a finished simulation would grow a late row every day."""
GAP_DAYS = 16
"""Days without trading are listed in gaps up to this long (the longest holiday and weekends)."""
WHOLE = frozenset({"as_of", "latest", "history"})
"""Pins that name a whole dimension or snapshot instead of an interval."""


@dataclass(frozen=True)
class IntervalState:
    """One product's interval: its ``state`` with what it inherits, its own state beside it.

    ``trade_date`` is None for interval ``all``. ``fingerprint`` is None when nothing of it was
    ever published. ``recorded_at`` is when this state was recorded; ``late_by`` how long after
    its due time that was (a late one: how long it is missing by now), None when in time.
    """

    product: str
    interval: str
    trade_date: date | None
    state: State
    own_state: State
    inherited_from: str | None
    partial: bool
    built: int | None
    accepted: int | None
    quarantined: int | None
    waiting_on: str | None
    fingerprint: str | None
    delta_version: int | None
    recorded_at: datetime | None
    due_at: datetime | None
    late_by: timedelta | None
    reasons: tuple[str, ...] = ()
    """The gate's words, or an error's: for operators, never published."""
    incomplete_because: tuple[str, ...] = ()
    """Inputs that are missing, partial or lost rows, by name."""


def interval_states(
    contracts: Mapping[str, Contract],
    recorded: Iterable[IntervalRow],
    calendar: TradingCalendar,
    now: datetime,
) -> tuple[IntervalState, ...]:
    """Every interval a reader should know of, by product and interval.

    ``recorded`` is the newest ledger row of each. Beside those: ``late`` for a date that other
    products have (or that came since, on a live lake) and this one lacks past its due time,
    ``no_trading_day`` for the days between. ``now`` is zone-aware.
    """
    rows = {(r.product, r.interval): r for r in recorded if r.product in contracts}
    # What is past its retention is not there any more, and not missing either.
    gone = {key for key, r in rows.items() if r.state == "expired"}
    own = {key: r for key, r in rows.items() if key not in gone}
    days = _expected_days({i for _, i in own if i != ALL}, calendar, now)
    of: dict[str, dict[str, IntervalRow]] = {}
    for (product, interval), row in own.items():
        of.setdefault(product, {})[interval] = row
    listed: dict[tuple[str, str], IntervalState] = {}
    for product, contract in contracts.items():
        mine = of.get(product, {})
        first = min((i for i in mine if i != ALL), default=None)
        wanted = set(mine) | {d.isoformat() for d in days if first and d.isoformat() >= first}
        for interval in sorted(i for i in wanted if (product, i) not in gone):
            state = _own_state(contract, interval, mine.get(interval), calendar, now)
            if state is not None:
                listed[product, interval] = state
    pins = {key: row.inputs for key, row in own.items()}
    known: dict[tuple[str, str], Inherited] = {}
    for key in listed:
        _inherit(key, listed, pins, known)
    return tuple(
        replace(s, state=known[k].state, partial=known[k].partial, inherited_from=known[k].origin)
        for k, s in sorted(listed.items())
    )


def worst(states: Iterable[State]) -> State:
    """The worst of some states; ``published`` when there are none."""
    ranks = [WORSE.index(s) for s in states if s in WORSE]
    return WORSE[max(ranks, default=0)]


@dataclass(frozen=True)
class Inherited:
    """What an interval shows in the end, and the product it comes from (None: itself)."""

    state: State
    partial: bool
    origin: str | None


def _own_state(
    contract: Contract,
    interval: str,
    found: IntervalRow | None,
    calendar: TradingCalendar,
    now: datetime,
) -> IntervalState | None:
    day = None if interval == ALL else date.fromisoformat(interval)
    due = due_at(contract.sla, interval, calendar)
    state: State
    if found is not None:
        state = LEDGER_STATES.get(found.state) or cast(State, found.state)
    elif day is None:
        return None
    elif not calendar.is_trade_date(day):
        state, due = "no_trading_day", None
    elif due is not None and now > due:
        state = "late"
    else:
        return None  # nothing recorded and not yet due: nothing to say
    reached = found.committed_at if found else now
    return IntervalState(
        product=contract.product,
        interval=interval,
        trade_date=day,
        state=state,
        own_state=state,
        inherited_from=None,
        partial=bool(found and found.partial),
        built=found.built if found else None,
        accepted=found.accepted if found else None,
        quarantined=found.quarantined if found else None,
        waiting_on=found.waiting_on if found else None,
        fingerprint=found.fingerprint if found else None,
        delta_version=found.delta_version if found else None,
        recorded_at=found.committed_at if found else None,
        due_at=due,
        late_by=_late_by(found is not None, reached, due),
        reasons=found.reasons if found else (),
        incomplete_because=found.incomplete_because if found else (),
    )


def _late_by(there: bool, reached: datetime, due: datetime | None) -> timedelta | None:
    """How late, unless what is there was landed as history (the gate's freshness agrees)."""
    if due is None or reached <= due or (there and reached - due > HISTORY):
        return None
    return reached - due


def _inherit(
    key: tuple[str, str],
    listed: Mapping[tuple[str, str], IntervalState],
    pins: Mapping[tuple[str, str], Sequence[Pin]],
    known: dict[tuple[str, str], Inherited],
) -> Inherited:
    """The worst of an interval and of what it was built from, inputs first."""
    if key in known:
        return known[key]
    mine = listed[key]
    found = known[key] = Inherited(mine.own_state, mine.partial, None)
    if mine.own_state not in READABLE:
        # Held and blocked say so themselves; a late one has no rows that could be incomplete.
        return found
    for pin in pins.get(key, ()):
        source = (pin.product, ALL if pin.at in WHOLE else pin.at)
        # Other days (the days before, read for a roll-forward) speak in their own rows.
        if source[1] not in (key[1], ALL) or source not in listed or source == key:
            continue
        theirs = _inherit(source, listed, pins, known)
        found = replace(found, partial=found.partial or theirs.partial)
        if theirs.state in WORSE and WORSE.index(theirs.state) > WORSE.index(found.state):
            found = replace(found, state=theirs.state, origin=theirs.origin or pin.product)
    known[key] = found
    return found


def _expected_days(seen: set[str], calendar: TradingCalendar, now: datetime) -> tuple[date, ...]:
    """Dates that some product has, trade dates due since (on a live lake), short gaps filled."""
    days = sorted(date.fromisoformat(i) for i in seen)
    if not days:
        return ()
    today = now.astimezone(BEIJING).date()
    covered = days[-1] >= calendar.first_day and today <= calendar.last_day
    if covered and timedelta(0) < today - days[-1] <= timedelta(LIVE_DAYS):
        days += [d for d in calendar.between(days[-1], today) if d > days[-1]]
    filled = list(days)
    for before, after in pairwise(days):
        if after - before <= timedelta(GAP_DAYS):
            gap = (before + timedelta(n) for n in range(1, (after - before).days))
            filled += [d for d in gap if calendar.first_day <= d <= calendar.last_day]
    return tuple(sorted(filled))
