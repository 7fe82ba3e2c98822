"""Market ticks as the recorder kept them, with event and receive time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_CLOCK = "lpad(trim(action_time), 9, '0')"
EVENT_TIME = (
    "CASE WHEN trim(action_time) RLIKE '^[0-9]{1,9}$' THEN"
    " concat(substr(action_day, 1, 4), '-', substr(action_day, 5, 2), '-',"
    " substr(action_day, 7, 2),"
    f" ' ', substr({_CLOCK}, 1, 2), ':', substr({_CLOCK}, 3, 2), ':', substr({_CLOCK}, 5, 2),"
    f" '.', substr({_CLOCK}, 7, 3)) ELSE action_time END"
)
"""Beijing time as text (``conform`` makes it UTC)."""
RECEIVE_DAY = (
    "date_add(try_to_date(action_day, 'yyyyMMdd'),"
    f" CASE WHEN substr({_CLOCK}, 1, 2) >= '20' AND trim(recv_time) < '06' THEN 1"
    f" WHEN substr({_CLOCK}, 1, 2) < '06' AND trim(recv_time) >= '20' THEN -1 ELSE 0 END)"
)
"""The recorder notes a time of day only: it lies within hours of the event, over midnight too."""


def _price(column: str) -> str:
    """0 stands for no price."""
    return f"CASE WHEN try_cast({column} AS DECIMAL(18,4)) = 0 THEN NULL ELSE {column} END"


@job("silver.market_tick", version=1, inputs=(same("bronze.market_tick"),))
def market_tick(inputs: Inputs) -> DataFrame:
    """One row per snapshot; ``tick_number`` counts a contract's snapshots as recorded, from 1.

    A price of 0 is no price (null), the last price excepted: without it a snapshot is rejected.
    """
    return delivered_rows(
        inputs,
        "bronze.market_tick",
        {
            "trade_date": "trading_day",
            "contract_id": "lower(trim(instrument))",
            "tick_number": "row_number() OVER (PARTITION BY _interval, lower(trim(instrument))"
            " ORDER BY _sequence, _delivery_id, _row_number)",
            "event_time": EVENT_TIME,
            "receive_time": f"concat(CAST({RECEIVE_DAY} AS STRING), ' ', trim(recv_time))",
            "last_price": "last",
            "open_price": _price("open"),
            "high_price": _price("high"),
            "low_price": _price("low"),
            "settlement_price": _price("settle"),
            "upper_limit_price": "upper_limit",
            "lower_limit_price": "lower_limit",
            "cum_volume_lots": "cum_volume",
            "volume_lots": "volume",
            "open_interest_lots": "open_interest",
            "open_interest_change_lots": "oi_change",
            "prev_close_price": "pre_close",
            "prev_settlement_price": "pre_settle",
            "prev_open_interest_lots": "pre_oi",
            "bid_price": _price("bid1"),
            "bid_lots": "bid1_qty",
            "ask_price": _price("ask1"),
            "ask_lots": "ask1_qty",
        },
    )
