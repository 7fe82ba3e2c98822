"""Market ticks as the recorder kept them, with event and receive time."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.external.published import basis_sql, exchange_sql, one_sided_sql, two_sided_sql
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_CLOCK = "lpad(trim(action_time), 9, '0')"
COMMODITY = "lower(regexp_replace(trim(instrument), '[0-9]+$', ''))"
_DIGITS = "trim(action_time) RLIKE '^[0-9]{1,9}$'"
_DATED = "trim(action_time) RLIKE '^[0-9]{8} [0-9]{2}:'"
_NO_VALUE = "LIKE '1.79769%308'"
"""How the feed writes the largest double, its mark for a field without a value."""
RECEIVE_DAY = (
    "date_add(try_to_date(action_day, 'yyyyMMdd'),"
    f" CASE WHEN substr({_CLOCK}, 1, 2) >= '20' AND trim(recv_time) < '06' THEN 1"
    f" WHEN substr({_CLOCK}, 1, 2) < '06' AND trim(recv_time) >= '20' THEN -1 ELSE 0 END)"
)
"""The recorder notes a time of day only: it lies within hours of the event, over midnight too."""
_PRICES = (
    "last", "open", "high", "low", "settle", "upper_limit", "lower_limit", "pre_close",
    "pre_settle", "bid1", "ask1",
)  # fmt: skip
_COUNTS = ("cum_volume", "open_interest", "cum_turnover")


def _scientific(column: str) -> str:
    return f"contains(lower({column}), 'e')"


_MARKS = (
    f"CASE WHEN {' OR '.join(f'{p} {_NO_VALUE}' for p in _PRICES)} THEN 'NO_VALUE' END,"
    f" CASE WHEN {' OR '.join(map(_scientific, _COUNTS))} THEN 'ROUNDED' END"
)


def _valued(column: str) -> str:
    return f"CASE WHEN NOT {column} {_NO_VALUE} THEN {column} END"


def _price(column: str) -> str:
    """0 and the feed's mark stand for no price."""
    return f"CASE WHEN try_cast({column} AS DECIMAL(18,4)) = 0 THEN NULL ELSE {_valued(column)} END"


def _plain(column: str) -> str:
    """Scientific notation written out; what is no number stays as it is."""
    number = f"try_cast(trim({column}) AS DECIMAL(28,4))"
    return (
        f"CASE WHEN {_scientific(column)} THEN coalesce(CAST({number} AS STRING), {column})"
        f" ELSE {column} END"
    )


def _halved(column: str) -> str:
    """Turnover of a two-sided count halved."""
    number = f"try_cast(trim({column}) AS DECIMAL(28,4))"
    half = f"CAST(CAST({number} / 2 AS DECIMAL(28,4)) AS STRING)"
    return f"CASE WHEN {two_sided_sql()} AND {number} IS NOT NULL THEN {half} ELSE {column} END"


def _calendar_day(inputs: Inputs) -> str:
    """The date of a clock time that came without one: a night begins on the trade date before.

    NULL for a night time of a trade date without night session.
    """
    days = [date.fromisoformat(interval) for interval in inputs.intervals]
    evenings = " ".join(
        f"WHEN DATE'{day}' THEN DATE'{inputs.calendar.previous(day)}'"
        for day in days
        if inputs.calendar.is_trade_date(day) and inputs.calendar.has_night_session(day)
    )
    evening = f"CASE _interval {evenings} END" if evenings else "CAST(NULL AS DATE)"
    return (
        f"CASE WHEN trim(action_time) >= '18' THEN {evening}"
        f" WHEN trim(action_time) < '06' THEN date_add({evening}, 1) ELSE _interval END"
    )


def _event_time(calendar_day: str) -> str:
    """Beijing time as text (``conform`` makes it UTC)."""
    day = "concat_ws('-', substr({0}, 1, 4), substr({0}, 5, 2), substr({0}, 7, 2))"
    return (
        f"CASE WHEN {_DIGITS} THEN concat({day.format('action_day')},"
        f" ' ', substr({_CLOCK}, 1, 2), ':', substr({_CLOCK}, 3, 2), ':', substr({_CLOCK}, 5, 2),"
        f" '.', substr({_CLOCK}, 7, 3))"
        f" WHEN {_DATED} THEN concat({day.format('trim(action_time)')},"
        f" substr(trim(action_time), 9))"
        " WHEN trim(action_time) RLIKE '^[0-9]{2}:' THEN"
        f" concat(CAST({calendar_day} AS STRING), ' ', trim(action_time)) ELSE action_time END"
    )


def _trade_date(calendar_day: str) -> str:
    """The feed's trade date; where a file has none, the interval that its times must fit."""
    clock = calendar_day.replace("trim(action_time)", "substr(trim(action_time), 10)")
    return (
        "CASE WHEN trading_day IS NOT NULL THEN trading_day"
        f" WHEN {_DATED}"
        f" AND NOT substr(trim(action_time), 1, 8) <=> date_format({clock}, 'yyyyMMdd')"
        " THEN substr(trim(action_time), 1, 8) ELSE CAST(_interval AS STRING) END"
    )


@job("silver.market_tick", version=2, inputs=(same("bronze.market_tick"),))
def market_tick(inputs: Inputs) -> DataFrame:
    """One row per snapshot; ``tick_number`` counts a contract's snapshots as recorded, from 1.

    A price of 0 is no price (null), the last price excepted: without it a snapshot is rejected.
    Counts and turnover are one-sided at every date. Files without dates (a manifest says theirs)
    or without a trade date get their times checked against the interval.
    """
    return delivered_ticks(inputs)


def delivered_ticks(inputs: Inputs) -> DataFrame:
    """Every delivered snapshot of the wanted intervals in the columns of ``silver.market_tick``."""
    calendar_day = _calendar_day(inputs)
    return delivered_rows(
        inputs,
        "bronze.market_tick",
        {
            "trade_date": _trade_date(calendar_day),
            "contract_id": "lower(trim(instrument))",
            "tick_number": "row_number() OVER (PARTITION BY _interval, lower(trim(instrument))"
            " ORDER BY _sequence, _delivery_id, _row_number)",
            "exchange": f"coalesce(exchange, {exchange_sql(COMMODITY)})",
            "event_time": _event_time(calendar_day),
            "receive_time": f"concat(CAST({RECEIVE_DAY} AS STRING), ' ', trim(recv_time))",
            "last_price": _valued("last"),
            "open_price": _price("open"),
            "high_price": _price("high"),
            "low_price": _price("low"),
            "settlement_price": _price("settle"),
            "upper_limit_price": _valued("upper_limit"),
            "lower_limit_price": _valued("lower_limit"),
            "cum_volume_lots": one_sided_sql(_plain("cum_volume")),
            "volume_lots": one_sided_sql(_plain("volume")),
            "cum_turnover": _halved("cum_turnover"),
            "turnover": _halved("turnover"),
            "open_interest_lots": one_sided_sql(_plain("open_interest")),
            "open_interest_change_lots": one_sided_sql(_plain("oi_change")),
            "prev_close_price": _valued("pre_close"),
            "prev_settlement_price": _valued("pre_settle"),
            "prev_open_interest_lots": one_sided_sql(_plain("pre_oi")),
            "bid_price": _price("bid1"),
            "bid_lots": "bid1_qty",
            "ask_price": _price("ask1"),
            "ask_lots": "ask1_qty",
            "counting_basis": basis_sql(),
            "feed_marks": f"nullif(concat_ws(',', {_MARKS}), '')",
        },
    )
