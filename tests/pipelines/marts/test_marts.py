"""Marts: figures of a tiny market that can be added up by hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

pytestmark = pytest.mark.spark
RunJob = Callable[..., list[Any]]

DAY = "2026-01-05"
CONTRACT = {
    "contract_id": "cu2603", "commodity_id": "cu", "exchange": "SHFE", "multiplier": 5,
    "valid_from": "2025-03-17", "known_from": "2026-01-05",
}  # fmt: skip


def leg(trade: str, side: str, client: str, offset: str, price: int, lots: int) -> dict[str, Any]:
    return {
        "trade_date": DAY, "trade_id": trade, "side": side, "client_id": client,
        "member_id": client[:4], "contract_id": "cu2603", "exchange": "SHFE", "offset": offset,
        "price": price, "lots": lots, "turnover": price * lots * 5, "fee": 1,
    }  # fmt: skip


TRADES = [
    leg("1", "B", "00010001", "O", 100, 1),
    leg("1", "S", "00020001", "O", 100, 1),
    leg("2", "B", "00010001", "O", 104, 3),
    leg("2", "S", "00020001", "C", 104, 3),
]
SETTLEMENT = {
    "trade_date": DAY, "exchange": "SHFE", "contract_id": "cu2603", "commodity_id": "cu",
    "settlement_price": 103, "open_interest_lots": 9, "volume_lots": 4, "high_price": 104,
    "low_price": 100,
}  # fmt: skip
QUOTE = {
    "trade_date": DAY, "exchange": "SHFE", "commodity_id": "cu", "settlement_price": 103,
    "volume_lots": 4, "turnover": 2060, "open_interest_lots": 9, "data_source": "EXCHANGE_QUOTE",
}  # fmt: skip


def test_market_daily_sets_public_figures_beside_internal_ones(run_job: RunJob) -> None:
    """Promise: volume is counted one-sided from trades, and the public figure stands beside it."""
    from pipelines.marts.market_daily import market_daily

    idle = SETTLEMENT | {"contract_id": "cu2604", "volume_lots": 0}
    rows = run_job(
        market_daily,
        {
            "silver.trade": TRADES,
            "silver.settlement": [SETTLEMENT, idle],
            "silver.quote_daily": [QUOTE | {"contract_id": "cu2603"}],
        },
    )
    found = {r["contract_id"]: r for r in rows}
    cu = found["cu2603"]
    assert (cu["volume_lots"], cu["trade_count"], cu["turnover"]) == (4, 2, Decimal(2060))
    assert (cu["vwap_price"], cu["public_volume_lots"]) == (Decimal(103), 4)
    assert {r["figure_source"] for r in rows} == {"INTERNAL"}
    assert found["cu2604"]["volume_lots"] == 0
    assert found["cu2604"]["public_volume_lots"] is None


def test_market_daily_needs_no_internal_systems(run_job: RunJob) -> None:
    """Promise: with public quotes alone the market is the public one, and says so."""
    from pipelines.marts.market_daily import market_daily

    row = run_job(market_daily, {"silver.quote_daily": [QUOTE | {"contract_id": "cu1403"}]})[0]
    assert (row["figure_source"], row["volume_lots"], row["trade_count"]) == ("PUBLIC", 4, None)
    assert (row["open_interest_lots"], row["settlement_price"]) == (9, Decimal(103))


def event(number: int, client: str, order: str, kind: str, reason: str | None) -> dict[str, Any]:
    return {
        "trade_date": DAY, "event_id": number, "client_id": client, "member_id": client[:4],
        "contract_id": "cu2603", "order_id": order, "event_type": kind, "reason": reason,
    }  # fmt: skip


EVENTS = [
    event(1, "00010001", "a", "NEW", None),
    event(2, "00010001", "a", "FILL", None),
    event(3, "00010001", "a", "FILL", None),
    event(4, "00010001", "b", "NEW", None),
    event(5, "00010001", "b", "CANCEL", "CLIENT"),
    event(6, "00010001", "c", "NEW", None),
    event(7, "00010001", "c", "CANCEL", "SESSION_END"),
    event(8, "00030001", "d", "REJECT", "FUNDS"),
]
POSITION = {
    "trade_date": DAY, "client_id": "00040001", "member_id": "0004", "contract_id": "cu2603",
    "hedge_flag": "S", "position_side": "S", "lots": 9, "close_profit": 0, "holding_profit": -12,
    "fee": 0,
}  # fmt: skip


def test_client_day_counts_orders_trades_and_positions(run_job: RunJob) -> None:
    """Promise: a client's day is complete, and the exchange's own cancellations are not its."""
    from pipelines.marts.client_day import client_day

    rows = run_job(
        client_day,
        {
            "silver.order_event": EVENTS,
            "silver.trade": TRADES,
            "silver.position": [POSITION],
            "silver.contract": [CONTRACT],
        },
    )
    found = {r["client_id"]: r for r in rows}
    assert len(rows) == 4
    assert {r["commodity_id"] for r in rows} == {"cu"}
    one = found["00010001"]
    assert (one["new_orders"], one["cancels"], one["fills"], one["filled_orders"]) == (3, 1, 2, 1)
    assert (one["message_count"], one["order_to_trade_ratio"]) == (4, Decimal(3))
    assert (one["bought_open_lots"], one["traded_lots"], one["turnover"]) == (4, 4, 2060)
    assert found["00020001"]["sold_close_lots"] == 3
    assert found["00020001"]["order_to_trade_ratio"] is None
    assert found["00030001"]["rejects"] == 1
    holder = found["00040001"]
    assert (holder["end_short_lots"], holder["holding_profit"]) == (9, Decimal(-12))
    assert (holder["traded_lots"], holder["new_orders"]) == (0, 0)


def test_member_day_adds_up_its_clients(run_job: RunJob) -> None:
    """Promise: members are the sum of their clients, ranked by lots, with their money."""
    from pipelines.marts.member_day import member_day

    zeros = dict.fromkeys(
        ("new_orders", "cancels", "rejects", "fills", "message_count", "traded_lots", "turnover",
         "end_long_lots", "end_short_lots", "close_profit", "holding_profit", "fee"), 0,
    )  # fmt: skip
    base = {"trade_date": DAY, "contract_id": "cu2603", **zeros}
    rows = run_job(
        member_day,
        {
            "gold.client_day": [
                base | {"member_id": "0001", "client_id": "a", "traded_lots": 5, "turnover": 10},
                base | {"member_id": "0001", "client_id": "b", "end_long_lots": 2},
                base | {"member_id": "0002", "client_id": "c", "traded_lots": 7, "fee": 3},
            ],
            "silver.member_fund": [
                {"trade_date": DAY, "member_id": "0001", "balance": 100, "margin": 40,
                 "available": 60},
                {"trade_date": DAY, "member_id": "0003", "balance": 9, "margin": 0, "available": 9},
            ],
        },
    )  # fmt: skip
    found = {r["member_id"]: r for r in rows}
    assert [found[m]["volume_rank"] for m in ("0001", "0002", "0003")] == [2, 1, 3]
    assert (found["0001"]["active_clients"], found["0001"]["end_long_lots"]) == (1, 2)
    assert (found["0001"]["available"], found["0002"]["balance"]) == (Decimal(60), None)
    assert (found["0003"]["traded_lots"], found["0003"]["turnover"]) == (0, Decimal(0))
