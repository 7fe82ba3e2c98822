"""The truth names everything that issue 4 asks for, class by class."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from delivered import SEED, START, read, trade_dates, truth

from pipelines.simulation.board import make_board
from pipelines.simulation.groups import TIES
from pipelines.simulation.people import draw_people
from pipelines.simulation.rates import THRESHOLD_CLASSES
from pipelines.simulation.scale import SCALES
from pipelines.simulation.truth import group_records
from pipelines.simulation.world import simulate

# What the issue asks for, by the name the truth gives it.
MISCONDUCT = {
    "self-trades of one client": "self_trade",
    "self-trades within a group": "group_self_trade",
    "frequent cancels": "frequent_cancel",
    "large cancels": "large_cancel",
    "intraday opening limit": "intraday_open",
    "position limit split over accounts": "over_limit",
    "programme trading unreported": "programme_unreported",
    "fund transfer by matched orders": "fund_transfer",
    "wash and circular trades": "circular",
    "pre-arranged trades": "pre_arranged",
    "spoofing": "spoofing",
    "layering": "layering",
    "quote stuffing": "quote_stuffing",
    "momentum ignition": "momentum_ignition",
    "marking the close": "marking_close",
    "concentration and squeeze": "squeeze",
    "wrong orders": "wrong_order",
}
LOOKALIKES = {
    "clients of one signal vendor": "SIGNAL_VENDOR",
    "one manager's legitimate funds": "FUND_MANAGER",
    "calendar-roll crowds": "ROLL_CROWD",
    "look-alike TWAP schedules": "TWAP",
    "office NATs": "OFFICE_NAT",
    "families with honest separate trading": "FAMILY",
}
EXEMPT = {
    "FAK and FOK orders": ("fak_programme", {"FAK", "FOK"}, 2_000),
    "hedgers": ("busy_hedger", {"HEDGING"}, 500),
    "market makers": ("busy_market_maker", {"MARKET_MAKING"}, 500),
}
"""Exempt flow: its class, why it is exempt, and how many cancels it has at least."""
DIRT = {
    "missing files": {"missing"},
    "late files": {"late"},
    "duplicates": {"duplicate", "duplicate_row"},
    "truncated files": {"truncated"},
    "re-sent corrections": {"corrected_trade"},
    "out-of-order dimension changes": {"back_dated"},
    "wrong code": {"wrong_code"},
    "wrong encoding": {"gb18030", "wrong_encoding"},
    "negative or off-tick prices": {"negative_price", "off_tick_price"},
    "broken references": {"unknown_client", "unknown_login_client"},
    "sums that do not tie": {"sum_off"},
    "schema drift": {"column_added", "column_renamed", "retyped", "column_retyped"},
}


@cache
def records(home: Path) -> list[dict[str, Any]]:
    """The truth of a home, read once."""
    return truth(home)


@pytest.mark.slow
@pytest.mark.parametrize("asked", MISCONDUCT)
def test_misconduct(small_fortnight: Path, asked: str) -> None:
    """A fortnight of a small world holds the class, with its strength, clients, contracts and
    orders; who hides it sends other orders around it."""
    found = [r for r in records(small_fortnight) if r["kind"] == "misconduct"]
    own = [r for r in found if r["class"] == MISCONDUCT[asked]]
    assert own
    for case in own:
        assert 0 <= case["strength"] <= 1
        assert case["clients"]
        assert case["contracts"]
        assert case["order_ids"]
        assert not set(case["order_ids"]) & set(case["camouflage_order_ids"])


@pytest.mark.slow
def test_misconduct_is_blatant_and_hardly_visible(small_fortnight: Path) -> None:
    """Strengths reach from below 0.3 to above 0.7; hidden cases carry more camouflage."""
    found = [r for r in records(small_fortnight) if r["kind"] == "misconduct"]
    assert min(r["strength"] for r in found) < 0.3
    assert max(r["strength"] for r in found) > 0.7
    hidden = [len(r["camouflage_order_ids"]) / len(r["order_ids"]) for r in found
              if r["strength"] < 0.3]  # fmt: skip
    blatant = [len(r["camouflage_order_ids"]) / len(r["order_ids"]) for r in found
               if r["strength"] > 0.7]  # fmt: skip
    assert sum(hidden) / len(hidden) > sum(blatant) / len(blatant)


@pytest.mark.slow
def test_staged_threshold_cases_reach_their_threshold(small_fortnight: Path) -> None:
    """What the truth calls a threshold case is one by the market's own count."""
    told = records(small_fortnight)
    reached = {(r["date"], r["class"], r["contract_id"], c) for r in told
               if r["kind"] == "threshold_case" for c in r["clients"]}  # fmt: skip
    staged = [r for r in told if r["kind"] == "misconduct" and r["class"] in THRESHOLD_CLASSES]
    assert staged
    for case in staged:
        own = {(case["date"], case["class"], k, c) for k in case["contracts"]
               for c in case["clients"]}  # fmt: skip
        assert own & reached, case


