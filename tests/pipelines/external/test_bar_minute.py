"""Minute bars of two generations, with the trade dates that nights and midnights belong to."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from pipelines.external.bar_minute import bar_minute
from tests.pipelines.external.bronze_frames import built

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
BAR = {
    "exchange": "SHFE", "commodity": "CU", "series": "2202", "bar_minutes": "1",
    "date": "2022-01-14", "time": "09:01:00", "open": "70510.0", "high": "70550.0",
    "low": "70200.0", "close": "70230.0", "volume": "2389.0", "turnover": "839934050.0",
    "hold": "133232.0",
}  # fmt: skip
OLD = {
    "exchange": "SHFE", "commodity": "rb", "series": "HOT", "bar_minutes": "5",
    "date": "2019/7/31 星期三", "time": "21:05:00", "open": "3888", "high": "3897", "low": "3882",
    "close": "3897", "volume": "118432",
}  # fmt: skip


def test_bars_belong_to_their_trade_date(spark: SparkSession) -> None:
    """Friday's night and the hours after its midnight are Monday's; counts are one-sided."""
    rows = built(
        spark,
        bar_minute,
        [
            BAR,
            {**BAR, "time": "21:01:00"},
            {**BAR, "date": "2022-01-15", "time": "00:30:00"},
            {**BAR, "date": "2022-01-15", "time": "09:01:00"},
            {**BAR, "date": "2022-01-28", "time": "21:01:00"},
            OLD,
            {**OLD, "time": "21:10:00", "volume": "7"},
            {**OLD, "date": "2020/1/2 星期四", "time": "09:05:00", "volume": "7"},
            {**OLD, "date": "yesterday"},
        ],
        "2022-02-15",
    )
    dated = [(r["series_id"], r["trade_date"], r["volume_lots"], r["_unparsed"]) for r in rows]
    monday = date(2022, 1, 17)
    assert sorted(dated, key=str) == sorted([
        ("cu2202", date(2022, 1, 14), 2389, None),
        ("cu2202", monday, 2389, None),
        ("cu2202", monday, 2389, None),
        ("cu2202", None, 2389, None),  # a Saturday morning
        ("cu2202", None, 2389, None),  # no night before the holiday
        ("rb.main", date(2019, 8, 1), 59216, None),
        ("rb.main", date(2019, 8, 1), None, "volume_lots"),
        ("rb.main", date(2020, 1, 2), 7, None),
        ("rb.main", None, 118432, "bar_end"),
    ], key=str)  # fmt: skip
    first = next(r for r in rows if r["trade_date"] == date(2022, 1, 14))
    assert first["bar_end"] == datetime(2022, 1, 14, 1, 1)
    assert (first["turnover"], first["open_interest_lots"]) == (Decimal("839934050"), 133232)
    old = next(r for r in rows if r["volume_lots"] == 59216)
    assert (old["counting_basis"], old["bar_minutes"], old["turnover"]) == ("TWO_SIDED", 5, None)
