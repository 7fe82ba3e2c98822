"""The rules of clients' money, warehouse paper and quote requests: a sound day passes, and each
fault has its rule. One warehouse, two clients, a delivery and a sale that add up by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import date, datetime
from typing import Any

import pytest
from judged import BEFORE, DAY, Row, World, broken, drop, put

OPEN: Row = {"valid_from": date(2025, 3, 17), "known_from": BEFORE, "is_current": True}
NOON = datetime(2026, 1, 6, 4)


def _held(client: str, side: str, **fields: Any) -> Row:
    return {
        "trade_date": DAY, "contract_id": "cu2601", "member_id": "0001", "client_id": client,
        "hedge_flag": "S", "position_side": side, "delivery_lots": 2, "close_profit": 0,
        "holding_profit": 0, "fee": 3, "margin": 0, **fields,
    }  # fmt: skip


def _fund(client: str, **fields: Any) -> Row:
    return {
        "trade_date": DAY, "member_id": "0001", "client_id": client, "prev_balance": 1_000,
        "deposit": 0, "withdrawal": 0, "close_profit": 0, "holding_profit": 0, "fee": 3,
        "message_fee": 0, "message_count": 0, "delivery_payment": 0, "margin": 0,
        "opening_declared": False, **fields,
    }  # fmt: skip


def world() -> World:
    """Client 1 delivers two lots of copper to client 2 and gets 500 yuan more from its bank, and
    sends ten messages more than are free; one
    lot goes out of the warehouse, one comes in and is sold by client 2 to client 1."""
    goods = {
        "trade_date": DAY, "exchange": "SHFE", "commodity_id": "cu", "brand": "甲",
        "grade": "STANDARD", "region": "上海", "warehouse": "甲库", "unit": "TONNE",
    }  # fmt: skip
    one = {"lots": 1, "gross_weight": 6, "tare_weight": 1, "net_weight": 5}
    two = {"lots": 2, "gross_weight": 12, "tare_weight": 2, "net_weight": 10}
    old, today = {"registered_date": BEFORE}, {"registered_date": DAY}
    gone = {"state": "CANCELLED", "cancelled_date": DAY}
    first, second = "10000001", "10000002"
    title = {"trade_date": DAY, "commodity_id": "cu"}
    return {
        "silver.commodity": [OPEN | {"commodity_id": "cu", "exchange": "SHFE"}],
        "silver.contract": [OPEN | {"contract_id": "cu2601", "exchange": "SHFE"}],
        "silver.client": [OPEN | {"client_id": c, "member_id": "0001"} for c in (first, second)],
        "silver.position": [_held(first, "S"), _held(second, "L")],
        "silver.member_fund": [{"trade_date": DAY, "member_id": "0001", "delivery_payment": 0,
                                "message_fee": 5}],
        "silver.bank_transfer": [
            {"trade_date": DAY, "transfer_id": "1", "transfer_time": NOON, "client_id": first,
             "member_id": "0001", "bank_id": "B01", "account_hash": "a",
             "counter_account_hash": "b", "direction": "IN", "amount": 500},
        ],
        "silver.client_fund": [
            _fund(first, deposit=500, delivery_payment=900, balance=2_392, available=2_392,
                  message_fee=5, message_count=4_010),
            _fund(second, delivery_payment=-900, balance=97, available=97),
        ],
        "before silver.client_fund": [
            {"trade_date": BEFORE, "client_id": c, "balance": 1_000} for c in (first, second)
        ],
        "silver.warehouse_receipt": [
            goods | two | old | {"receipt_id": "W1", "client_id": second, "state": "DELIVERED"},
            goods | one | old | gone | {"receipt_id": "W2", "client_id": first},
            goods | one | today | {"receipt_id": "W3", "client_id": first, "state": "REGISTERED"},
        ],
        "silver.warehouse_loading": [
            goods | one | {"loading_id": "1", "loading_time": NOON, "receipt_id": "W3",
                           "direction": "IN", "client_id": second},
            goods | one | {"loading_id": "2", "loading_time": NOON, "receipt_id": "W2",
                           "direction": "OUT", "client_id": first},
        ],
        "silver.warehouse_stock_daily": [goods | {"stock": 15, "stock_change": 0}],
        "silver.title_transfer": [
            title | {"title_transfer_id": "1", "receipt_id": "W1", "contract_id": "cu2601",
                     "from_client_id": first, "to_client_id": second, "lots": 2,
                     "transfer_reason": "DELIVERY"},
            title | {"title_transfer_id": "2", "receipt_id": "W3", "contract_id": None,
                     "from_client_id": second, "to_client_id": first, "lots": 1,
                     "transfer_reason": "TRANSFER"},
        ],
        "silver.order_event": [
            {"trade_date": DAY, "event_id": n, "exchange": "SHFE", "contract_id": "cu2601",
             "client_id": first, "order_id": str(n), "event_type": "NEW"} for n in range(4_008)
        ] + [
            {"trade_date": DAY, "event_id": 5_000, "exchange": "SHFE", "contract_id": "cu2601",
             "client_id": first, "order_id": "1", "event_type": "CANCEL", "reason": "CLIENT"},
            {"trade_date": DAY, "event_id": 5_001, "exchange": "SHFE", "contract_id": "cu2601",
             "client_id": first, "order_id": "2", "event_type": "CANCEL",
             "reason": "SESSION_END"},
        ],
        "silver.quote_request": [
            {"trade_date": DAY, "request_id": "1", "request_time": NOON, "exchange": "SHFE",
             "contract_id": "cu2601", "member_id": "0001", "client_id": first, "session": "DAY"},
        ],
    }  # fmt: skip


JUDGED = (
    "bank_transfer", "client_fund", "warehouse_receipt", "warehouse_loading", "title_transfer",
    "quote_request",
)  # fmt: skip


@pytest.mark.parametrize("name", JUDGED)
def test_a_sound_day_breaks_no_rule(name: str) -> None:
    """Promise: nothing right is rejected."""
    assert broken(f"silver.{name}", world()) == set()


B, F, R, L, T, Q = (f"silver.{name}" for name in JUDGED)
M = "silver.member_fund"
FAULTS: Mapping[str, tuple[str, Callable[[World], object], str]] = {
    "payment of a stranger": (B, put(B, 0, client_id="99999999"), "bank_transfer.client.known"),
    "payment of yesterday": (
        B, put(B, 0, transfer_time=datetime(2026, 1, 5, 4)), "bank_transfer.time.date"),
    "payment lost": (F, drop(B, 0), "client_fund.transfers.tie"),
    "payment the wrong way": (F, put(B, 0, direction="OUT"), "client_fund.transfers.tie"),
    "balance wrong": (F, put(F, 0, balance=1), "client_fund.balance.adds_up"),
    "available wrong": (F, put(F, 0, available=1), "client_fund.available.adds_up"),
    "balance not carried": (F, put(F, 0, prev_balance=1), "client_fund.previous.carried"),
    "fee of no position": (F, put(F, 0, fee=4), "client_fund.positions.tie"),
    "payment for delivery lost": (F, put(F, 1, delivery_payment=0), "client_fund.members.tie"),
    "message fee of the member lost": (F, put(M, 0, message_fee=0), "client_fund.members.tie"),
    "message fee wrong": (F, put(F, 0, message_fee=4), "client_fund.messages.charged"),
    "message fee of nothing": (F, put(F, 1, message_fee=1), "client_fund.messages.charged"),
    "short of margin": (F, put(F, 0, available=-1), "client_fund.available.sign"),
    "weights differ": (R, put(R, 0, gross_weight=11), "warehouse_receipt.weight.adds_up"),
    "ended without a date": (R, put(R, 1, cancelled_date=None),
                             "warehouse_receipt.cancelled.dated"),
    "registered tomorrow": (R, put(R, 0, registered_date=date(2026, 1, 7)),
                            "warehouse_receipt.registered.before"),
    "receipt lost": (R, drop(R, 0), "warehouse_receipt.stock.tie"),
    "receipt back from the dead": (R, put(R, 1, state="REGISTERED"),
                                   "warehouse_receipt.stock.tie"),
    "owner unknown": (R, put(R, 0, client_id="99999999"), "warehouse_receipt.client.known"),
    "loading lost": (L, drop(L, 0), "warehouse_loading.change.tie"),
    "delivery lost": (T, drop(T, 0), "title_transfer.delivery.tie"),
    "delivered to another": (T, put(T, 0, to_client_id="10000001"),
                             "title_transfer.delivery.tie"),
    "sale with a contract": (T, put(T, 1, contract_id="cu2601"), "title_transfer.contract.given"),
    "request for no contract": (Q, put(Q, 0, contract_id="cu9912"),
                                "quote_request.contract.known"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_its_rule(fault: str) -> None:
    """Promise: nothing wrong passes; the rule that names the fault fails."""
    product, damage, rule = FAULTS[fault]
    damaged = deepcopy(world())
    damage(damaged)
    assert broken(product, damaged, rule) == {rule}


def test_what_is_not_published_in_full_is_not_compared() -> None:
    """Promise: a rejected order makes no client's message fee look wrong."""
    damaged = world()
    drop("silver.order_event", 0)(damaged)
    assert broken(F, damaged, "client_fund.messages.charged") == set()
