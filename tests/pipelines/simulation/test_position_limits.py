"""Position limits by holder and phase: one source for the market, the files and the rule book."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.rule_book import load_rule_book
from pipelines.simulation.commodity import commodities_on
from pipelines.simulation.position_limits import phase_of, position_limits_on
from pipelines.simulation.reference_files import position_limit_rows

DAY = date(2026, 1, 5)
CLIENTS = {
    (limit.commodity_id, limit.phase): limit.limit_lots
    for limit in position_limits_on(DAY)
    if limit.holder_type == "CLIENT" and limit.limit_lots is not None
}


def test_the_commodity_names_the_clients_general_limit() -> None:
    """The figure in the commodity file is the one of the limits' file, for every commodity."""
    general = {c.commodity_id: c.position_limit_general for c in commodities_on(DAY)}
    assert general == {c: lots for (c, phase), lots in CLIENTS.items() if phase == "GENERAL"}


@pytest.mark.parametrize("phase", ["MONTH_BEFORE", "DELIVERY"])
def test_the_rule_book_has_the_same_limits(phase: str) -> None:
    """SHFE's thresholds by phase are the limits that the simulated exchange sends."""
    name = f"SHFE.position_limit.{phase.lower()}"
    (rule,) = (r for r in load_rule_book().rules if r.rule_id == name)
    assert rule.thresholds
    assert dict(rule.thresholds) == {c: CLIENTS[c, phase] for c in rule.thresholds}


def test_a_share_begins_where_the_lots_end() -> None:
    """At its bound of open interest a share allows exactly the fixed lots below it."""
    shares = [
        limit
        for limit in position_limits_on(DAY)
        if limit.holder_type == "CLIENT" and limit.limit_share
    ]
    assert len(shares) == 10
    for limit in shares:
        assert limit.open_interest_from * float(limit.limit_share) == pytest.approx(
            CLIENTS[limit.commodity_id, limit.phase]
        )


def test_kinds_of_members_differ() -> None:
    """A futures firm has a share of the market only; other members stand like clients."""
    limits = position_limits_on(DAY)
    assert {limit.limit_share for limit in limits if limit.holder_type == "FF"} == {"0.25"}
    own = {limit.key[2:]: limit.limit_lots for limit in limits if limit.key[:2] == ("cu", "NF")}
    assert own == {
        limit.key[2:]: limit.limit_lots for limit in limits if limit.key[:2] == ("cu", "CLIENT")
    }


def test_phases_by_calendar_months() -> None:
    """The month decides, not the last trade date."""
    months = ["202602", "202603", "202604", "202605"]
    phases = ["DELIVERY", "MONTH_BEFORE", "SECOND_MONTH_BEFORE", "GENERAL"]
    assert [phase_of(month, date(2026, 2, 27)) for month in months] == phases
    assert phase_of("202701", date(2026, 12, 31)) == "MONTH_BEFORE"


def test_limits_are_delivered_and_change() -> None:
    """The first file lists all limits, later ones those that begin to hold."""
    first = position_limit_rows(DAY, first_day=True)
    assert len(first) == len(position_limits_on(DAY))
    assert {row[-2] for row in first} == {"A"}
    changed = position_limit_rows(date(2026, 1, 9), first_day=False)
    assert [row[:3] + row[4:7] for row in changed] == [
        ("sn", holder, "MONTH_BEFORE", "500", "", "U") for holder in ("CLIENT", "NF")
    ]
    assert position_limit_rows(date(2026, 1, 6), first_day=False) == []
