"""A small world for planner tests: contracts and jobs by name, and an engine without Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from types import SimpleNamespace

from contracts.model import Column, Contract, Read, Rule
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.delivery import Delivery, Mode, delivery_id
from pipelines.engine.graph import Graph, build_graph
from pipelines.engine.job import Job, as_of, history, previous, same
from pipelines.engine.plan import Planned, Request
from pipelines.engine.rows import BEGINNING, DecisionRow, IntervalRow
from pipelines.engine.run import _Done, _Runner
from pipelines.engine.state import State, by_interval

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
CALENDAR = TradingCalendar.default()


def column(name: str, type_: str = "string") -> Column:
    """One column whose texts do not matter."""
    return Column(name=name, type=type_, title=name, title_zh=name, description=name)


def contract(
    product: str, *, dated: bool = True, scd2: bool = False, rules: Iterable[Rule] = ()
) -> Contract:
    """One product with two columns."""
    return Contract(
        product=product,
        version="1.0.0",
        status="active",
        title=product,
        title_zh=product,
        description=product,
        domain="test",
        owner="owner",
        steward="steward",
        columns=(column("trade_date", "date"), column("value", "bigint")),
        key=("trade_date",),
        interval_column="trade_date" if dated else None,
        scd2=scd2,
        rules=tuple(rules),
        retention_days=30,
        flow="trading_day",
    )


def rule(id_: str, *reads: Read, since: date = date(1990, 1, 1), **other: object) -> Rule:
    """One rule that reads what is given."""
    given: dict[str, object] = {
        "kind": "rows", "description": id_, "dimension": "consistency", "severity": "error",
        "sql": "select 1",
    }  # fmt: skip
    return Rule.model_validate(
        {**given, **other, "id": id_, "reads": reads, "effective_from": since}
    )


def job(product: str, *inputs: Read, version: int = 1) -> Job:
    """One declaration without code."""
    return Job(product=product, version=version, inputs=inputs, module="m", function="f")


def exchange(
    versions: Mapping[str, int] | None = None, rules: Mapping[str, Iterable[Rule]] | None = None
) -> Graph:
    """Trades and positions with a dimension, a mart over both and a public quote."""
    rules = {
        "silver.position": (rule("position.roll", previous("silver.position")),),
        **(rules or {}),
    }
    inputs: dict[str, tuple[Read, ...]] = {
        "silver.client": (history("bronze.client"),),
        "silver.trade": (same("bronze.trade"), as_of("silver.client")),
        "silver.position": (same("bronze.position"),),
        "silver.quote": (same("bronze.quote"),),
        "gold.day": (
            same("silver.trade"), same("silver.position"), same("silver.quote", optional=True),
        ),
        "gold.change": (same("gold.day"), previous("gold.day")),
    }  # fmt: skip
    names = [f"bronze.{n}" for n in ("client", "trade", "position", "quote")]
    contracts = {
        p: contract(
            p, dated=p != "silver.client", scd2=p == "silver.client", rules=rules.get(p, ())
        )
        for p in (*names, *inputs)
    }
    jobs = {p: job(p, *i, version=(versions or {}).get(p, 1)) for p, i in inputs.items()}
    return build_graph(contracts, jobs)


def delivered(
    dataset: str,
    interval: str,
    content: str,
    *,
    sequence: int = 1,
    mode: Mode = "full",
    rows: int | None = 1,
    part: int | None = None,
    parts: int | None = None,
    file: str | None = None,
    status: str = "landed",
) -> Delivery:
    """One landed delivery with this content."""
    sha = hashlib.sha256(content.encode()).hexdigest()
    return Delivery(
        delivery_id=delivery_id(dataset, interval, sequence, sha),
        system="test",
        dataset=dataset,
        interval=interval,
        mode=mode,
        part=part,
        parts=parts,
        sequence=sequence,
        file=file or f"{dataset}.csv",
        rows=rows,
        bytes=1,
        sha256=sha,
        encoding="utf-8",
        format=None,
        path=None,
        status=status,  # type: ignore[arg-type]  # tests give the literal
        has_manifest=True,
        generated_at=None,
        received_at=NOW,
    )


def content_of(body: object, version: int, decisions: str) -> str:
    """What a job makes of its inputs: a digest that differs when anything of them does."""
    text = json.dumps([body, version, decisions])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


Verdict = Callable[[str, str, str], str]
"""(product, interval, content) -> published, quarantine or blocked."""


@dataclass
class World:
    """Deliveries in, plans carried out: content is a digest of the inputs' content."""

    graph: Graph = field(default_factory=exchange)
    deliveries: list[Delivery] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    rows: list[IntervalRow] = field(default_factory=list)
    verdict: Verdict = lambda product, interval, content: "published"
    built: list[tuple[str, str]] = field(default_factory=list)
    judged: list[tuple[str, str]] = field(default_factory=list)
    batches: int = 0

    @property
    def state(self) -> State:
        """What the planner would read from the ledgers."""
        state = State(deliveries=by_interval(self.deliveries), decisions=tuple(self.decisions))
        return state.with_rows(self.rows)

    def request(
        self,
        dates: tuple[date, date] | None = None,
        products: Iterable[str] | None = None,
        force: bool = False,
    ) -> Request:
        """Ask for products and dates."""
        chosen = None if products is None else frozenset(products)
        return Request(self.graph, CALENDAR, dates=dates, products=chosen, force=force)

    def deliver(self, dataset: str, interval: str, content: str, **how: object) -> None:
        """Land the next delivery of an interval."""
        number = 1 + sum((d.dataset, d.interval) == (dataset, interval) for d in self.deliveries)
        self.deliveries.append(
            delivered(dataset, interval, content, sequence=number, **how)  # type: ignore[arg-type]
        )

    def run(
        self,
        dates: tuple[date, date] | None = None,
        products: Iterable[str] | None = None,
        force: bool = False,
    ) -> list[tuple[str, str]]:
        """Carry everything out as a run does; returns what was built, in order."""
        first = len(self.built)
        runner = Runner(self, self.request(dates, products, force))
        runner.state = self.state
        for product in runner._waits():
            turn = runner._turn(product)
            assert turn.last is not None
            runner._ended(product, turn)
            self.rows += turn.rows
        return self.built[first:]

    def content(self) -> dict[tuple[str, str], str | None]:
        """What readers see: (product, interval) -> fingerprint."""
        return {
            (p, i): r.published.fingerprint
            for p, of in self.state.records.items()
            for i, r in of.items()
            if r.published
        }

    def judge(self, product: str, planned: Planned, state: State) -> IntervalRow:
        """The row of a stored interval after another judgement."""
        record = state.record(product, planned.interval)
        assert record
        assert record.published
        self.judged.append((product, planned.interval))
        return replace(
            record.published,
            rule_inputs=planned.rule_inputs,
            rules_fingerprint=planned.rules_fingerprint,
        )

    def build(self, product: str, planned: Planned) -> IntervalRow:
        """The row of an interval that is built."""
        row = self._built(product, planned)
        self.built.append((product, planned.interval))
        return row

    def _built(self, product: str, planned: Planned) -> IntervalRow:
        node = self.graph.nodes[product]
        assert node.job
        # A token of a dimension names a batch; content follows the deliveries behind it alone.
        body = [[p.product, p.at, p.fingerprint] for p in planned.inputs if p.at != "as_of"]
        content = content_of(body, node.job.version, planned.decisions_fingerprint)
        state = self.verdict(product, planned.interval, content)
        return IntervalRow(
            product=product,
            interval=planned.interval,
            state=state,  # type: ignore[arg-type]  # tests give the literal
            run_id="r",
            batch_id=f"b{self.batches}",
            job_version=node.job.version,
            schema_fingerprint=node.contract.schema_fingerprint,
            contract_version="1.0.0",
            rules_fingerprint=planned.rules_fingerprint,
            decisions_fingerprint=planned.decisions_fingerprint,
            committed_at=NOW,
            fingerprint=None if state == "blocked" else content,
            delta_version=self.batches,
            partial=planned.partial,
            incomplete_because=planned.incomplete_because,
            inputs=planned.inputs,
            rule_inputs=planned.rule_inputs,
            changed_from=BEGINNING if node.contract.scd2 else None,
        )


class Runner(_Runner):
    """A run of the engine whose batches are the world's: no Spark, no ledgers."""

    def __init__(self, world: World, request: Request) -> None:
        lake = SimpleNamespace(graph=world.graph, settings=SimpleNamespace(parallel_products=None))
        super().__init__(
            lake,  # type: ignore[arg-type]  # all that a turn looks at
            request, "run", None, lambda event: None, lambda: NOW, lambda: False,
        )  # fmt: skip
        self.world = world

    def _batch(
        self,
        product: str,
        state: State,
        batch: tuple[Planned, ...],
        rebuild: bool,
        turn: _Done,
    ) -> tuple[list[IntervalRow], bool]:
        self.world.batches += 1
        if not rebuild:
            return [self.world.judge(product, p, state) for p in batch], True
        return [self.world.build(product, p) for p in batch], True
