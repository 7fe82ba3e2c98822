"""The truth file: every class is there, staged cases are visible, rates follow the circulars."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from delivered import read, truth

from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.news_grammar import PATTERNS
from pipelines.simulation.patterns import STAGED
from pipelines.simulation.rates import (
    THRESHOLD_CLASSES,
    circulars,
    monthly_cases,
    plan_day,
    trade_dates_of_month,
)


def test_every_class_is_staged_and_matches_deliveries(home: Path) -> None:
    """Ten dates hold every class; the orders named in the truth are in the delivered file, and
    classes that need a counterparty have met it."""
    cases = [r for r in truth(home) if r["kind"] == "misconduct"]
    assert {c["class"] for c in cases} == set(STAGED)
    for case in cases:
        events = read(home, "order_event", case["date"].replace("-", ""))
        own = events[events.order_id.isin([str(n) for n in case["order_ids"]])]
        assert set(own.client_id) <= set(case["clients"])
        assert set(own.contract_id) == set(case["contracts"])
        if case["class"] in ("group_self_trade", "fund_transfer", "circular", "pre_arranged"):
            assert case["matched_lots"] > 0


def test_thresholds_count_what_was_delivered(home: Path) -> None:
    """The self-trades and cancels of the truth can be counted again from the delivered files."""
    found = [r for r in truth(home) if r["kind"] == "threshold_case"]
    assert {r["class"] for r in found} >= {"self_trade"}
    for case in found:
        events = read(home, "order_event", case["date"].replace("-", ""))
        own = events[events.client_id.isin(case["clients"])]
        own = own[(own.contract_id == case["contract_id"]) & ~own.hedge_flag.isin(["H", "M"])]
        own_all, own = own, own[~own.order_type.isin(["FAK", "FOK"])]
        if case["class"] == "self_trade":
            sides = own[own.event_type == "FILL"].groupby("trade_id").side.nunique()
            assert int((sides == 2).sum()) == case["count"]
        elif case["class"] == "intraday_open":
            opens = own_all[(own_all.event_type == "FILL") & (own_all.offset == "O")]
            assert int(opens.lots.sum()) == case["count"]
        elif case["class"] == "over_limit":
            held = read(home, "position", case["date"].replace("-", ""))
            held = held[held.client_id.isin(case["clients"]) & ~held.hedge_flag.isin(["H", "M"])]
            held = held[held.contract_id == case["contract_id"]]
            assert int(held.groupby("position_side").lots.sum().max()) == case["count"]
        else:
            cancels = own[(own.event_type == "CANCEL") & (own.reason == "CLIENT")]
            least = 300 if case["class"] == "large_cancel" else 0
            assert int((cancels.lots >= least).sum()) == case["count"]


def test_ordinary_flow_breaks_no_threshold(small_home: Path) -> None:
    """Every threshold case of the small world was staged: base rates are those of the plan."""
    found = [r for r in truth(small_home) if r["kind"] == "threshold_case"]
    assert all(r["staged"] for r in found)


@pytest.mark.parametrize("circular", circulars(), ids=lambda c: c.month)
def test_planned_rates_are_the_published_ones(circular: Any) -> None:
    """Over forty worlds, a month's cases lie within four standard errors of the circular."""
    first = date.fromisoformat(f"{circular.month}-01")
    dates = trade_dates_of_month(first)
    days = TradingCalendar.default().between(first, date(first.year, first.month, 28))
    counts: Counter[str] = Counter()
    for seed in range(40):
        for day in days:
            counts.update(p.name for p in plan_day(seed, day, 1, "exchange"))
    for name in THRESHOLD_CLASSES:
        expected = 40 * monthly_cases(first, name) * len(days) / dates
        assert abs(counts[name] - expected) <= 4 * expected**0.5


def test_the_list_holds_the_reported_groups(small_home: Path) -> None:
    """The delivered list names the clients of reported groups, and of no other, at the start."""
    groups = [r for r in truth(small_home) if r["kind"] == "control_group"]
    listed = read(small_home, "control_group", "20260105")
    reported = {c for g in groups if g["reported"] for c in g["clients"]}
    assert set(listed.client_id) == reported


@pytest.mark.slow
def test_news_is_told_in_every_way(small_fortnight: Path) -> None:
    """Reposts, near duplicates, corrections, and wording that turns an event round, each with
    source, reach, driver, sign, direction, tone, commodity and event."""
    labels = {r["article_id"]: r for r in truth(small_fortnight) if r["kind"] == "news"}
    assert {r["pattern"] for r in labels.values()} == {p.key for p in PATTERNS} | {"price"}
    turned = {"supply_cut_cancelled", "strike_averted", "rumour_denied", "policy_lifted"}
    assert all(labels[a]["direction"] == -1 for a in labels if labels[a]["pattern"] in turned)
    told: dict[str, dict[str, Any]] = {}
    for path in sorted((small_fortnight / "inbox" / "news").rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            told[json.loads(line)["article_id"]] = json.loads(line)
    assert set(told) == set(labels)
    assert all(a["source"] and a["reach"] >= 0 for a in told.values())
    assert {a["language"] for a in told.values()} == {"zh", "en"}
    again = [a for a in told.values() if a["repost_of"]]
    same = [a["body"] == told[a["repost_of"]]["body"] for a in again]
    assert True in same
    assert False in same
    corrections = [r for r in labels.values() if r["corrects"]]
    assert corrections
    for record in corrections:
        assert labels[record["corrects"]]["event_id"] == record["event_id"]
        first, later = told[record["corrects"]], told[record["article_id"]]
        assert first["published_at"] <= later["published_at"]
        assert later["title"].startswith(("更正：", "Correction: "))


def test_news_truth_covers_every_article(home: Path) -> None:
    """Each delivered article has tone, driver, direction, commodity and event in the truth."""
    labels = {r["article_id"]: r for r in truth(home) if r["kind"] == "news"}
    for path in (home / "inbox" / "news").rglob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            article = json.loads(line)
            label = labels[article["article_id"]]
            assert label["direction"] in (-1, 0, 1)
            assert label["tone"] in (-1, 0, 1)
            if article["repost_of"]:
                assert labels[article["repost_of"]]["event_id"] == label["event_id"]
