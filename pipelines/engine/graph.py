"""The product graph: what every product is built and judged from.

Edges come from the jobs' inputs and from the rules' reads. The graph refuses
what could never run: unknown inputs, cycles, a job without a contract and the
reverse, and reads that mean nothing (``as_of`` something that is no dimension).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from contracts.errors import TerminalError
from contracts.model import Contract, Read, Rule
from pipelines.engine.job import Job


class GraphError(TerminalError):
    """Raised when jobs and contracts do not make a graph; ``problems`` has all of them."""

    code = "product-graph"

    def __init__(self, problems: tuple[str, ...]):
        self.problems = problems
        super().__init__(
            "; ".join(problems) + ".",
            next_step="mend the named contracts' `reads` or @job declarations.",
        )


@dataclass(frozen=True)
class RuleRead:
    """What one rule of a product reads of another."""

    rule_id: str
    read: Read


@dataclass(frozen=True)
class Node:
    """One product: its contract, its job (none for bronze) and everything it reads."""

    contract: Contract
    job: Job | None
    inputs: tuple[Read, ...]
    rule_reads: tuple[RuleRead, ...]

    @property
    def product(self) -> str:
        """The product's name."""
        return self.contract.product

    @property
    def dated(self) -> bool:
        """True when the product has one interval per date, False when it is one, ``all``."""
        return self.contract.interval_column is not None or self.contract.layer == "bronze"

    @property
    def reads(self) -> tuple[Read, ...]:
        """Reads of the job, then those of the rules."""
        return (*self.inputs, *(r.read for r in self.rule_reads))


@dataclass(frozen=True)
class Graph:
    """Products in an order in which everything comes after what it reads."""

    nodes: Mapping[str, Node]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Topological, by name where the graph leaves a choice."""
        return _ordered(self.nodes)

    @cached_property
    def consumers(self) -> Mapping[str, frozenset[str]]:
        """Product -> the products that read it directly (itself excluded)."""
        found: dict[str, set[str]] = {p: set() for p in self.nodes}
        for node in self.nodes.values():
            for read in node.reads:
                if read.product != node.product:
                    found[read.product].add(node.product)
        return {p: frozenset(c) for p, c in found.items()}

    def upstream(self, products: Iterable[str]) -> frozenset[str]:
        """Everything the products are made from, directly or not (they themselves excluded)."""
        direct = {p: {r.product for r in n.reads} for p, n in self.nodes.items()}
        return _reachable(products, direct)

    def downstream(self, products: Iterable[str]) -> frozenset[str]:
        """Everything made from the products, directly or not (they themselves excluded)."""
        return _reachable(products, self.consumers)

    def flow(self, flow: str) -> tuple[str, ...]:
        """The built products of one flow (DAG), in order."""
        return tuple(p for p in self.built if self.nodes[p].contract.flow == flow)

    @cached_property
    def built(self) -> tuple[str, ...]:
        """Products with a job, in order (bronze is landed, not built)."""
        return tuple(p for p in self.order if self.nodes[p].job is not None)


def build_graph(contracts: Mapping[str, Contract], jobs: Mapping[str, Job]) -> Graph:
    """The graph of ``contracts`` and ``jobs``; raises GraphError with every problem found."""
    problems: list[str] = []
    nodes: dict[str, Node] = {}
    for product in sorted(contracts):
        contract, job = contracts[product], jobs.get(product)
        if contract.layer == "bronze" and job is not None:
            problems.append(f"{product} is bronze and has a job (bronze is landed, never built)")
        if contract.layer != "bronze" and job is None:
            problems.append(f"{product} has a contract and no job")
        nodes[product] = Node(
            contract=contract,
            job=job,
            inputs=job.inputs if job else (),
            rule_reads=tuple(_rule_reads(contract.rules)),
        )
    problems += [f"{p} has a job and no contract" for p in sorted(set(jobs) - set(contracts))]
    for node in nodes.values():
        problems += _read_problems(node, nodes)
    if not problems:
        try:
            _ordered(nodes)
        except CycleError as error:
            problems.append("cycle: " + " -> ".join(reversed(error.args[1])))
    if problems:
        raise GraphError(tuple(problems))
    return Graph(nodes)


def _rule_reads(rules: Iterable[Rule]) -> Iterable[RuleRead]:
    for rule in rules:
        yield from (RuleRead(rule.id, read) for read in rule.reads)


def _read_problems(node: Node, nodes: Mapping[str, Node]) -> list[str]:
    problems = []
    by = [(f"{node.product}'s job", r) for r in node.inputs]
    by += [(f"rule {r.rule_id}", r.read) for r in node.rule_reads]
    for who, read in by:
        other = nodes.get(read.product)
        if other is None:
            problems.append(f"{who} reads {read.product}, which has no contract")
        elif read.product == node.product and read.how != "previous":
            problems.append(f"{who} reads its own product other than by previous(n)")
        elif read.how == "as_of" and other.dated:
            problems.append(f"{who} reads {read.product} as of a date, but it is no dimension")
        elif read.how == "previous" and not (other.dated and node.dated):
            problems.append(f"{who} reads previous intervals of or for a product without any")
        elif read.how == "history" and node.dated:
            problems.append(f"{who} reads history, which only products of interval `all` may")
        elif read.how == "same" and other.dated and not node.dated:
            problems.append(f"{who} has no interval in common with {read.product}")
        elif read.n < 1:
            problems.append(f"{who} reads previous({read.n}); n must be positive")
    return problems


def _ordered(nodes: Mapping[str, Node]) -> tuple[str, ...]:
    sorter = TopologicalSorter(
        {p: {r.product for r in n.reads if r.product != p} for p, n in nodes.items()}
    )
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return tuple(order)


def _reachable(start: Iterable[str], direct: Mapping[str, Iterable[str]]) -> frozenset[str]:
    start = set(start)
    found: set[str] = set()
    todo = list(start)
    while todo:
        for other in direct[todo.pop()]:
            if other not in found:
                found.add(other)
                todo.append(other)
    return frozenset(found - start)
