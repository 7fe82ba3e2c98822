"""Turns begin when what they build on had its own, and no sooner."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine.run import SIDE_BY_SIDE
from pipelines.engine.schedule import take_turns
from tests.pipelines.engine.planning import Runner, World

WAIT = 10.0


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, frozenset[str]], dict[str, int], int]:
    """Products in order, what each waits for, how much each takes, and how much there is."""
    names = [f"p{n}" for n in range(draw(st.integers(0, 8)))]
    waits = {
        name: frozenset(draw(st.sets(st.sampled_from(names[:n]))) if n else ())
        for n, name in enumerate(names)
    }
    weights = {name: draw(st.integers(0, 3)) for name in names}
    return waits, weights, draw(st.integers(1, 3))


@settings(deadline=None)
@given(graphs())
def test_everything_has_one_turn_after_what_it_waits_for(
    graph: tuple[dict[str, frozenset[str]], dict[str, int], int],
) -> None:
    """Invariant 3: nothing is built from inputs that are still being built; slots are kept."""
    waits, weights, slots = graph
    lock, ended, taken, most = threading.Lock(), list[str](), 0, 0

    def turn(product: str) -> str:
        nonlocal taken, most
        with lock:
            taken += min(weights[product], slots)
            most = max(most, taken)
            assert waits[product] <= set(ended)
        with lock:
            taken -= min(weights[product], slots)
        return product

    def done(product: str, result: str) -> None:
        assert product == result
        with lock:
            ended.append(product)

    take_turns(waits, lambda p, alone: weights[p], turn, done, slots, lambda: False)
    assert sorted(ended) == sorted(waits)
    assert most <= slots


def test_two_run_side_by_side_and_a_slow_one_holds_up_only_what_reads_it() -> None:
    """The gain: ``late`` begins while ``slow``, of the level before it, is still at work."""
    waits: Mapping[str, frozenset[str]] = {
        "slow": frozenset(), "quick": frozenset(), "late": frozenset({"quick"}),
        "last": frozenset({"slow", "late"}),
    }  # fmt: skip
    began, ended = threading.Event(), list[str]()

    def turn(product: str) -> None:
        if product == "late":
            began.set()
        if product == "slow":
            assert began.wait(WAIT), "late waited for slow, which it does not read"

    take_turns(waits, lambda p, a: 1, turn, lambda p, _: ended.append(p), 2, lambda: False)
    assert (ended[0], ended[-1]) == ("quick", "last")


def test_what_a_turn_raises_is_told_and_stopping_begins_nothing() -> None:
    """A fault ends the run with the results that there are; so does an interruption."""
    waits = {"a": frozenset[str](), "b": frozenset({"a"}), "c": frozenset({"b"})}
    ended: list[str] = []

    def turn(product: str) -> None:
        if product == "b":
            raise ValueError("broken")

    def done(product: str, _: None) -> None:
        ended.append(product)

    with pytest.raises(ValueError, match="broken"):
        take_turns(waits, lambda p, a: 1, turn, done, 2, lambda: False)
    assert ended == ["a"]
    ended.clear()
    take_turns(waits, lambda p, a: 1, lambda p: None, done, 2, lambda: bool(ended))
    assert ended == ["a"]


def test_a_product_is_weighed_by_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows go beside others, many alone unless a setting says so, nothing to do takes none."""
    world = World()
    world.deliver("quote", "2026-01-05", "quote")
    runner = Runner(world, world.request())
    runner.state = world.state
    began: list[bool] = []

    def start() -> object:
        began.append(True)
        return object()

    monkeypatch.setattr(runner, "_start", start)
    rows = world.state.rows_of([("bronze.quote", "2026-01-05")])
    assert rows > 0
    monkeypatch.setattr("pipelines.engine.run.FEW_ROWS", rows)
    assert runner._weigh("silver.quote", True) == SIDE_BY_SIDE
    monkeypatch.setattr("pipelines.engine.run.FEW_ROWS", rows + 1)
    assert runner._weigh("silver.quote", False) == 1
    assert runner._weigh("silver.trade", False) == 0, "nothing of it was delivered"
    assert began == [True], "one session for all of them"
    # A lost session is started again, but not while something still runs in what is left of it.
    monkeypatch.setattr("pipelines.engine.run.lost_exit_code", lambda: 137)
    assert runner._weigh("silver.quote", False) == SIDE_BY_SIDE
    assert began == [True]
    assert runner._weigh("silver.quote", True) == 1
    assert began == [True, True]
    runner.lake.settings.parallel_products = 4  # type: ignore[misc]
    monkeypatch.setattr("pipelines.engine.run.FEW_ROWS", 0)
    assert runner._weigh("silver.quote", True) == 1
