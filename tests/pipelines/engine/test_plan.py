"""The planner: what is stale and why, what is held, and that runs end where they should."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest

from pipelines.engine.calendar import DateOutsideCalendarError
from pipelines.engine.graph import build_graph
from pipelines.engine.job import same
from pipelines.engine.plan import Plan, Request
from pipelines.engine.rows import DecisionRow, IntervalRow
from pipelines.engine.staleness import plan
from tests.pipelines.engine.planning import (
    CALENDAR,
    NOW,
    World,
    contract,
    exchange,
    job,
    rule,
)

DAYS = [d.isoformat() for d in CALENDAR.between(date(2026, 1, 5), date(2026, 1, 9))]
BUILT = [
    "silver.client",
    "silver.trade",
    "silver.position",
    "silver.quote",
    "gold.day",
    "gold.change",
]


def _world(days: Iterable[str] = DAYS[:3], **how: object) -> World:
    world = World(**how)  # type: ignore[arg-type]  # fields of World
    for day in days:
        for dataset in ("client", "trade", "position", "quote"):
            world.deliver(dataset, day, f"{dataset} {day}")
    return world


def _plan(world: World, dates: tuple[date, date] | None = None) -> Plan:
    return plan(world.request(dates), world.state)


def _whys(found: Plan, product: str) -> dict[str, set[str]]:
    stage = found[product]
    both = (*stage.will_run, *stage.may_run, *stage.judge_again)
    return {p.interval: {r.why for r in p.reasons} for p in both}


def test_everything_new_will_run_once() -> None:
    """The first plan names every interval, the run builds exactly those, the next plan is idle."""
    world = _world()
    found = _plan(world)
    assert all(not s.held and not s.waiting for s in found)
    world.run()
    assert set(world.built) == found.touched()
    assert len(world.built) == len(set(world.built)) == 1 + 3 * 5
    again = _plan(world)
    assert again.idle
    assert world.run() == []


def test_a_correction_makes_exactly_its_downstream_stale() -> None:
    """Invariant 4: one corrected delivery, its interval downstream of it, and nothing else."""
    world = _world()
    world.run()
    world.deliver("trade", DAYS[1], "fix", mode="correction")
    found = _plan(world)
    assert [p.interval for p in found["silver.trade"].will_run] == [DAYS[1]]
    assert [p.interval for p in found["gold.day"].may_run] == [DAYS[1]]
    # gold.change reads the day and the day before it.
    assert [p.interval for p in found["gold.change"].may_run] == DAYS[1:3]
    assert found["silver.position"].idle
    assert "bronze.trade 2026-01-06 changed" in found["silver.trade"].will_run[0].reasons[0].detail
    assert set(world.run()) <= found.touched()
    assert _plan(world).idle


def test_the_same_content_leaves_consumers_fresh() -> None:
    """An interval rebuilt to the same fingerprint stops there: may run turns out not to."""
    world = _world()
    world.run()
    world.graph = exchange(versions={"silver.trade": 1})
    world.deliver("trade", DAYS[0], f"trade {DAYS[0]}")  # the same bytes again
    assert _plan(world).idle
    before = world.content()
    world.rows = [
        replace(r, job_version=0) if r.product == "silver.trade" else r for r in world.rows
    ]
    found = _plan(world)
    assert {r for s in _whys(found, "silver.trade").values() for r in s} == {"job_version"}
    assert {r for s in _whys(found, "gold.day").values() for r in s} == {"upstream"}
    assert {p for p, _ in world.run()} == {"silver.trade"}
    assert world.content() == before


def test_dimensions_make_only_their_dates_stale() -> None:
    """A dimension's batch makes those consumers stale whose date it changed, no others."""
    world = _world()
    world.run()
    world.deliver("client", DAYS[2], "another", mode="correction")
    may = _plan(world)["silver.trade"].may_run
    assert [p.interval for p in may] == DAYS[:3]
    request = world.request(products=["silver.client"])
    done = plan(request, world.state)
    world.run(products=["silver.client"])
    assert [p.interval for p in done["silver.client"].will_run] == ["all"]
    changed = replace(world.rows[-1], changed_from=date.fromisoformat(DAYS[1]))
    world.rows[-1] = replace(changed, changed_to=date.fromisoformat(DAYS[1]))
    assert [p.interval for p in _plan(world)["silver.trade"].will_run] == [DAYS[1]]
    world.rows[-1] = replace(world.rows[-1], changed_from=None, changed_to=None)
    assert _plan(world).idle


