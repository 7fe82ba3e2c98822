"""The product graph refuses what could never run, and orders what can."""

from __future__ import annotations

import pytest

from contracts.model import Read
from pipelines.engine.graph import GraphError, build_graph
from pipelines.engine.job import as_of, history, latest, previous, same
from tests.pipelines.engine.planning import contract, exchange, job, rule


def _problems(jobs: dict[str, tuple[Read, ...]], *, rules: dict[str, Read] | None = None) -> str:
    products = ["bronze.a", "silver.a", "silver.b", "silver.dim"]
    reads = rules or {}
    contracts = {
        p: contract(
            p,
            dated=p != "silver.dim",
            scd2=p == "silver.dim",
            rules=[rule(f"{p}.r", reads[p])] if p in reads else [],
        )
        for p in products
    }
    good = {
        "silver.a": (same("bronze.a"),),
        "silver.b": (same("silver.a"),),
        "silver.dim": (history("bronze.a"),),
    }
    with pytest.raises(GraphError) as refused:
        build_graph(contracts, {p: job(p, *i) for p, i in {**good, **jobs}.items() if i})
    return "; ".join(refused.value.problems)


def test_order_puts_everything_after_what_it_reads() -> None:
    """Products come after the inputs of their jobs and of their rules."""
    graph = exchange(rules={"silver.position": [rule("position.trade", same("silver.trade"))]})
    order = graph.order
    for product, node in graph.nodes.items():
        for read in node.reads:
            assert read.product == product or order.index(read.product) < order.index(product)
    assert "silver.position" in graph.consumers["silver.trade"]
    assert graph.downstream(["bronze.quote"]) == {"silver.quote", "gold.day", "gold.change"}
    assert graph.upstream(["silver.trade"]) == {"bronze.trade", "bronze.client", "silver.client"}
    assert "bronze.trade" not in graph.built


@pytest.mark.parametrize(
    ("jobs", "says"),
    [
        ({"silver.a": (same("bronze.nothing"),)}, "bronze.nothing, which has no contract"),
        ({"silver.a": (same("bronze.a"), same("silver.b"))}, "cycle: "),
        ({"silver.a": ()}, "silver.a has a contract and no job"),
        ({"gold.x": (same("silver.a"),)}, "gold.x has a job and no contract"),
        ({"bronze.a": (same("silver.a"),)}, "bronze is landed, never built"),
        ({"silver.a": (same("silver.a"),)}, "reads its own product"),
        ({"silver.b": (as_of("silver.a"),)}, "it is no dimension"),
        ({"silver.b": (history("bronze.a"),)}, "only products of interval `all` may"),
        ({"silver.dim": (same("bronze.a"),)}, "no interval in common"),
        ({"silver.dim": (previous("silver.a"),)}, "without any"),
    ],
)
def test_bad_graphs_are_refused(jobs: dict[str, tuple[Read, ...]], says: str) -> None:
    """Cycles, unknown inputs, jobs without contract and the reverse are all errors."""
    assert says in _problems(jobs)


def test_rules_are_part_of_the_graph() -> None:
    """A rule that reads a later product closes a cycle, and a rule's unknown input is found."""
    assert "cycle" in _problems({}, rules={"silver.a": same("silver.b")})
    assert "no contract" in _problems({}, rules={"silver.a": latest("bronze.none")})


def test_every_problem_is_named_at_once() -> None:
    """One run of the check names all the problems."""
    said = _problems({"silver.a": (same("bronze.no"),), "silver.b": ()})
    assert "bronze.no" in said
    assert "silver.b has a contract" in said
