"""Any schedule of anything ends where a model says that one can check by reading it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine.delivery import Mode
from pipelines.engine.pins import ABSENT, together
from pipelines.engine.rows import DecisionRow
from pipelines.engine.staleness import plan, rules_fingerprint
from tests.pipelines.engine.planning import (
    CALENDAR,
    NOW,
    World,
    content_of,
    delivered,
    exchange,
    rule,
)

DAYS = [d.isoformat() for d in CALENDAR.between(date(2026, 1, 5), date(2026, 1, 9))]
BUILT = sorted(exchange().built)
DATED = [p for p in BUILT if p != "silver.client"]


@dataclass(frozen=True)
class Deliver:
    """A delivery arrives: its sequence says its place, not the moment of its arrival."""

    dataset: str
    day: int
    mode: Mode
    sequence: int
    content: int


@dataclass(frozen=True)
class Run:
    """Somebody runs some products over some dates, perhaps by force."""

    first: int
    days: int
    products: frozenset[str] | None
    force: bool


@dataclass(frozen=True)
class Change:
    """A job gets its next version, a contract another rule, or a steward decides.

    It is about one of the intervals that are there (``pick`` counts them round and round).
    """

    what: str
    pick: int


DELIVERIES = st.builds(
    Deliver,
    dataset=st.sampled_from(["client", "trade", "position", "quote"]),
    day=st.integers(0, 3),
    mode=st.sampled_from(["full", "correction", "part", "withdrawal"]),
    sequence=st.integers(1, 4),
    content=st.integers(0, 2),
)
RUNS = st.builds(
    Run,
    first=st.integers(0, 3),
    days=st.integers(0, 3),
    products=st.none() | st.frozensets(st.sampled_from(BUILT), min_size=1),
    force=st.booleans(),
)
CHANGES = st.builds(
    Change,
    what=st.sampled_from(["job", "rule", "decision"]),
    pick=st.integers(0, 40),
)
SCHEDULES = st.lists(st.one_of(DELIVERIES, DELIVERIES, RUNS, CHANGES), max_size=18)


class Model:
    """What everything must come to, from the end alone: no plan, no history."""

    def __init__(self, world: World) -> None:
        self.state, self.graph = world.state, world.graph
        self.known: dict[tuple[str, str], str | None] = {}

    def all(self) -> dict[tuple[str, str], str]:
        """(product, interval) -> content of everything that can be built."""
        keys = [(p, i) for p in DATED for i in DAYS]
        found = {k: self.of(*k) for k in (("silver.client", "all"), *keys)}
        return {k: v for k, v in found.items() if v is not None}

    def of(self, product: str, interval: str) -> str | None:
        """The content of one interval; None when it cannot be."""
        key = (product, interval)
        if key not in self.known:
            self.known[key] = self._made(product, interval)
        return self.known[key]

    def _made(self, product: str, interval: str) -> str | None:
        body, required = [], False
        for read in self.graph.nodes[product].inputs:
            if read.how == "as_of":
                if self.of("silver.client", "all") is None:
                    return None
                continue
            if read.how == "history":
                told = self.state.deliveries.get(read.product, {})
                if not told:
                    return None
                parts = [(i, told[i].fingerprint) for i in sorted(told)]
                body.append([read.product, "history", together("history", parts)])
                required = True
                continue
            at = interval
            if read.how == "previous":
                at = CALENDAR.previous(date.fromisoformat(interval)).isoformat()
            value = self._input(read.product, at)
            if value is None and read.how == "same" and not read.optional:
                return None
            required = required or (value is not None and read.how == "same")
            body.append([read.product, at, value or ABSENT])
        if not required:
            return None
        job = self.graph.nodes[product].job
        assert job
        decisions = self.state.decisions_fingerprint(product, interval)
        return content_of(sorted(body), job.version, decisions)

    def _input(self, product: str, at: str) -> str | None:
        if not product.startswith("bronze."):
            return self.of(product, at) if at in DAYS else None
        told = self.state.deliveries.get(product, {}).get(at)
        return None if told is None else told.fingerprint


class History:
    """A world to which a schedule happens."""

    def __init__(self) -> None:
        self.world = World()
        self.versions: dict[str, int] = {}
        self.rules: dict[str, int] = {}
        self.checked = 0

    def happens(self, event: object) -> None:
        """One thing after the other."""
        match event:
            case Deliver():
                self._arrive(event)
            case Run():
                self._run(event)
            case Change(what, pick):
                there = sorted(k for k in self.world.content() if k[1] != "all")
                if there:
                    self._change(what, *there[pick % len(there)])

    def _change(self, what: str, product: str, interval: str) -> None:
        if what == "decision":
            self._decide(product, interval)
            return
        counted = self.versions if what == "job" else self.rules
        counted[product] = counted.get(product, 1) + 1
        rules = {p: (rule(f"{p}.more", sql=f"select {n}"),) for p, n in self.rules.items()}
        self.world.graph = exchange(self.versions, rules)

    def _arrive(self, event: Deliver) -> None:
        what = (event.dataset, DAYS[event.day], event.sequence)
        known = {(d.dataset, d.interval, d.sequence) for d in self.world.deliveries}
        if what in known:
            return  # a sequence number is used once: another file with it is refused
        mode = event.mode
        self.world.deliveries.append(
            delivered(
                event.dataset,
                DAYS[event.day],
                f"{event.dataset} {event.content}",
                sequence=event.sequence,
                mode=mode,
                part=event.sequence if mode == "part" else None,
                parts=4 if mode == "part" else None,
            )
        )

    def _decide(self, product: str, interval: str) -> None:
        number = len(self.world.decisions)
        self.world.decisions.append(
            DecisionRow(
                decision_id=f"d{number}",
                kind="patch",
                product=product,
                reason="r",
                decided_by="a",
                decided_at=NOW,
                interval=interval,
                column="value",
                value=str(number),
                delivery_id="x",
                row_number=1,
                sequence=number,
            )
        )

    def _run(self, event: Run) -> None:
        start = date.fromisoformat(DAYS[event.first])
        dates = (start, min(start + timedelta(event.days), date.fromisoformat(DAYS[-1])))
        self.run(dates, event.products, event.force)

    def run(
        self,
        dates: tuple[date, date] | None = None,
        products: frozenset[str] | None = None,
        force: bool = False,
    ) -> None:
        """Run, and hold the run against its own plan."""
        world = self.world
        found = plan(world.request(dates, products, force), world.state)
        judged = len(world.judged)
        built = world.run(dates, products, force)
        done = {*built, *world.judged[judged:]}
        assert len(built) == len(set(built)), "nothing is built twice in one run"
        assert done <= found.touched(), "nothing beyond what may run"
        will = {(s.product, p.interval) for s in found for p in s.will_run}
        assert will <= set(built), "everything that will run"
        again = {(s.product, p.interval) for s in found for p in s.judge_again}
        assert again <= set(world.judged[judged:]), "everything that is to be judged again"
        self.checked += 1


@settings(max_examples=250, deadline=None)
@given(SCHEDULES, st.booleans())
def test_every_schedule_ends_in_the_content_of_the_model(
    schedule: list[object], grown: bool
) -> None:
    """Invariants 3, 4 and 6: late and corrected days, versions, force, decisions, in any order.

    Equal inputs give equal content; each run does all that its plan says will run and nothing
    beyond what may; decisions and rules in force at the end are those of every interval.
    """
    history = History()
    if grown:  # a lake of two days, on which more is at stake
        for dataset in ("client", "trade", "position", "quote"):
            history.happens(Deliver(dataset, 0, "full", 1, 0))
            history.happens(Deliver(dataset, 1, "full", 1, 0))
        history.run()
    for event in schedule:
        history.happens(event)
    history.run()
    world = history.world
    wanted = Model(world).all()
    assert world.content() == wanted
    assert plan(world.request(), world.state).idle
    for (product, interval), content in wanted.items():
        row = world.state.records[product][interval].published
        assert row is not None
        assert row.fingerprint == content
        contract = world.graph.nodes[product].contract
        assert row.rules_fingerprint == rules_fingerprint(contract, interval)
        assert row.decisions_fingerprint == world.state.decisions_fingerprint(product, interval)
    history.run(force=True)
    assert world.content() == wanted, "by force, too"
    assert plan(world.request(), world.state).idle
