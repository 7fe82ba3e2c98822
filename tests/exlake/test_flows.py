"""What the DAGs call: the date of a run, what is awaited, what is not published, what is late."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from exlake.orchestration import arrival, flows
from pipelines.engine.calendar import DateOutsideCalendarError
from pipelines.engine.ledgers import INTERVAL, Ledgers
from pipelines.engine.rows import IntervalRow, IntervalState

EVENING = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)
"""23:00 at the exchange: everything of the date is due."""


@pytest.fixture
def ledgers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledgers:
    """The ledgers of an empty lake, which is this process's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXLAKE_HOME", str(tmp_path / "lake"))
    return Ledgers(tmp_path / "lake" / "ops", tmp_path / "lake" / "locks")


def row(product: str, interval: str, state: IntervalState, **fields: object) -> IntervalRow:
    """A ledger row with what doesn't matter filled in."""
    return IntervalRow(
        product=product, interval=interval, state=state, run_id="r", batch_id=f"r-{product}",
        job_version=1, schema_fingerprint="s", contract_version="1.0.0", rules_fingerprint="f",
        decisions_fingerprint="", committed_at=EVENING, fingerprint="x", **fields,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("given", [None, "", "today", "2026-02-30", 5])
def test_a_run_without_a_date_is_told_how_to_give_one(given: object) -> None:
    """Neither parameter nor partition key, or nonsense: a terminal error, never a guess."""
    with pytest.raises(flows.NoTradeDateGivenError, match="trade_date"):
        flows.parse_trade_date(given, "trading_day")


def test_holidays_are_no_trade_dates_and_the_unknown_is_an_error() -> None:
    """The first task of a DAG skips closed days; a date outside the calendar is never skipped."""
    assert flows.is_trade_date("2026-01-05")
    assert not flows.is_trade_date("2026-01-01"), "New Year, a Thursday: cron would not know"
    assert not flows.is_trade_date("2026-01-04"), "a Sunday"
    with pytest.raises(DateOutsideCalendarError):
        flows.is_trade_date("2999-01-05")


@pytest.mark.usefixtures("ledgers")
@pytest.mark.parametrize("flow", ["reference", "trading_day", "external"])
def test_landing_waits_for_a_flow_of_which_nothing_came(flow: str) -> None:
    """Nothing delivered yet is transient, so that Airflow asks again with growing pauses."""
    with pytest.raises(arrival.DeliveryAwaitedError) as caught:
        flows.land_flow(flow, "2026-01-05")
    assert caught.value.transient
    assert caught.value.systems


@pytest.mark.usefixtures("ledgers")
def test_running_an_empty_lake_does_nothing() -> None:
    """Without deliveries there is nothing to build, no Spark, and no report."""
    assert flows.run_flow("marts", "2026-01-05")["intervals"] == 0
    flows.confirm("marts", "2026-01-05")


def test_confirm_names_what_is_blocked_or_held(ledgers: Ledgers) -> None:
    """The last task of a DAG is red while something of its date and flow is not published."""
    ledgers.append(
        (
            INTERVAL,
            [
                row("gold.client_day", "2026-01-05", "held", waiting_on="silver.trade 2026-01-05"),
                row("gold.member_day", "2026-01-05", "published"),
                row("gold.member_day", "2026-01-06", "blocked", reasons=("another date",)),
                row("silver.trade", "2026-01-05", "blocked", reasons=("another flow",)),
            ],
        )
    )
    with pytest.raises(flows.IntervalNotPublishedError) as caught:
        flows.confirm("marts", "2026-01-05")
    assert not caught.value.transient
    assert caught.value.problems == ("gold.client_day held: silver.trade 2026-01-05",)
    flows.confirm("external", "2026-01-05")


def test_the_watch_sees_what_never_started(ledgers: Ledgers) -> None:
    """A product that others of the date have, and that is past due and absent, is reported."""
    ledgers.append(
        (
            INTERVAL,
            [
                row(product, day, "published")
                for product in ("silver.trade", "silver.settlement")
                for day in ("2026-01-05", "2026-01-06")
                if (product, day) != ("silver.settlement", "2026-01-06")
            ],
        )
    )
    with pytest.raises(flows.LateProductsError) as caught:
        flows.watch(EVENING)
    assert "silver.settlement 2026-01-06 late" in caught.value.late
    assert not any("silver.trade" in line for line in caught.value.late)
    assert flows.watch(datetime(2026, 1, 6, 4, 0, tzinfo=UTC)) == [], "noon: not due yet"


def test_the_watch_is_green_when_all_is_there(ledgers: Ledgers) -> None:
    """Nothing late: the watch says so by ending well."""
    ledgers.append((INTERVAL, [row("silver.trade", "2026-01-06", "published")]))
    assert flows.watch(EVENING) == []
