"""Place a product's neighbourhood in columns: what it is made from left, what uses it right.

A small layered layout (Sugiyama's steps without dummy nodes): a column per longest distance,
then a few sweeps that order each column by where its neighbours stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean

from catalog.pages.document import Edge, Lineage, Node
from contracts.model import Contract
from pipelines.engine.graph import Graph

WIDE, TALL = 168, 40
GAP_X, GAP_Y = 44, 12
SWEEPS = 6


def lineage_of(graph: Graph, contracts: Mapping[str, Contract], product: str) -> Lineage:
    """What a product is made from and what is made from it, by jobs, all the way, placed.

    What only rules read is drawn beside the product itself: their whole ways would hide it.
    """
    up, down = _reach(graph, product, above=True), _reach(graph, product, above=False)
    edges = _edges(graph, {*up, product}, product) | _edges(graph, {*down, product}, product)
    column = _columns(product, up, down, edges)
    places = _places(column, edges)
    nodes = tuple(
        Node(name, contracts[name].title, contracts[name].title_zh, x, y)
        for name, (x, y) in sorted(places.items())
    )
    return Lineage(
        centre=product,
        nodes=nodes,
        edges=tuple(Edge(a, b, by_rule) for (a, b), by_rule in sorted(edges.items())),
        width=max(n.x for n in nodes) + WIDE,
        height=max(n.y for n in nodes) + TALL,
        up=tuple(sorted(up)),
        down=tuple(sorted(down)),
    )


def _reach(graph: Graph, product: str, *, above: bool) -> frozenset[str]:
    """Products above (below) by jobs, and those whose rules or whose own rules read directly."""
    jobs = {p: {r.product for r in n.inputs} for p, n in graph.nodes.items()}
    rules = {p: {r.read.product for r in n.rule_reads} for p, n in graph.nodes.items()}
    if not above:
        jobs, rules = _turned(jobs), _turned(rules)
    found: set[str] = set()
    todo = [product]
    while todo:
        for other in jobs[todo.pop()] - found:
            found.add(other)
            todo.append(other)
    return frozenset((found | rules[product]) - {product})


def _turned(reads: Mapping[str, set[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {p: set() for p in reads}
    for target, sources in reads.items():
        for source in sources:
            found[source].add(target)
    return found


def _edges(graph: Graph, among: Iterable[str], centre: str) -> dict[tuple[str, str], bool]:
    """(source, target) -> True when only rules read it; rules count at the centre alone."""
    wanted = set(among)
    found: dict[tuple[str, str], bool] = {}
    for target in wanted:
        node = graph.nodes[target]
        for read in node.rule_reads:
            source = read.read.product
            if source in wanted and source != target and centre in (source, target):
                found[source, target] = True
        for each in node.inputs:
            if each.product in wanted and each.product != target:
                found[each.product, target] = False
    return found


def _columns(
    centre: str, up: Iterable[str], down: Iterable[str], edges: Mapping[tuple[str, str], bool]
) -> dict[str, int]:
    """Column of each product: the longest way to the centre, negative above it."""
    found = {centre: 0}

    def above(name: str) -> int:
        if name not in found:
            found[name] = min(above(b) for a, b in edges if a == name and b in wanted) - 1
        return found[name]

    def below(name: str) -> int:
        if name not in found:
            found[name] = max(below(a) for a, b in edges if b == name and a in wanted) + 1
        return found[name]

    wanted = {*up, centre}
    for name in sorted(up):
        above(name)
    wanted = {*down, centre}
    for name in sorted(down):
        below(name)
    return found


def _places(
    column: Mapping[str, int], edges: Mapping[tuple[str, str], bool]
) -> dict[str, tuple[int, int]]:
    columns: dict[int, list[str]] = {}
    for name, at in sorted(column.items()):
        columns.setdefault(at, []).append(name)
    near: dict[str, list[str]] = {name: [] for name in column}
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    rank: dict[str, float] = {name: i for of in columns.values() for i, name in enumerate(of)}
    order = sorted(columns)
    for sweep in range(SWEEPS):
        for at in order if sweep % 2 == 0 else reversed(order):
            columns[at].sort(key=lambda n: (fmean([rank[m] for m in near[n]] or [rank[n]]), n))
            middle = (len(columns[at]) - 1) / 2
            for i, name in enumerate(columns[at]):
                rank[name] = i - middle
    tallest = max(len(of) for of in columns.values())
    return {
        name: (
            (at - order[0]) * (WIDE + GAP_X),
            round((i + (tallest - len(of)) / 2) * (TALL + GAP_Y)),
        )
        for at, of in columns.items()
        for i, name in enumerate(of)
    }
