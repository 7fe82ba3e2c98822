"""States of intervals as readers see them, and what status, inventory and hash say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from catalog_cases import DAY1, DAY2, NOW, STANDARDS, TRADE, TinyLake
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import NoTableError
from catalog.hashes import interval_hashes, product_hash
from catalog.inventory import inventory
from catalog.states import WORSE, interval_states
from catalog.status import status
from contracts.catalogue import Catalogue
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.rows import IntervalRow, Pin

CALENDAR = TradingCalendar.default()


def row(product: str, interval: str, state: str = "published", **more: object) -> IntervalRow:
    """A ledger row."""
    base = IntervalRow(
        product=product,
        interval=interval,
        state=state,  # type: ignore[arg-type]
        run_id="r",
        batch_id="b",
        job_version=1,
        schema_fingerprint="s",
        contract_version="1.0.0",
        rules_fingerprint="r",
        decisions_fingerprint="d",
        committed_at=datetime(2026, 1, 5, 8, tzinfo=UTC),
        fingerprint="f",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def chain(length: int) -> dict[str, object]:
    return {f"gold.p{n}": TRADE.model_copy(update={"product": f"gold.p{n}"}) for n in range(length)}


@given(st.lists(st.sampled_from(["published", "quarantine", "flagged"]), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_a_chain_ends_in_its_worst_state(states: list[str]) -> None:
    """Invariant 13: however long the way, the last product shows the worst state before it."""
    rows = [
        row(f"gold.p{n}", DAY1, s, inputs=(Pin(f"gold.p{n - 1}", DAY1, "f"),) if n else ())
        for n, s in enumerate(states)
    ]
    found = interval_states(chain(len(states)), rows, CALENDAR, NOW)  # type: ignore[arg-type]
    own = [WORSE.index("with_quarantine" if s == "quarantine" else s) for s in states]  # type: ignore[arg-type]
    by_product = {s.product: s for s in found if s.interval == DAY1}
    for n in range(len(states)):
        assert WORSE.index(by_product[f"gold.p{n}"].state) == max(own[: n + 1])


def test_held_says_held_and_names_the_cause() -> None:
    """A held day stays held (its rows are the last published); partial is handed on."""
    rows = [
        row("gold.p0", DAY1, "blocked"),
        row("gold.p1", DAY1, "held", waiting_on=f"gold.p0 {DAY1}"),
        row("gold.p0", DAY2, partial=True),
        row("gold.p1", DAY2, inputs=(Pin("gold.p0", DAY2, "f"), Pin("gold.p0", DAY1, "f"))),
    ]
    found = {(s.product, s.interval): s for s in interval_states(chain(2), rows, CALENDAR, NOW)}  # type: ignore[arg-type]
    assert found["gold.p1", DAY1].state == "held"
    assert found["gold.p1", DAY1].waiting_on == f"gold.p0 {DAY1}"
    assert (found["gold.p1", DAY2].state, found["gold.p1", DAY2].partial) == ("published", True)


def test_days_without_trading_are_named_and_history_is_not_late() -> None:
    """Weekends between two days are no_trading_day; a finished simulation grows no late days."""
    rows = [row("gold.p0", "2026-01-09"), row("gold.p0", "2026-01-13")]
    found = interval_states(chain(1), rows, CALENDAR, NOW + timedelta(days=300))  # type: ignore[arg-type]
    assert [(s.interval, s.state) for s in found] == [
        ("2026-01-09", "published"),
        ("2026-01-10", "no_trading_day"),
        ("2026-01-11", "no_trading_day"),
        ("2026-01-12", "late"),
        ("2026-01-13", "published"),
    ]


def test_status_filters_and_measures_lateness(lake: TinyLake) -> None:
    """status gives counts, versions, age and lateness, by product and date."""
    lake.record(
        "gold.client_day", DAY2, built=3, accepted=3, committed_at=NOW + timedelta(minutes=30)
    )
    [found] = status(
        lake.settings,
        lake.catalogue,
        products=["gold.client_day"],
        dates=(date(2026, 1, 6), date(2026, 1, 6)),
        now=NOW + timedelta(hours=1),
    )
    assert (found.rows_in, found.accepted, found.state) == (3, 3, "published")
    assert found.late_by == timedelta(minutes=30), "due 18:00 in Beijing, published 18:30"
    assert found.age == timedelta(minutes=30)


def test_inventory_tells_what_is_stored(lake: TinyLake) -> None:
    """Every contract is listed, stored or not, without opening a data file."""
    extra = TRADE.model_copy(update={"product": "silver.unwritten"})
    everything = lake.with_contracts(extra=extra)
    found = {e.product: e for e in inventory(everything.settings, everything.catalogue)}
    assert (found["silver.trade"].rows, found["silver.trade"].intervals) == (12, 2)
    assert found["silver.trade"].classification == 4
    assert (found["silver.unwritten"].version, found["silver.unwritten"].rows) == (None, None)


def test_hash_of_a_product_is_the_sum_of_its_intervals(lake: TinyLake) -> None:
    """exlake hash: whole or by interval, over the committed files of the newest version."""
    whole = product_hash(lake.settings, lake.catalogue, "silver.trade")
    parts = interval_hashes(lake.settings, lake.catalogue, "silver.trade")
    assert [p.interval for p in parts] == [DAY1, DAY2]
    numbers = [[int(n) for n in p.hash.split(":")] for p in parts]
    assert whole.hash == ":".join(str(sum(c)) for c in zip(*numbers, strict=True))
    assert product_hash(lake.settings, lake.catalogue, "silver.client", "all").rows == 3
    with pytest.raises(NoTableError, match="2026-01-09"):
        product_hash(lake.settings, lake.catalogue, "silver.trade", "2026-01-09")
    empty = Catalogue({"silver.unwritten": TRADE}, STANDARDS)
    with pytest.raises(NoTableError):
        product_hash(lake.settings, empty, "silver.unwritten")