@pytest.mark.parametrize("tie", TIES)
def test_ties_of_control_groups(small_home: Path, tie: str) -> None:
    """Reported and unreported groups are tied by each kind of tie."""
    groups = [r for r in records(small_home) if r["kind"] == "control_group"]
    assert {g["reported"] for g in groups if tie in g["ties"]} == {True, False}


def test_groups_tied_by_behaviour_alone(small_home: Path) -> None:
    """Some unreported groups share nothing but copied orders."""
    groups = [r for r in records(small_home) if r["kind"] == "control_group"]
    assert any(g["ties"] == ["COPY"] for g in groups if not g["reported"])


@pytest.mark.slow
def test_money_moved_together(small_fortnight: Path) -> None:
    """Fund movers use one bank account or several; families, managers and colleagues look so."""
    flows = {(r["class"], r["shared_account"]) for r in records(small_fortnight)
             if r["kind"] == "fund_flow"}  # fmt: skip
    assert flows >= {("CONTROL", True), ("CONTROL", False), ("FAMILY", True),
                     ("FUND_MANAGER", False), ("OFFICE_NAT", False)}  # fmt: skip


@pytest.mark.parametrize("scale", SCALES)
def test_sizes_of_control_groups(scale: str) -> None:
    """Mean size 2.0 to 2.4 over worlds, and in each world with more than a hundred groups; from
    medium scale on they reach 40. Every world from small scale on has each kind of look-alike."""
    commodities = len(make_board(START, {}).commodities)
    means = []
    for seed in range(SEED - 3, SEED + {"tiny": 60, "small": 20}.get(scale, 2)):
        people = draw_people(seed, SCALES[scale], commodities, START)
        told = group_records(people)
        sizes = [len(r["clients"]) for r in told if r["kind"] == "control_group"]
        means.append(sum(sizes) / len(sizes))
        assert min(sizes) == 2
        kinds = {r["class"] for r in told if r["kind"] == "lookalike"}
        assert scale == "tiny" or kinds == set(LOOKALIKES.values())  # too few funds there
        if len(sizes) > 100:
            assert max(sizes) == 40
            assert 2.0 <= means[-1] <= 2.4
    assert 2.0 <= sum(means) / len(means) <= 2.4


@pytest.mark.parametrize("asked", LOOKALIKES)
def test_lookalikes(small_home: Path, asked: str) -> None:
    """The set is named, has at least two clients and is on nobody's list of control groups."""
    own = [r for r in records(small_home)
           if r["kind"] == "lookalike" and r["class"] == LOOKALIKES[asked]]  # fmt: skip
    assert own
    listed = set(read(small_home, "control_group", "20260105").client_id)
    for one in own:
        assert len(one["clients"]) >= 2
        assert not listed & set(one["clients"])


@pytest.mark.parametrize("asked", EXEMPT)
def test_exempt_flow(small_home: Path, asked: str) -> None:
    """More cancels than the threshold, in the delivered file too, all exempt: no threshold case."""
    name, reasons, least = EXEMPT[asked]
    told = [r for r in records(small_home) if r["kind"] == "exempt_flow" and r["class"] == name]
    assert told
    for one in told:
        assert set(one["reasons"]) == reasons
        assert one["cancels"] >= least
        events = read(small_home, "order_event", one["date"].replace("-", ""))
        own = events[events.client_id.isin(one["clients"])]
        own = own[own.contract_id.isin(one["contracts"]) & (own.reason != "SESSION_END")]
        assert int((own.event_type == "CANCEL").sum()) >= one["cancels"]
        cases = [r for r in records(small_home) if r["kind"] == "threshold_case"]
        assert not [c for c in cases if c["date"] == one["date"] and not c["staged"]
                    and c["clients"] == one["clients"]]  # fmt: skip


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tiny dates with every kind of dirt."""
    root = tmp_path_factory.mktemp("spoiled")
    simulate(root / "inbox", trade_dates(4), SEED, "tiny", dirty="all")
    return root


@pytest.mark.parametrize("asked", DIRT)
def test_dirt(spoiled: Path, asked: str) -> None:
    """The truth says what landing and the gate must do with each kind."""
    own = [r for r in records(spoiled) if r["kind"] == "dirty" and r["dirt"] in DIRT[asked]]
    assert {r["dirt"] for r in own} == DIRT[asked]
    for one in own:
        assert one["land"] in ("landed", "refused", "duplicate", "late", "missing")
        assert one["gate"] in ("publish", "quarantine", "block", "none")