def test_waiting_names_what_is_missing_down_to_its_root() -> None:
    """An interval without all its required inputs waits for them, an optional one holds nothing."""
    world = _world([])
    world.deliver("client", DAYS[0], "c")
    world.deliver("trade", DAYS[0], "t")
    found = _plan(world)
    assert found["gold.day"].waiting[0].missing == (f"silver.position {DAYS[0]}",)
    assert found["gold.change"].waiting[0].missing == (f"silver.position {DAYS[0]}",)
    world.run()
    world.deliver("position", DAYS[0], "p")
    world.run()
    row = world.state.record("gold.day", DAYS[0])
    assert row
    assert row.latest.incomplete_because == (f"silver.quote {DAYS[0]} is not there",)
    world.deliver("quote", DAYS[0], "q")
    assert _plan(world)["gold.day"].may_run
    world.run()
    row = world.state.record("gold.day", DAYS[0])
    assert row
    assert row.latest.incomplete_because == ()


def test_one_of_several_alternatives_makes_an_interval_and_an_absent_one_is_no_gap() -> None:
    """Two sources of the same facts: either is enough, and nothing is called incomplete."""
    both = tuple(same(f"bronze.{name}", alternative=True) for name in ("quote", "trade"))
    world = World(
        graph=build_graph(
            {p: contract(p) for p in ("bronze.quote", "bronze.trade", "silver.quote")},
            {"silver.quote": job("silver.quote", *both)},
        )
    )
    world.deliver("quote", DAYS[0], "q")
    world.deliver("trade", DAYS[1], "t")
    world.run()
    assert [i for p, i in world.built if p == "silver.quote"] == DAYS[:2]
    for day in DAYS[:2]:
        row = world.state.record("silver.quote", day)
        assert row
        assert row.latest.incomplete_because == ()


def test_a_blocked_input_holds_its_dependents_and_they_resume() -> None:
    """Held intervals keep what was published, name the root cause and go on by themselves."""
    world = _world()
    world.run()
    before = world.content()
    world.verdict = lambda product, interval, content: (
        "blocked" if (product, interval) == ("silver.trade", DAYS[1]) else "published"
    )
    world.deliver("trade", DAYS[1], "bad")
    world.run()
    assert world.content() == before
    for product, interval in (
        ("gold.day", DAYS[1]),
        ("gold.change", DAYS[1]),
        ("gold.change", DAYS[2]),
    ):
        record = world.state.record(product, interval)
        assert record
        assert record.latest.state == "held"
        assert record.latest.waiting_on == f"silver.trade {DAYS[1]}"
    again = _plan(world)
    assert again["silver.trade"].blocked == (DAYS[1],)
    assert world.run() == [], "a blocked interval with the same inputs is not built again"
    world.verdict = World.verdict
    world.deliver("trade", DAYS[1], f"trade {DAYS[1]}")  # the first content again
    world.run()
    assert world.content() == before
    states = {
        (r.latest.product, r.latest.state)
        for of in world.state.records.values()
        for r in of.values()
    }
    assert {s for _, s in states} == {"published"}


def test_a_blocked_optional_input_holds_too() -> None:
    """Optional means that it need not be there, not that a blocked one may be passed over."""
    world = _world(DAYS[:1])
    world.verdict = lambda p, i, c: "blocked" if p == "silver.quote" else "published"
    world.run()
    assert ("gold.day", DAYS[0]) not in world.content()
    assert _plan(world)["gold.day"].held[0].waiting_on == f"silver.quote {DAYS[0]}"


