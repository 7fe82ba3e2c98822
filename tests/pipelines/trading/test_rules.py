"""The rules of the internal products: a sound market passes, and each fault has its rule.

Rules are run as DuckDB runs them (the engine behind small batches), on a market of one contract,
two clients and two days that can be added up by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from judged import BEFORE, DAY, Row, World, broken, drop, put

OPEN: Row = {"valid_from": date(2025, 3, 17), "known_from": BEFORE}


def _chain(**fields: Any) -> Row:
    return OPEN | {"is_current": True} | fields


def event(number: int, order: str, kind: str, **fields: Any) -> Row:
    buys = order == "1"
    return {
        "trade_date": DAY, "event_id": number, "order_id": order, "event_type": kind,
        "event_time": datetime(2026, 1, 6, 1, 0) + timedelta(seconds=number), "exchange": "SHFE",
        "contract_id": "cu2603", "member_id": "0001", "side": "B" if buys else "S",
        "client_id": "10000001" if buys else "10000002", "offset": "O" if buys else "C",
        "hedge_flag": "S", "order_type": "LIMIT", "price": 110, "session": "DAY", **fields,
    }  # fmt: skip


def position(client: str, side: str, **fields: Any) -> Row:
    moves = ("open", "close", "transfer_in", "transfer_out", "delivery", "expiry", "forced")
    return {
        "trade_date": DAY, "exchange": "SHFE", "contract_id": "cu2603", "member_id": "0001",
        "client_id": client, "hedge_flag": "S", "position_side": side,
        **{f"{m}_lots": 0 for m in moves}, "fee": 0, "close_profit": 0, "holding_profit": 0,
        "opening_declared": False, **fields,
    }  # fmt: skip


def world() -> World:
    """Client 1 buys 2 lots to open at 110; client 2, long 5 since yesterday, sells 2 of them.

    Client 3 is short 5. Yesterday's settlement price is 100, today's 110; the multiplier is 5.
    """
    money = {
        "trade_date": DAY, "member_id": "0001", "prev_balance": 10_000, "deposit": 0,
        "withdrawal": 100, "close_profit": 100, "holding_profit": -100, "fee": 4,
        "message_fee": 1, "delivery_payment": 0, "balance": 9_895, "margin": 1_100,
        "available": 8_795,
        "opening_declared": False,
    }  # fmt: skip
    settled = {
        "trade_date": DAY, "exchange": "SHFE", "contract_id": "cu2603", "commodity_id": "cu",
        "prev_settlement_price": 100, "open_price": 110, "high_price": 110, "low_price": 110,
        "close_price": 110, "settlement_price": 110, "upper_limit_price": 110,
        "lower_limit_price": 90, "volume_lots": 2, "turnover": 1_100, "open_interest_lots": 5,
        "prev_open_interest_lots": 5, "spec_margin_rate": Decimal("0.2"),
        "hedge_margin_rate": Decimal("0.1"),
    }  # fmt: skip
    leg = {
        "trade_date": DAY, "trade_id": "7", "trade_time": datetime(2026, 1, 6, 1, 1),
        "exchange": "SHFE", "contract_id": "cu2603", "member_id": "0001", "hedge_flag": "S",
        "price": 110, "lots": 2, "fee": 2, "session": "DAY", "turnover": 1_100,
    }  # fmt: skip
    return {
        "silver.commodity": [
            _chain(commodity_id="cu", exchange="SHFE", multiplier=5, tick_size=10, fee_per_lot=1,
                   price_limit_rate=Decimal("0.1"), spec_margin_rate=Decimal("0.2"),
                   hedge_margin_rate=Decimal("0.1")),
        ],
        "silver.contract": [
            _chain(contract_id="cu2603", commodity_id="cu", exchange="SHFE", multiplier=5,
                   tick_size=10),
        ],
        "silver.member": [_chain(member_id="0001")],
        "silver.client": [_chain(client_id=f"1000000{n}", member_id="0001") for n in (1, 2, 3)],
        "silver.settlement": [settled],
        "silver.order_event": [
            event(1, "1", "NEW", lots=5, remaining_lots=5),
            event(2, "2", "NEW", lots=2, remaining_lots=2),
            event(3, "1", "FILL", lots=2, remaining_lots=3, trade_id="7"),
            event(4, "2", "FILL", lots=2, remaining_lots=0, trade_id="7"),
            event(5, "1", "CANCEL", lots=3, remaining_lots=0, reason="CLIENT"),
            event(6, "3", "REJECT", lots=9, remaining_lots=9, reason="FUNDS"),
        ],
        "silver.trade": [
            leg | {"side": "B", "order_id": "1", "client_id": "10000001", "offset": "O"},
            leg | {"side": "S", "order_id": "2", "client_id": "10000002", "offset": "C"},
        ],
        "silver.position": [
            position("10000001", "L", prev_lots=0, open_lots=2, lots=2, margin=220, fee=2),
            position("10000002", "L", prev_lots=5, close_lots=2, lots=3, margin=330, fee=2,
                     close_profit=100, holding_profit=150),
            position("10000003", "S", prev_lots=5, lots=5, margin=550, holding_profit=-250),
        ],
        "silver.member_fund": [money],
        "before silver.settlement": [
            settled | {"trade_date": BEFORE, "settlement_price": 100, "open_interest_lots": 5}
        ],
        "before silver.position": [
            position("10000002", "L", lots=5) | {"trade_date": BEFORE},
            position("10000003", "S", lots=5) | {"trade_date": BEFORE},
        ],
        "before silver.member_fund": [money | {"trade_date": BEFORE, "balance": 10_000}],
    }  # fmt: skip


JUDGED = ("settlement", "order_event", "trade", "position", "member_fund")


@pytest.mark.parametrize("name", JUDGED)
def test_a_sound_market_breaks_no_rule(name: str) -> None:
    """Promise: nothing right is rejected."""
    assert broken(f"silver.{name}", world()) == set()


S, E, T, P, M = (f"silver.{name}" for name in JUDGED)
FAULTS: Mapping[str, tuple[str, Callable[[World], object], str]] = {
    "settlement off tick": (S, put(S, 0, settlement_price=105), "settlement.price.tick"),
    "high below low": (S, put(S, 0, high_price=90), "settlement.price.order"),
    "beyond the limit": (S, put(S, 0, settlement_price=120), "settlement.price.limit"),
    "limits too wide": (S, put(S, 0, upper_limit_price=130), "settlement.limit.rate"),
    "volume without prices": (S, put(S, 0, open_price=None), "settlement.price.given"),
    "chain of prices": (S, put(S, 0, prev_settlement_price=90), "settlement.previous.price"),
    "chain of open interest": (
        S, put(S, 0, prev_open_interest_lots=4), "settlement.previous.open_interest"),
    "contract unknown": (S, put(S, 0, contract_id="cu9912"), "settlement.contract.known"),
    "filled too much": (E, put(E, 2, lots=6), "order_event.fill.within_order"),
    "order without beginning": (E, drop(E, 0), "order_event.order.adds_up"),
    "remainder wrong": (E, put(E, 4, remaining_lots=1), "order_event.order.adds_up"),
    "limit order without price": (E, put(E, 0, price=None), "order_event.price.given"),
    "order off tick": (E, put(E, 0, price=101), "order_event.price.tick"),
    "order beyond limit": (E, put(E, 0, price=120), "order_event.price.limit"),
    "fill without trade": (E, put(E, 2, trade_id=None), "order_event.trade.given"),
    "day session at night": (
        E, put(E, 0, event_time=datetime(2026, 1, 5, 13)), "order_event.session.date"),
    "client of another member": (E, put(E, 0, member_id="0009"), "order_event.client.known"),
    "fill lost": (E, drop(E, 3), "order_event.volume.settled"),
    "leg lost": (T, drop(T, 0), "trade.legs.both"),
    "volume lost": (T, drop(T, 0), "trade.volume.settled"),
    "legs differ": (T, put(T, 0, lots=3), "trade.legs.both"),
    "leg of no order": (T, put(T, 0, order_id="9"), "trade.order.filled"),
    "price beyond limit": (T, put(T, 0, price=120), "trade.price.limit"),
    "price off tick": (T, put(T, 0, price=101), "trade.price.tick"),
    "fee not by tariff": (T, put(T, 0, fee=3), "trade.fee.tariff"),
    "turnover wrong": (T, put(T, 0, turnover=999), "trade.turnover.settled"),
    "movements do not add up": (P, put(P, 0, lots=3), "position.lots.add_up"),
    "margin wrong": (P, put(P, 0, margin=221), "position.margin.rate"),
    "yesterday forgotten": (P, drop(P, 2), "position.previous.carried"),
    "opened without a trade": (P, put(P, 0, open_lots=3, lots=3), "position.roll_forward"),
    "transferred to nobody": (
        P, put(P, 1, transfer_out_lots=1, lots=2), "position.transfer.balanced"),
    "open interest differs": (P, put(P, 0, lots=3), "position.open_interest.settled"),
    "profit from nowhere": (P, put(P, 0, close_profit=1), "position.profit.zero_sum"),
    "fee not charged": (P, put(P, 0, fee=1), "position.fee.charged"),
    "balance wrong": (M, put(M, 0, balance=9_897), "member_fund.balance.adds_up"),
    "available wrong": (M, put(M, 0, available=1), "member_fund.available.adds_up"),
    "balance not carried": (M, put(M, 0, prev_balance=1), "member_fund.previous.carried"),
    "members gain together": (M, put(M, 0, close_profit=1), "member_fund.profit.zero_sum"),
    "margin of no position": (M, put(M, 0, margin=1_000), "member_fund.positions.tie"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_its_rule(fault: str) -> None:
    """Promise: nothing wrong passes; the rule that names the fault fails."""
    product, damage, rule = FAULTS[fault]
    damaged = deepcopy(world())
    damage(damaged)
    assert broken(product, damaged, rule) == {rule}


def test_a_declared_opening_starts_the_chain() -> None:
    """Promise: the first day needs no yesterday, if it says so; otherwise it does."""
    first = world()
    first["before silver.position"] = []
    for row in first["silver.position"]:
        row["opening_declared"] = True
    assert broken("silver.position", first) == set()
    first["silver.position"][2]["opening_declared"] = False
    assert broken("silver.position", first) == {
        "position.previous.carried", "position.roll_forward",
    }  # fmt: skip


def test_a_quarantined_trade_leaves_other_contracts_judged() -> None:
    """Promise: what is short is said (a warning), and only complete contracts must tie in money."""
    short = world()
    short["silver.trade"].clear()
    found = broken("silver.trade", short)
    assert "trade.volume.published" in found
    assert not {"trade.turnover.settled", "trade.high_low.settled"} & found
