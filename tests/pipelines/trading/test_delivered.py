"""Trading products: delivered text becomes typed rows, and nothing gets lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

pytestmark = pytest.mark.spark
RunJob = Callable[..., list[Any]]

LEG = {
    "_interval": "2026-01-05", "_delivery_id": "trade-20260105-001-x", "trade_date": "20260105",
    "trade_id": "7", "trade_time": "2026-01-04 21:00:00.000001", "exchange": "SHFE",
    "contract_id": "cu2603", "order_id": "1", "member_id": "0001", "client_id": "10000001",
    "side": "B", "offset": "O", "hedge_flag": "S", "price": "98230.00", "lots": "3",
    "fee": "73.67", "session": "NIGHT",
}  # fmt: skip
CONTRACT = {
    "contract_id": "cu2603", "multiplier": 5, "valid_from": "2025-03-17",
    "known_from": "2026-01-05",
}  # fmt: skip


def test_a_leg_gets_its_time_in_utc_and_its_turnover(run_job: RunJob) -> None:
    """Promise: times are UTC; turnover is price x lots x the multiplier valid on the date."""
    from pipelines.trading.trade import trade

    old = CONTRACT | {"multiplier": 500, "valid_to": "2025-03-17", "valid_from": "2024-01-01"}
    row = run_job(trade, {"bronze.trade": [LEG], "silver.contract": [old, CONTRACT]})[0]
    assert row["trade_time"].isoformat() == "2026-01-04T13:00:00.000001"
    assert row["turnover"] == Decimal("1473450.0000")
    assert row["_unparsed"] is None


def test_a_row_of_another_date_stays_in_its_delivery(run_job: RunJob) -> None:
    """Promise: a row dated wrongly, undated or unreadable is quarantined where it came."""
    from pipelines.trading.trade import trade

    wrong = [
        LEG | {"_row_number": 1, "trade_date": "20260106"},
        LEG | {"_row_number": 2, "trade_date": None},
        LEG | {"_row_number": 3, "trade_date": "5 January", "price": "dear"},
        LEG | {"_row_number": 4, "contract_id": "zz9999"},
    ]
    rows = run_job(trade, {"bronze.trade": wrong, "silver.contract": [CONTRACT]})
    assert {r["trade_date"] for r in rows} == {date(2026, 1, 5)}
    unparsed = {r["_row_number"]: r["_unparsed"] for r in rows}
    assert {n: set((t or "").split(",")) - {""} for n, t in unparsed.items()} == {
        1: {"trade_date"}, 2: {"trade_date"}, 3: {"trade_date", "price"}, 4: set(),
    }  # fmt: skip
    assert [r["turnover"] for r in rows if r["contract_id"] == "zz9999"] == [None]


def test_several_intervals_are_built_at_once(run_job: RunJob) -> None:
    """Promise: a job builds a set of intervals, each row in the interval it came for."""
    from pipelines.trading.position import position

    row = {
        "exchange": "SHFE", "contract_id": "cu2603", "client_id": "10000001", "member_id": "0001",
        "hedge_flag": "S", "position_side": "L", "lots": "3", "margin": "12.50",
        "opening_declared": "1", "_delivery_id": "d",
    }  # fmt: skip
    days = ["2026-01-05", "2026-01-06"]
    given = [row | {"_interval": d, "trade_date": d.replace("-", "")} for d in days]
    rows = run_job(position, {"bronze.position": given}, days)
    assert sorted(r["trade_date"].isoformat() for r in rows) == days
    assert {r["margin"] for r in rows} == {Decimal("12.5000")}
    assert {r["opening_declared"] for r in rows} == {True}


def test_market_orders_have_no_price(run_job: RunJob) -> None:
    """Promise: an empty field is null, not an error; text stays as delivered."""
    from pipelines.trading.order_event import order_event

    event = {
        "_interval": "2026-01-05", "_delivery_id": "d", "trade_date": "20260105", "event_id": "1",
        "event_time": "2026-01-05 09:00:00.5", "price": "", "lots": "2", "remaining_lots": "2",
        "order_type": "MARKET", "event_type": "NEW", "trade_id": "",
    }  # fmt: skip
    row = run_job(order_event, {"bronze.order_event": [event]})[0]
    assert (row["price"], row["trade_id"], row["_unparsed"]) == (None, None, None)
    assert row["event_time"] == datetime(2026, 1, 5, 1, 0, 0, 500000)


def test_funds_of_before_messages_were_told_charge_none(run_job: RunJob) -> None:
    """Promise: a bronze row without the newer columns becomes a fund that no message was charged
    to; a row with them keeps what it says."""
    from pipelines.trading.client_fund import client_fund

    fund = {
        "_interval": "2026-01-05", "trade_date": "20260105", "member_id": "0001",
        "client_id": "10000001", "prev_balance": "1.00", "balance": "1.00", "_row_number": 1,
    }  # fmt: skip
    told = fund | {"_row_number": 2, "message_fee": "290.50", "message_count": "4581"}
    rows = run_job(client_fund, {"bronze.client_fund": [fund, told]})
    found = {r["_row_number"]: (r["message_fee"], r["message_count"], r["_unparsed"]) for r in rows}
    assert found == {1: (0, 0, None), 2: (Decimal("290.50"), 4581, None)}
