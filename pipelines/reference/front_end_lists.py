"""Lists of trading front ends as change rows: what the exchange's own files would have said.

The lists cover every Chinese exchange, have no change type, and say only what a trading program
needs. Contracts of other exchanges are left out: they are no products of this lake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

OURS = "('SHFE', 'INE')"


def ctp_instruments(delivered: DataFrame) -> DataFrame:
    """Bronze contract rows with CTP's instruments as additions, valid from the listing date.

    CTP's dates are YYYYMMDD; ``expire_date`` is the last trade date.
    """
    fields = (
        "instrument_id STRING, exchange_id STRING, product_id STRING, product_class STRING,"
        " delivery_year STRING, delivery_month STRING, volume_multiple STRING, price_tick STRING,"
        " open_date STRING, expire_date STRING"
    )
    listed = delivered.withColumns({"i": _expr(f"from_json(record, '{fields}')")}).where(
        f"record IS NULL OR i.exchange_id IN {OURS}"
    )
    return _filled(
        listed,
        {
            "contract_id": "lower(i.instrument_id)",
            "commodity_id": "lower(i.product_id)",
            "exchange": "i.exchange_id",
            "delivery_month": "concat(i.delivery_year, lpad(i.delivery_month, 2, '0'))",
            "list_date": "i.open_date",
            "last_trade_date": "i.expire_date",
            "multiplier": "i.volume_multiple",
            "tick_size": "i.price_tick",
            "change_type": "'A'",
            "valid_from": "i.open_date",
        },
    )


def commodity_list(delivered: DataFrame) -> DataFrame:
    """Bronze commodity rows with the front end's list as additions.

    The list is undated and says what was true then, not since when: it is valid from the date it
    is taken as known. Its section is ``<exchange>.<commodity>``.
    """
    fields = "name STRING, exchg STRING, pricetick STRING, volscale STRING"
    listed = delivered.withColumns({"i": _expr(f"from_json(record, '{fields}')")}).where(
        f"record IS NULL OR i.exchg IN {OURS}"
    )
    return _filled(
        listed,
        {
            "commodity_id": "lower(split(section, '[.]')[1])",
            "exchange": "i.exchg",
            "name_zh": "i.name",
            "multiplier": "i.volscale",
            "tick_size": "i.pricetick",
            "change_type": "'A'",
            "valid_from": "date_format(_interval, 'yyyyMMdd')",
        },
    )


def trade_date_list(delivered: DataFrame) -> DataFrame:
    """Bronze calendar rows with a bare list of trade dates completed by what follows from it.

    Neighbours come from the list itself. A night session belongs to a trade date unless a holiday
    (a weekday that is no trade date) lies between it and the trade date before.
    """
    order = "OVER (PARTITION BY _delivery_id ORDER BY calendar_date)"
    day = "try_to_date(calendar_date, 'yyyyMMdd')"
    bare = "is_trade_date IS NULL AND has_night_session IS NULL AND next_trade_date IS NULL"
    weekday_gap = "CASE WHEN dayofweek({d}) = 2 THEN 3 ELSE 1 END"
    known = delivered.withColumns(
        {
            "_before": _expr(f"lag(calendar_date) {order}"),
            "_after": _expr(f"lead(calendar_date) {order}"),
        }
    ).withColumns({"_gap": _expr(f"datediff({day}, try_to_date(_before, 'yyyyMMdd'))")})
    return known.withColumns(
        {
            "is_trade_date": _expr(f"if({bare}, '1', is_trade_date)"),
            "has_night_session": _expr(
                f"CASE WHEN {bare} AND _gap = {weekday_gap.format(d=day)} THEN '1'"
                f" WHEN {bare} AND _gap IS NOT NULL THEN '0' ELSE has_night_session END"
            ),
            "prev_trade_date": _expr(f"if({bare}, _before, prev_trade_date)"),
            "next_trade_date": _expr(f"if({bare}, _after, next_trade_date)"),
        }
    ).drop("_before", "_after", "_gap")


def _filled(listed: DataFrame, expressions: dict[str, str]) -> DataFrame:
    """Columns of list records set; rows delivered as columns stay as they are."""
    return listed.withColumns(
        {name: _expr(f"if(i IS NULL, `{name}`, {sql})") for name, sql in expressions.items()}
    ).drop("i")


def _expr(text: str):  # type: ignore[no-untyped-def]  # pyspark Column
    from pyspark.sql import functions as F

    return F.expr(text)
