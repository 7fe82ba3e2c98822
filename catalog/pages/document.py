"""What the pages show, as values: nothing here reads a ledger or knows HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from contracts.model import Column, Contract
from contracts.standards import Audience, CodeList
from quality.trend import Trend

TROUBLED = frozenset({"blocked", "held", "failed_run", "flagged", "late", "refused"})


@dataclass(frozen=True)
class ColumnLine:
    """One column: its contract, whether the field dictionary defines it, where it comes from."""

    column: Column
    follows_standard: bool
    key: bool
    refers_to: str | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class RuleLine:
    """One rule and its effect on the newest intervals."""

    rule_id: str
    kind: str
    dimension: str
    severity: str
    scope: str
    description: str
    description_zh: str
    tolerance: str
    sql: str | None
    effective_from: date | None
    trend: Trend
    incident: str | None
    """Id of its open incident."""

    @property
    def failed(self) -> int:
        """Intervals among the newest on which it failed, waived ones too."""
        return sum(p.state in ("failed", "waived", "not_evaluated") for p in self.trend)

    @property
    def failing(self) -> int:
        """Rows or keys that failed it on these intervals."""
        return sum(p.failing for p in self.trend)


@dataclass(frozen=True)
class IntervalLine:
    """One of the newest intervals; ``state`` is a word of the report. Times are UTC."""

    interval: str
    state: str
    partial: bool
    rows: int | None
    quarantined: int | None
    at: datetime | None
    note: str


@dataclass(frozen=True)
class DecisionLine:
    """A decision in force."""

    kind: str
    interval: str
    rule_id: str
    row: str
    reason: str
    people: str
    until: date | None


@dataclass(frozen=True)
class Node:
    """One product in a drawing; ``x`` and ``y`` are its box's corner in pixels."""

    product: str
    title: str
    title_zh: str
    x: int
    y: int


@dataclass(frozen=True)
class Edge:
    """``source`` is read by ``target``: by its job, or only by rules."""

    source: str
    target: str
    by_rule: bool


@dataclass(frozen=True)
class Lineage:
    """The drawn graph around one product."""

    centre: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int
    up: tuple[str, ...]
    """Everything it is made from."""
    down: tuple[str, ...]
    """Everything that is made from it."""


@dataclass(frozen=True)
class ProductPage:
    """Everything one product's page shows."""

    contract: Contract
    columns: tuple[ColumnLine, ...]
    codes: tuple[CodeList, ...]
    rules: tuple[RuleLine, ...]
    intervals: tuple[IntervalLine, ...]
    decisions: tuple[DecisionLine, ...]
    lineage: Lineage
    audiences: tuple[Audience, ...]
    classification: int
    examples: tuple[tuple[str, str, str], ...]
    """(Chinese question, English question, SQL)."""

    @property
    def state(self) -> str:
        """The newest interval's state, empty before there is one."""
        return self.intervals[0].state if self.intervals else ""

    @property
    def troubles(self) -> tuple[IntervalLine, ...]:
        """Intervals shown that are not as readers need them, the newest first."""
        return tuple(i for i in self.intervals if i.state in TROUBLED)


@dataclass(frozen=True)
class IndexLine:
    """One product in the index, with everything the search looks at."""

    product: str
    layer: str
    title: str
    title_zh: str
    description: str
    description_zh: str
    synonyms: tuple[str, ...]
    columns: tuple[str, ...]
    """``name title_zh title`` of each business column."""
    owner: str
    classification: int
    audiences: tuple[str, ...]
    state: str
    newest: str
    troubles: tuple[tuple[str, str], ...]
    """(state, interval) of older intervals that are not as readers need them."""


@dataclass(frozen=True)
class CoverageLine:
    """One product's columns: how many, and which of them no field standard defines."""

    product: str
    title: str
    title_zh: str
    owner: str
    columns: int
    free: tuple[tuple[str, str, str, str], ...]
    """(name, type, Chinese title, English title)."""


@dataclass(frozen=True)
class Catalog:
    """All pages."""

    products: tuple[ProductPage, ...]
    index: tuple[IndexLine, ...]
    coverage: tuple[CoverageLine, ...]
    unused: tuple[str, ...]
    """Fields of the dictionary that no contract names."""
