"""What every rule came to on the newest intervals of its product, from the ledger of results."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta

from pipelines.engine.ledgers import RESULT, Ledgers, period_of
from quality.trend import KEPT, Point, Trend, state_of

Trends = Mapping[str, Mapping[str, Trend]]
"""Product -> rule id -> its outcomes, oldest first."""
MONTHS = 3
"""Thirty trade dates lie within three months, the longest holiday included."""
_COLUMNS = ("product", "interval", "rule_id", "outcome", "failing", "decision_id")


def trends(
    ledgers: Ledgers, products: Collection[str] | None = None, *, until: str | None = None
) -> Trends:
    """The last outcome of each rule on each of the newest thirty intervals.

    ``until`` (ISO date) limits what is read to the three months that end there, and what has
    interval ``all``; None reads everything.
    """
    where = None if products is None else {"product": sorted(products)}
    periods = None if until is None else _months(until)
    table = ledgers.arrow(RESULT, periods=periods, where=where, columns=_COLUMNS)
    newest: dict[tuple[str, str], dict[str, Point]] = {}
    columns = (table.column(name).to_pylist() for name in _COLUMNS)
    for product, interval, rule, outcome, failing, decision in zip(*columns, strict=True):
        point = Point(interval, state_of(outcome, decision), failing or 0)
        newest.setdefault((product, rule), {})[interval] = point
    found: dict[str, dict[str, Trend]] = {}
    for (product, rule), points in newest.items():
        kept = sorted(points)[-KEPT:]
        found.setdefault(product, {})[rule] = tuple(points[i] for i in kept)
    return found


def _months(until: str) -> tuple[str, ...]:
    last = date.fromisoformat(until)
    days = (last - timedelta(days=n) for n in range(0, 31 * MONTHS, 7))
    return tuple(sorted({period_of("all"), *(period_of(d.isoformat()) for d in days)}))
