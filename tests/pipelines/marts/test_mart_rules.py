"""The rules of the marts: figures that tie pass, and what got lost is found."""

from __future__ import annotations

from copy import deepcopy

import pytest
from judged import DAY, Row, World, broken

CLIENT: Row = {
    "trade_date": DAY, "member_id": "0001", "client_id": "a", "contract_id": "cu2603",
    "commodity_id": "cu", "new_orders": 3, "cancels": 1, "rejects": 1, "fills": 2,
    "filled_orders": 1, "bought_open_lots": 4, "sold_open_lots": 0, "bought_close_lots": 0,
    "sold_close_lots": 2, "traded_lots": 6, "turnover": 60, "message_count": 4,
    "order_to_trade_ratio": 3, "close_profit": 5, "holding_profit": 1, "fee": 2,
    "end_long_lots": 2, "end_short_lots": 0,
}  # fmt: skip
MARKET: Row = {
    "trade_date": DAY, "exchange": "SHFE", "commodity_id": "cu", "contract_id": "cu2603",
    "figure_source": "INTERNAL", "open_price": 10, "high_price": 12, "low_price": 9,
    "close_price": 11, "settlement_price": 11, "volume_lots": 3, "turnover": 30,
    "open_interest_lots": 2, "trade_count": 1, "vwap_price": 10,
}  # fmt: skip


def world() -> World:
    legs: Row = {"trade_date": DAY, "contract_id": "cu2603"}
    money: Row = {
        "trade_date": DAY, "member_id": "0001", "close_profit": 5, "holding_profit": 1, "fee": 2,
        "balance": 10, "margin": 4, "available": 6,
    }  # fmt: skip
    return {
        "gold.client_day": [deepcopy(CLIENT)],
        "gold.market_daily": [deepcopy(MARKET)],
        "gold.member_day": [
            money | {"active_clients": 1, "traded_lots": 6, "end_long_lots": 2, "end_short_lots": 0}
        ],
        "silver.trade": [legs | {"lots": 4}, legs | {"lots": 2}],
        "silver.position": [legs | {"lots": 2}],
        "silver.order_event": [
            legs | {"event_type": kind} for kind in ("NEW", "NEW", "NEW", "REJECT", "FILL")
        ],
        "silver.member_fund": [money],
        "silver.quote_daily": [deepcopy(MARKET) | {"data_source": "EXCHANGE_QUOTE"}],
        "silver.member_rank_daily": [
            legs | {"rank_kind": "VOLUME", "rank": 1, "member_id": "0001", "lots": 6},
            legs | {"rank_kind": "LONG", "rank": 1, "member_id": "0001", "lots": 2},
            legs | {"rank_kind": "SHORT", "rank": 1, "member_id": None, "lots": 9},
        ],
    }


@pytest.mark.parametrize("product", ["gold.client_day", "gold.market_daily", "gold.member_day"])
def test_figures_that_tie_break_no_rule(product: str) -> None:
    """Promise: nothing right is blocked."""
    assert broken(product, world()) == set()


FAULTS: dict[str, tuple[str, Row, str]] = {
    "a trade of no client": ("gold.client_day", {"silver.trade": {"lots": 5}},
                             "client_day.trades.complete"),
    "a position of no client": ("gold.client_day", {"silver.position": {"lots": 3}},
                                "client_day.positions.complete"),
    "an order of no client": ("gold.client_day", {"silver.order_event": {"event_type": "FILL"}},
                              "client_day.orders.complete"),
    "lots that do not add up": ("gold.client_day", {"gold.client_day": {"traded_lots": 7}},
                                "client_day.lots.add_up"),
    "more cancels than orders": ("gold.client_day", {"gold.client_day": {"cancels": 4}},
                                 "client_day.orders.add_up"),
    "ranked otherwise": ("gold.client_day", {"silver.member_rank_daily": {"lots": 7}},
                         "client_day.ranking.volume"),
    "public volume differs": ("gold.market_daily", {"silver.quote_daily": {"volume_lots": 4}},
                              "market_daily.public.volume"),
    "public contract unknown here": (
        "gold.market_daily", {"silver.quote_daily": {"contract_id": "cu2604"}},
        "market_daily.public.open_interest"),
    "public settlement differs": (
        "gold.market_daily", {"silver.quote_daily": {"settlement_price": 12}},
        "market_daily.public.settlement"),
    "public turnover differs": ("gold.market_daily", {"silver.quote_daily": {"turnover": 131}},
                                "market_daily.public.turnover"),
    "mean outside the day": ("gold.market_daily", {"gold.market_daily": {"vwap_price": 8}},
                             "market_daily.vwap.between"),
    "a client lost": ("gold.member_day", {"gold.member_day": {"traded_lots": 5}},
                      "member_day.clients.complete"),
    "money lost": ("gold.member_day", {"silver.member_fund": {"fee": 3}}, "member_day.funds.tie"),
    "member without funds": ("gold.member_day", {"gold.member_day": {"balance": None}},
                             "member_day.funds.given"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_its_rule(fault: str) -> None:
    """Promise: what got lost between the products and the marts is found by name."""
    product, damage, rule = FAULTS[fault]
    damaged = world()
    for of, fields in damage.items():
        damaged[of][0].update(fields)
    assert broken(product, damaged, rule) == {rule}


def test_before_the_public_file_nothing_is_compared() -> None:
    """Promise: internal figures stand alone until the exchange has published."""
    early = world()
    early["silver.quote_daily"] = []
    assert broken("gold.market_daily", early) == set()