def test_within_a_batch_what_was_judged_against_a_blocked_interval_is_held() -> None:
    """A roll-forward over an interval that the same batch blocks is never published."""
    blocked = ("silver.position", DAYS[0])
    world = _world()
    world.verdict = lambda p, i, c: "blocked" if (p, i) == blocked else "published"
    world.run()
    assert ("silver.position", DAYS[1]) not in world.content()
    assert ("gold.day", DAYS[2]) not in world.content()
    world.verdict = World.verdict
    world.deliver("position", DAYS[0], "good")
    world.run()
    assert len(world.content()) == 1 + 3 * 5
    assert _plan(world).idle


def test_rules_judge_again_from_their_date() -> None:
    """A changed rule judges again without building, and only from its effective date."""
    world = _world()
    world.run()
    since = date.fromisoformat(DAYS[1])
    world.graph = exchange(rules={"silver.trade": [rule("trade.new", since=since)]})
    found = _plan(world)
    assert [p.interval for p in found["silver.trade"].judge_again] == DAYS[1:3]
    assert not found["gold.day"].may_run
    assert world.run() == []
    assert world.judged[-2:] == [("silver.trade", d) for d in DAYS[1:3]]
    assert _plan(world).idle


def test_what_rules_read_judges_again() -> None:
    """A rule's input that arrives later, or changes, judges again and rebuilds nothing."""
    reconcile = rule("trade.public", same("silver.quote", optional=True))
    world = World(graph=exchange(rules={"gold.day": [reconcile]}))
    world.graph = exchange(rules={"silver.trade": [reconcile]})
    for dataset in ("client", "trade", "position"):
        world.deliver(dataset, DAYS[0], dataset)
    world.run()
    assert world.state.record("silver.trade", DAYS[0])
    world.deliver("quote", DAYS[0], "q")
    built = world.run()
    assert ("silver.trade", DAYS[0]) not in built
    assert ("silver.trade", DAYS[0]) in world.judged
    assert _plan(world).idle


def test_a_blocked_interval_is_built_again_for_other_rules() -> None:
    """What was blocked is stored nowhere: other rules have to build it again."""
    world = _world(DAYS[:1])
    world.verdict = lambda p, i, c: "blocked" if p == "silver.trade" else "published"
    world.run()
    world.graph = exchange(rules={"silver.trade": [rule("trade.other")]})
    assert _whys(_plan(world), "silver.trade") == {DAYS[0]: {"rules"}}


def test_decisions_are_inputs() -> None:
    """A decision makes its interval stale once; revoked or expired it counts no more."""
    world = _world()
    world.run()
    waiver = DecisionRow(
        decision_id="d1", kind="waiver", product="silver.trade", reason="late", decided_by="a",
        decided_at=NOW, approved_by="b", expires_on=date.fromisoformat(DAYS[1]), rule_id="r",
    )  # fmt: skip
    world.decisions.append(waiver)
    assert [p.interval for p in _plan(world)["silver.trade"].will_run] == DAYS[:2]
    world.run()
    assert _plan(world).idle
    world.decisions.append(replace(waiver, revoked=True, sequence=1))
    assert [p.interval for p in _plan(world)["silver.trade"].will_run] == DAYS[:2]


def test_ranges_products_and_force() -> None:
    """Only what is asked for is planned; force builds what is there, never what is held."""
    world = _world()
    day = date.fromisoformat(DAYS[1])
    found = plan(world.request((day, day), ["silver.trade", "silver.client"]), world.state)
    assert [s.product for s in found] == ["silver.client", "silver.trade"]
    assert found.touched() == {("silver.client", "all"), ("silver.trade", DAYS[1])}
    world.run()
    forced = Request(world.graph, CALENDAR, (day, day), frozenset({"gold.day"}), force=True)
    assert _whys(plan(forced, world.state), "gold.day") == {DAYS[1]: {"forced"}}
    with pytest.raises(DateOutsideCalendarError):
        world.request((day, date(2027, 1, 1)))


