"""The planner under any history: deliveries, runs and blocks in any order end the same."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine.pins import ABSENT
from pipelines.engine.staleness import plan
from tests.pipelines.engine.planning import CALENDAR, World, exchange

DAYS = [d.isoformat() for d in CALENDAR.between(date(2026, 1, 5), date(2026, 1, 9))]
BUILT = sorted(exchange().built)

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["client", "trade", "position", "quote"]),
        st.integers(0, 3),
        st.sampled_from(["full", "correction", "part"]),
        st.integers(0, 2),
    ),
    max_size=14,
)
RUNS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=5)


def _deliver(world: World, events: list[tuple[str, int, str, int]]) -> None:
    for dataset, day, mode, content in events:
        world.deliver(dataset, DAYS[day], f"{dataset}{content}", mode=mode)


@settings(max_examples=60, deadline=None)
@given(EVENTS, RUNS, st.integers(0, 14))
def test_any_order_of_runs_ends_in_the_same_content(
    events: list[tuple[str, int, str, int]], runs: list[tuple[int, int, bool]], cut: int
) -> None:
    """Invariant 3: runs of any range and product, between any deliveries, converge."""
    straight, winding = World(), World()
    _deliver(straight, events)
    straight.run()
    _deliver(winding, events[:cut])
    for first, length, gold in runs:
        start = date.fromisoformat(DAYS[first])
        end = min(start + timedelta(length), date.fromisoformat(DAYS[-1]))
        winding.run((start, end), ["gold.day", "gold.change"] if gold else None)
    _deliver(winding, events[cut:])
    found = plan(winding.request(), winding.state)
    assert set(winding.run()) <= found.touched(), "run does nothing outside of the plan"
    assert winding.content() == straight.content()
    assert plan(winding.request(), winding.state).idle
    assert plan(straight.request(), straight.state).idle


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.sets(st.tuples(st.sampled_from(BUILT), st.integers(0, 3)), max_size=3))
def test_nothing_is_built_from_a_blocked_interval(
    events: list[tuple[str, int, str, int]], blocking: set[tuple[str, int]]
) -> None:
    """Whatever is blocked, everything downstream is held or absent, and resumes to the same end."""
    blocked = {(p, "all" if p == "silver.client" else DAYS[d]) for p, d in blocking}
    world = World(verdict=lambda p, i, c: "blocked" if (p, i) in blocked else "published")
    _deliver(world, events)
    world.run()
    content = world.content()
    assert not blocked & set(content)
    for row in world.rows:
        if row.readable:
            read = [p for p in row.inputs if p.fingerprint != ABSENT]
            sources = {(p.product, "all" if p.at == "as_of" else p.at) for p in read}
            assert not blocked & sources
    assert world.run() == [], "a second run with the same verdicts builds nothing"
    world.verdict = World.verdict
    world.graph = exchange(versions={p: 2 for p, _ in blocking})
    world.run()
    straight = World(graph=world.graph)
    _deliver(straight, events)
    straight.run()
    assert world.content() == straight.content()
