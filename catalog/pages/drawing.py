"""A placed graph as inline SVG: boxes are links, curves say who reads whom."""

from __future__ import annotations

from markupsafe import Markup

from catalog.pages.document import Lineage, Node
from catalog.pages.layout import TALL, WIDE

MARGIN = 4
FITS = 24
"""Latin letters that fit into a box (a Chinese one counts for two)."""


def drawn(lineage: Lineage) -> Markup:
    """The drawing; its title says in words what it shows."""
    nodes = {n.product: n for n in lineage.nodes}
    edges = Markup("").join(
        _curve(nodes[e.source], nodes[e.target], e.by_rule) for e in lineage.edges
    )
    boxes = Markup("").join(_box(n, n.product == lineage.centre) for n in lineage.nodes)
    title = (
        f"{lineage.centre}: 上游 {len(lineage.up)} 个，下游 {len(lineage.down)} 个 "
        f"({len(lineage.up)} products above, {len(lineage.down)} below)"
    )
    wide, tall = lineage.width + 2 * MARGIN, lineage.height + 2 * MARGIN
    return Markup(
        '<svg class="lineage" role="group" aria-label="{title}" width="{w}" height="{h}" '
        'viewBox="-{m} -{m} {w} {h}">{edges}{boxes}</svg>'
    ).format(title=title, w=wide, h=tall, m=MARGIN, edges=edges, boxes=boxes)


def _curve(source: Node, target: Node, by_rule: bool) -> Markup:
    x1, y1 = source.x + WIDE, source.y + TALL // 2
    x2, y2 = target.x, target.y + TALL // 2
    bend = max((x2 - x1) // 2, 24)
    return Markup('<path class="edge{}" d="M{} {}C{} {} {} {} {} {}"/>').format(
        " rule" if by_rule else "", x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2
    )


def _box(node: Node, centre: bool) -> Markup:
    layer, _, name = node.product.partition(".")
    return Markup(
        '<a href="{product}.html" aria-label="{product} {zh} {en}">'
        '<rect class="box l-{layer}{now}" x="{x}" y="{y}" width="{w}" height="{h}" rx="5"/>'
        '<text x="{tx}" y="{t1}">{short}</text>'
        '<text class="small" x="{tx}" y="{t2}">{label}</text></a>'
    ).format(
        product=node.product,
        zh=node.title_zh,
        en=node.title,
        layer=layer,
        now=" centre" if centre else "",
        x=node.x,
        y=node.y,
        w=WIDE,
        h=TALL,
        tx=node.x + 9,
        t1=node.y + 17,
        t2=node.y + 32,
        short=_cut(node.title_zh or node.title),
        label=_cut(f"{layer}.{name}"),
    )


def _cut(text: str) -> str:
    """As much of a text as fits into a box."""
    used, kept = 0, ""
    for letter in text:
        used += 2 if ord(letter) > 0x2E7F else 1
        if used > FITS:
            return kept + "…"
        kept += letter
    return text
