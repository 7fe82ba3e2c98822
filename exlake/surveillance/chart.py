"""A price chart with what the subject did on it, as inline SVG of our own: no script, no request.

Time runs by trades, not by the clock: sessions have gaps in which nothing happens. Red is up and
buying, green down and selling, as Chinese markets read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from markupsafe import Markup, escape

WIDTH, HEIGHT = 1180, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 28
BEIJING = timedelta(hours=8)
COLOURS = {"B": "#c62828", "S": "#1b7f4b"}
LABELS = 8


@dataclass(frozen=True)
class Bar:
    """Prices traded in one stretch of time, which begins at ``at`` (UTC)."""

    at: datetime
    low: Decimal
    high: Decimal
    last: Decimal


@dataclass(frozen=True)
class Mark:
    """One act of the subject: when (UTC), at what price, ``B`` or ``S``, and what to call it."""

    at: datetime
    price: Decimal
    side: str
    title: str


def price_chart(bars: Sequence[Bar], marks: Sequence[Mark]) -> Markup:
    """The chart; empty when nothing was traded. All text in it is escaped."""
    if not bars:
        return Markup("")
    prices = [p for b in bars for p in (b.low, b.high)] + [m.price for m in marks]
    low, high = min(prices), max(prices)
    span = float(high - low) or 1.0

    def x(position: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * position / max(len(bars) - 1, 1), 1)

    def y(price: Decimal) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - float(price - low) / span), 1)

    starts = [bar.at for bar in bars]
    parts = [
        Markup(
            '<svg viewBox="0 0 {} {}" role="img" aria-label="价格 price {} – {}">'
            "<title>价格与行为 price and acts</title>"
        ).format(WIDTH, HEIGHT, low, high)
    ]
    for step in range(5):
        level = low + (high - low) * step / 4
        parts.append(
            Markup(
                '<line x1="{0}" x2="{1}" y1="{2}" y2="{2}" stroke="#dde3ea"/>'
                '<text x="{3}" y="{4}" text-anchor="end">{5}</text>'
            ).format(
                LEFT, WIDTH - RIGHT, y(level), LEFT - 6, y(level) + 4, f"{level.normalize():f}"
            )
        )
    for n in range(0, len(bars), max(len(bars) // LABELS, 1)):
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="middle">{:%H:%M}</text>').format(
                x(n), HEIGHT - 8, bars[n].at + BEIJING
            )
        )
    for n, bar in enumerate(bars):
        parts.append(
            Markup('<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke="#b8c4d0"/>').format(
                x(n), y(bar.high), y(bar.low)
            )
        )
    line = " ".join(f"{x(n)},{y(bar.last)}" for n, bar in enumerate(bars))
    parts.append(Markup('<polyline points="{}" fill="none" stroke="#34495e"/>').format(line))
    for mark in marks:
        parts.append(
            Markup(
                '<circle cx="{}" cy="{}" r="3" fill="{}" fill-opacity=".6">'
                "<title>{}</title></circle>"
            ).format(
                x(_place(starts, mark.at)), y(mark.price), COLOURS.get(mark.side, "#555"),
                escape(mark.title),
            )
        )  # fmt: skip
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _place(starts: Sequence[datetime], at: datetime) -> float:
    from bisect import bisect_right

    return float(max(bisect_right(starts, at) - 1, 0))
