"""Charts as inline SVG: no script, no library, readable in a mail. Every text is escaped.

Heights are scaled to the largest value; the number stands above each bar, so that nothing has to
be read off an axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT, BASE = 560, 190, 150
LONGEST_LABEL = 22


@dataclass(frozen=True)
class Bar:
    """One bar: ``value`` None means unknown, which is not zero; ``whole`` False is drawn hatched.

    ``target`` is the page's anchor behind the bar.
    """

    label: str
    value: float | None
    shown: str
    whole: bool = True
    target: str = ""


def columns(bars: Sequence[Bar], title: str, colour: str) -> Markup:
    """Upright bars, one per date, oldest first; an unknown one is a question mark."""
    if not bars:
        return Markup("")
    top = max((b.value or 0 for b in bars), default=0) or 1
    step = WIDTH / len(bars)
    wide = min(64.0, step * 0.7)
    every = max(1, round(len(bars) / 10))
    parts = [_open(title, WIDTH, HEIGHT), _hatch(colour)]
    for n, bar in enumerate(bars):
        middle = step * (n + 0.5)
        known = bar.value is not None
        tall = (bar.value or 0) / top * (BASE - 30)
        fill = colour if bar.whole else "url(#part)"
        drawn = Markup(
            '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}" stroke="{}" '
            'rx="2"><title>{}: {}</title></rect>'
        ).format(middle - wide / 2, BASE - tall, wide, max(tall, 0.5), fill, colour, bar.label,
                 bar.shown)  # fmt: skip
        said = Markup('<text x="{:.1f}" y="{:.1f}" class="v">{}</text>').format(
            middle, BASE - tall - 5, bar.shown if known else "?"
        )
        whole = drawn + said if len(bars) <= 20 or not known else drawn
        parts.append(_linked(whole, bar.target))
        if n % every == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" class="l">{}</text>').format(
                    middle, BASE + 18, bar.label
                )
            )
    line = '<line x1="0" y1="{0}" x2="{1}" y2="{0}" class="axis"/></svg>'
    return Markup("").join([*parts, Markup(line).format(BASE, WIDTH)])


def rows(bars: Sequence[Bar], title: str, colour: str) -> Markup:
    """Lying bars, the label left and the number right."""
    if not bars:
        return Markup("")
    top = max((b.value or 0 for b in bars), default=0) or 1
    high = 24 * len(bars) + 8
    parts = [_open(title, WIDTH, high), _hatch(colour)]
    for n, bar in enumerate(bars):
        wide = (bar.value or 0) / top * 270
        fill = colour if bar.whole else "url(#part)"
        y = 24 * n + 6
        drawn = Markup(
            '<text x="190" y="{}" class="r">{}</text><rect x="198" y="{}" width="{:.1f}" '
            'height="15" fill="{}" rx="2"><title>{}: {}</title></rect>'
            '<text x="{:.1f}" y="{}" class="s">{}</text>'
        ).format(y + 12, shortened(bar.label), y, max(wide, 1), fill, bar.label, bar.shown,
                 204 + wide, y + 12, bar.shown)  # fmt: skip
        parts.append(_linked(drawn, bar.target))
    return Markup("").join([*parts, Markup("</svg>")])


def shortened(label: str) -> str:
    """A label that fits: wide characters count twice."""
    used, kept = 0, ""
    for character in label:
        used += 1 if character.isascii() else 2
        if used > LONGEST_LABEL:
            return kept + "…"
        kept += character
    return kept


def _open(title: str, width: int, height: int) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
    ).format(width, height, title, title)


def _hatch(colour: str) -> Markup:
    return Markup(
        '<defs><pattern id="part" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="3" height="6" fill="{}"/></pattern></defs>'
    ).format(colour)


def _linked(drawn: Markup, target: str) -> Markup:
    return Markup('<a href="#{}">{}</a>').format(escape(target), drawn) if target else drawn
