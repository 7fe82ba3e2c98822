"""The plan: typed stages per product, so that *explain* and *apply* share one description.

``plan`` is pure. It separates what **will** run from what **may** run (because
something before it will, and could turn out the same), what is only judged
again, what is held by a blocked input and what waits for a missing one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.graph import Graph
from pipelines.engine.rows import Pin
from pipelines.engine.schema_change import SchemaChange

Why = Literal[
    "new", "input", "job_version", "schema", "decision", "forced", "rules", "rule_input",
    "failed_before", "upstream",
]  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """Why an interval is stale, or could become so."""

    why: Why
    detail: str


@dataclass(frozen=True)
class Planned:
    """One interval to build or judge, with everything its ledger row has to record.

    ``inputs`` and ``rule_inputs`` are as known when planned: an interval that *may* run is
    planned again (``plan_product``) once its inputs are done.
    """

    interval: str
    reasons: tuple[Reason, ...]
    inputs: tuple[Pin, ...] = ()
    rule_inputs: tuple[Pin, ...] = ()
    rules_fingerprint: str = ""
    decisions_fingerprint: str = ""
    partial: bool = False
    incomplete_because: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """An interval that keeps its last published state because an input is blocked.

    ``waiting_on`` is the root cause, ``product interval``; ``recorded`` is True when the
    ledger says so already.
    """

    interval: str
    waiting_on: str
    because: str
    recorded: bool


@dataclass(frozen=True)
class Waiting:
    """An interval that some inputs have and others, named here, do not have yet."""

    interval: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Restated:
    """A fresh interval whose recorded state is out of date: one ledger row, no build.

    Its input is no longer blocked, or what it was incomplete for has arrived (or the reverse).
    """

    interval: str
    partial: bool
    incomplete_because: tuple[str, ...]


@dataclass(frozen=True)
class ProductPlan:
    """What is to be done for one product, intervals oldest first."""

    product: str
    will_run: tuple[Planned, ...] = ()
    may_run: tuple[Planned, ...] = ()
    judge_again: tuple[Planned, ...] = ()
    held: tuple[Held, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    restated: tuple[Restated, ...] = ()
    blocked: tuple[str, ...] = ()
    """Intervals whose last verdict was to block, with nothing changed since."""
    schema_changes: tuple[SchemaChange, ...] = ()
    ended: tuple[str, ...] = ()
    """Intervals that are not built, because the product has ended before them."""
    fresh: int = 0

    @property
    def idle(self) -> bool:
        """True when the engine has nothing to build or judge now (ledger rows aside)."""
        return not self.will_run and not self.judge_again


@dataclass(frozen=True)
class Plan:
    """Stages in the order in which they are carried out."""

    stages: tuple[ProductPlan, ...] = ()

    def __iter__(self) -> Iterator[ProductPlan]:
        return iter(self.stages)

    def __getitem__(self, product: str) -> ProductPlan:
        return next(s for s in self.stages if s.product == product)

    @property
    def idle(self) -> bool:
        """True when nothing will run and so nothing may."""
        return all(s.idle and not s.may_run and not s.restated for s in self.stages)

    def touched(self) -> frozenset[tuple[str, str]]:
        """Every (product, interval) a run may touch: it does nothing outside of these."""
        return frozenset(
            (s.product, p.interval)
            for s in self.stages
            for p in (*s.will_run, *s.may_run, *s.judge_again)
        )

    def inputs(self) -> frozenset[tuple[str, str]]:
        """Every input that a run may read, as (product, interval or how it is read)."""
        return frozenset(
            (pin.product, pin.at)
            for s in self.stages
            for p in (*s.will_run, *s.may_run, *s.judge_again)
            for pin in p.inputs
        )

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values, without pins (the ledgers hold those)."""
        return {"products": [_stage_json(s) for s in self.stages]}


@dataclass(frozen=True)
class Request:
    """What is asked for: which products, which dates (both included; None: all), by force?

    ``only`` limits to single (product, interval) pairs, ``all`` included.
    """

    graph: Graph
    calendar: TradingCalendar
    dates: tuple[date, date] | None = None
    products: frozenset[str] | None = None
    force: bool = False
    only: frozenset[tuple[str, str]] | None = None

    def __post_init__(self) -> None:
        if self.dates is not None:
            self.calendar.between(*self.dates)  # a date outside the coverage is an error
        for product in self.products or ():
            if product not in self.graph.nodes:
                raise KeyError(product)

    def wants(self, product: str) -> bool:
        """True when the product is among those asked for."""
        return self.products is None or product in self.products

    def covers(self, product: str, interval: str) -> bool:
        """True when the interval is in the range asked for (``all`` always is)."""
        if self.only is not None and (product, interval) not in self.only:
            return False
        if self.dates is None or not interval[:1].isdigit():
            return True
        first, last = self.dates
        return first.isoformat() <= interval <= last.isoformat()


def _stage_json(stage: ProductPlan) -> dict[str, Any]:
    def planned(items: tuple[Planned, ...]) -> list[dict[str, Any]]:
        return [{"interval": p.interval, "reasons": [asdict(r) for r in p.reasons]} for p in items]

    return {
        "product": stage.product,
        "will_run": planned(stage.will_run),
        "may_run": planned(stage.may_run),
        "judge_again": planned(stage.judge_again),
        "held": [asdict(h) for h in stage.held],
        "waiting": [asdict(w) for w in stage.waiting],
        "restated": [asdict(r) for r in stage.restated],
        "schema_changes": [asdict(c) | {"how": c.how} for c in stage.schema_changes],
        "ended": list(stage.ended),
        "blocked": list(stage.blocked),
        "fresh": stage.fresh,
    }
