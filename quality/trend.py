"""A rule's outcomes over its newest intervals, as a small inline drawing. Pure functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

KEPT = 30
"""Intervals shown."""
State = Literal["passed", "failed", "waived", "not_evaluated", "declared"]
WORDS: dict[str, tuple[str, str]] = {
    "passed": ("通过", "passed"), "failed": ("未通过", "failed"), "waived": ("已豁免", "waived"),
    "not_evaluated": ("无法评估", "not evaluated"),
    "declared": ("不适用或未到期", "not applicable"),
}  # fmt: skip
_STEP, _HEIGHT, _LOW = 4, 16, 4


@dataclass(frozen=True)
class Point:
    """One rule on one interval; ``failing`` counts rows or keys."""

    interval: str
    state: State
    failing: int = 0


Trend = tuple[Point, ...]


def state_of(outcome: str, decision_id: str | None) -> State:
    """How an outcome counts in a trend."""
    if outcome == "failed":
        return "waived" if decision_id else "failed"
    if outcome == "passed":
        return "passed"
    return "not_evaluated" if outcome == "not_evaluated" else "declared"


def drawing(trend: Sequence[Point]) -> Markup:
    """Inline SVG: a bar per interval, the newest at the right; failures are taller and red.

    A failure's height grows with the logarithm of its count, so that one row beside a million
    is still seen. The words say the same for who cannot see it.
    """
    points = trend[-KEPT:]
    if not points:
        return Markup("–")
    most = max((p.failing for p in points), default=0)
    paths: dict[str, list[str]] = {}
    for n, point in enumerate(points):
        x = n * _STEP + 2
        paths.setdefault(point.state, []).append(f"M{x} {_HEIGHT}v-{_tall(point, most)}")
    drawn = Markup("").join(
        Markup('<path class="k-{}" d="{}"/>').format(state, "".join(moves))
        for state, moves in paths.items()
    )
    return Markup(
        '<svg class="trend" role="img" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        "<title>{title}</title>{drawn}</svg>"
    ).format(w=len(points) * _STEP, h=_HEIGHT, title=told(points), drawn=drawn)


def told(points: Sequence[Point]) -> str:
    """The trend in words: how many intervals of each kind, and the last one."""
    counts: Counter[str] = Counter(p.state for p in points)
    first, last = points[0].interval, points[-1].interval
    parts = [f"{WORDS[s][0]} {WORDS[s][1]} {counts[s]}" for s in WORDS if counts[s]]
    span = first if first == last else f"{first} … {last}"
    return f"{span}: {', '.join(parts)}"


def _tall(point: Point, most: int) -> int:
    if point.state in ("passed", "declared") or not point.failing:
        return _HEIGHT if point.state in ("failed", "not_evaluated") else _LOW
    share = math.log1p(point.failing) / math.log1p(most) if most else 1.0
    return _LOW + 3 + round((_HEIGHT - _LOW - 3) * share)