def test_partial_deliveries_show_down_to_the_mart() -> None:
    """Invariant 13: a number made from a partial delivery says so, until the rest arrives."""
    world = _world(DAYS[:1])
    world.deliveries = [d for d in world.deliveries if d.dataset != "trade"]
    world.deliver("trade", DAYS[0], "one", mode="part", part=1, parts=2)
    world.run()
    record = world.state.record("gold.day", DAYS[0])
    assert record
    assert record.latest.partial
    assert record.latest.incomplete_because == (
        f"bronze.trade {DAYS[0]}: part 2 of 2 has not arrived",
    )
    world.deliver("trade", DAYS[0], "two", mode="part", part=2, parts=2)
    world.run()
    record = world.state.record("gold.day", DAYS[0])
    assert record
    assert not record.latest.partial


def test_a_state_that_changed_without_content_is_restated() -> None:
    """A mart over an input that now has rows in quarantine says so without being rebuilt."""
    world = _world(DAYS[:1])
    world.run()
    last = world.state.record("silver.trade", DAYS[0])
    assert last
    world.rows.append(replace(last.latest, state="quarantine", quarantined=3))
    assert [r.interval for r in _plan(world)["gold.day"].restated] == [DAYS[0]]
    assert world.run() == []
    assert _plan(world).idle


def test_a_repair_that_repeats_rows_changes_nothing() -> None:
    """Ledger rows written again from commit metadata leave the plan idle."""
    world = _world()
    world.run()
    world.rows += [r for r in world.rows if r.product in ("silver.client", "silver.trade")]
    assert _plan(world).idle


def test_versions_of_delta_never_make_stale() -> None:
    """The same content at other Delta versions (after compaction, say) stays fresh."""
    world = _world()
    world.run()

    def bumped(row: IntervalRow) -> IntervalRow:
        pins = tuple(replace(p, version=99) for p in row.inputs)
        return replace(row, delta_version=100, inputs=pins)

    world.rows = [bumped(r) for r in world.rows]
    assert _plan(world).idle


def test_a_product_that_ended_is_built_no_more() -> None:
    """Removals by a successor: intervals after ``endsOn`` are named, and not built."""
    world = _world()
    contracts = {p: n.contract for p, n in world.graph.nodes.items()}
    contracts["gold.day"] = contracts["gold.day"].model_copy(
        update={"ends_on": date.fromisoformat(DAYS[1])}
    )
    jobs = {p: n.job for p, n in world.graph.nodes.items() if n.job}
    world.graph = build_graph(contracts, jobs)
    stage = _plan(world)["gold.day"]
    assert [p.interval for p in (*stage.will_run, *stage.may_run)] == DAYS[:2]
    assert list(stage.ended) == DAYS[2:3]
    world.run()
    assert {i for p, i in world.built if p == "gold.day"} == set(DAYS[:2])


def test_plans_are_plain_values() -> None:
    """`plan --json` is the plan itself, with a reason for every interval."""
    body = _plan(_world()).to_json()
    first = body["products"][0]["will_run"][0]
    assert first == {"interval": "all", "reasons": [{"why": "new", "detail": "never built"}]}


def test_an_empty_change_file_is_no_new_input_of_a_dimension() -> None:
    """A day on which nothing changed leaves the dimension fresh; emptying a day does not."""
    world = _world()
    world.run()
    world.deliver("client", DAYS[3], "header only", rows=0)
    assert not _plan(world)["silver.client"].will_run
    world.deliver("client", DAYS[1], "sent again, empty", rows=0)
    assert [p.interval for p in _plan(world)["silver.client"].will_run] == ["all"]
