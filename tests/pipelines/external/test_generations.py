"""Every generation of a published file means the same in silver."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.external.market_tick import market_tick
from pipelines.external.member_rank_daily import member_rank_daily
from pipelines.external.news_article import news_article
from pipelines.external.quote_daily import quote_daily
from pipelines.external.warehouse_stock_daily import warehouse_stock_daily
from tests.pipelines.external.bronze_frames import built, documents

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
QUOTE: dict[str, Any] = {
    "PRODUCTID": "cu_f    ", "DELIVERYMONTH": "1403", "PRESETTLEMENTPRICE": 52140,
    "OPENPRICE": 51900, "HIGHESTPRICE": 52080, "LOWESTPRICE": 51670, "CLOSEPRICE": 51770,
    "SETTLEMENTPRICE": 51890.5, "VOLUME": 243308, "OPENINTEREST": 220868, "OPENINTERESTCHG": -11206,
}  # fmt: skip


def test_quotes_are_one_sided_yuan_at_every_date(spark: SparkSession) -> None:
    """Before 2020 counts are halved; turnover in 10,000 yuan becomes yuan; blanks are null."""
    (old,) = built(spark, quote_daily, documents("o_curinstrument", QUOTE), "2014-01-06")
    assert (old["contract_id"], old["exchange"], old["delivery_month"]) == (
        "cu1403",
        "SHFE",
        "201403",
    )
    assert (old["volume_lots"], old["open_interest_lots"]) == (121654, 110434)
    assert old["open_interest_change_lots"] == -5603
    assert (old["counting_basis"], old["turnover"]) == ("TWO_SIDED", None)
    assert old["settlement_price"] == Decimal("51890.5000")
    new = {
        **QUOTE, "PRODUCTID": "sc_f", "DELIVERYMONTH": "2610", "TURNOVER": 16453916.31,
        "VOLUME": "182670", "OPENPRICE": "", "PRODUCTCLASS": "1", "PRODUCTGROUPID": "sc",
    }  # fmt: skip
    (row,) = built(spark, quote_daily, documents("o_curinstrument", new), "2026-09-15")
    assert (row["exchange"], row["volume_lots"], row["counting_basis"]) == (
        "INE",
        182670,
        "ONE_SIDED",
    )
    assert row["turnover"] == Decimal("164539163100.0000")
    assert (row["open_price"], row["_unparsed"]) == (None, None)


def test_totals_and_other_trading_are_no_contracts(spark: SparkSession) -> None:
    """Subtotals, totals, EFP and TAS are left out; a row nobody expects stays for the rules."""
    others = [
        {**QUOTE, "DELIVERYMONTH": "小计"},
        {**QUOTE, "PRODUCTID": "总计", "DELIVERYMONTH": ""},
        {**QUOTE, "DELIVERYMONTH": "efp"},
        {**QUOTE, "PRODUCTCLASS": "6", "PRODUCTID": "sc_tas"},
        {**QUOTE, "DELIVERYMONTH": "???"},
    ]
    rows = built(spark, quote_daily, documents("o_curinstrument", *others), "2026-09-15")
    assert [r["contract_id"] for r in rows] == ["cu???"]
    ignored = built(spark, quote_daily, documents("o_curproduct", QUOTE), "2026-09-15")
    assert ignored == []


def test_an_odd_two_sided_count_is_unreadable(spark: SparkSession) -> None:
    """A two-sided count that is odd cannot be halved: it is reported, not rounded."""
    odd = {**QUOTE, "VOLUME": 7, "OPENINTEREST": "many"}
    (row,) = built(spark, quote_daily, documents("o_curinstrument", odd), "2014-01-06")
    assert row["volume_lots"] is None
    assert set(row["_unparsed"].split(",")) == {"volume_lots", "open_interest_lots"}


def test_rankings_are_three_independent_lists(spark: SparkSession) -> None:
    """A place that a list does not reach is no row; member numbers come from any spelling."""
    first = {
        "INSTRUMENTID": "cu2609                        ", "RANK": 1,
        "PARTICIPANTABBR1": "金瑞期货  ", "PARTICIPANTID1": "0049", "CJ1": 1620, "CJ1_CHG": -545,
        "PARTICIPANTABBR2": "中信期货$$0148", "PARTICIPANTID2": "", "CJ2": "1510", "CJ2_CHG": "",
        "PARTICIPANTABBR3": "", "PARTICIPANTID3": "", "CJ3": "", "CJ3_CHG": "",
    }  # fmt: skip
    groups = [{**first, "RANK": r} for r in (-1, 0, 999)]
    whole = [{**first, "INSTRUMENTID": i} for i in ("cuall", "cuactv")]
    rows = built(
        spark, member_rank_daily, documents("o_cursor", first, *groups, *whole), "2026-09-15"
    )
    found = {r["rank_kind"]: r for r in rows}
    assert len(rows) == 2
    assert (found["VOLUME"]["member_id"], found["VOLUME"]["member_name"]) == ("0049", "金瑞期货")
    assert found["VOLUME"]["counting_basis"] == "TWO_SIDED"
    assert (found["LONG"]["member_id"], found["LONG"]["member_name"]) == ("0148", "中信期货")
    assert (found["LONG"]["lots"], found["LONG"]["change_lots"]) == (1510, None)


def test_member_volumes_were_never_counted_twice(spark: SparkSession) -> None:
    """A member's lots stay as published before 2020 too: only the market's figures are halved."""
    old = {"INSTRUMENTID": "cu1401", "RANK": 1, "PARTICIPANTABBR1": "金瑞期货", "CJ1": 1580}
    (row,) = built(spark, member_rank_daily, documents("o_cursor", old), "2014-01-06")
    assert (row["lots"], row["member_id"]) == (1580, None)


def test_stocks_in_kilograms_tonnes_and_barrels(spark: SparkSession) -> None:
    """Units are spelt out, weights get tonnes, the Chinese name stands in for a missing code."""
    base = {
        "REGNAME": "上海$$Shanghai", "WHABBRNAME": "期晟公司$$Qisheng", "WRTWGHTS": 6601,
        "WRTCHANGE": -3, "ROWSTATUS": "0",
    }  # fmt: skip
    rows = built(
        spark,
        warehouse_stock_daily,
        documents(
            "o_cursor",
            {**base, "VARNAME": "铜$$COPPER", "WGHTUNIT": "2"},
            {**base, "VARNAME": "黄金$$GOLD", "WGHTUNIT": "1", "WRTWGHTS": 1026},
            {**base, "VARNAME": "中质含硫原油$$Crude", "VARID": "sc", "WGHTUNIT": "3"},
            {**base, "VARNAME": "沥青厂库$$BITUMEN Factory", "WGHTUNIT": "2"},
            {**base, "VARNAME": "螺纹钢(厂库)", "WGHTUNIT": "吨"},
            {**base, "VARNAME": "新品种$$New", "WGHTUNIT": "9"},
            {**base, "VARNAME": "铜$$COPPER", "ROWSTATUS": "1", "WHABBRNAME": "合计$$Subtotal"},
            {**base, "VARNAME": "铜$$COPPER", "ROWSTATUS": "2", "WHABBRNAME": "总计$$Total"},
        ),
        "2016-01-04",
    )
    told = [(r["commodity_id"], r["exchange"], r["unit"], r["stock_tonnes"]) for r in rows]
    assert told == [
        ("cu", "SHFE", "TONNE", Decimal("6601.0000")),
        ("au", "SHFE", "KG", Decimal("1.0260")),
        ("sc", "INE", "BARREL", None),
        ("bu", "SHFE", "TONNE", Decimal("6601.0000")),
        ("rb", "SHFE", "TONNE", Decimal("6601.0000")),
        (None, "SHFE", "9", None),
    ]
    assert (rows[0]["region"], rows[0]["warehouse"]) == ("上海", "期晟公司")


def test_ticks_have_two_times_and_an_order(spark: SparkSession) -> None:
    """Beijing times become UTC, over midnight too; 0 is no quote; ticks count per contract."""
    tick = {
        "exchange": "INE", "instrument": "sc2204", "trading_day": "20220218",
        "action_day": "20220217", "action_time": "235959500", "recv_time": "00:00:01",
        "last": "564.4", "upper_limit": "600", "lower_limit": "500", "bid1": "0", "ask1": "564.5",
        "settle": "0", "cum_volume": "5", "high": "1.797693e+308",
    }  # fmt: skip
    rows = built(
        spark,
        market_tick,
        [
            tick,
            {**tick, "action_time": "3", "trading_day": "20220221"},
            {**tick, "action_time": ""},
        ],
        "2022-02-18",
    )
    first, early, broken = sorted(rows, key=lambda r: r["tick_number"])
    assert first["event_time"] == datetime(2022, 2, 17, 15, 59, 59, 500_000)
    assert first["receive_time"] == datetime(2022, 2, 17, 16, 0, 1)
    assert (first["bid_price"], first["settlement_price"]) == (None, None)
    assert (first["high_price"], first["feed_marks"], first["_unparsed"]) == (
        None,
        "NO_VALUE",
        None,
    )
    assert early["event_time"] == datetime(2022, 2, 16, 16, 0, 0, 3_000)
    assert "trade_date" in early["_unparsed"]
    assert early["trade_date"] == date(2022, 2, 18)
    assert (broken["tick_number"], broken["event_time"]) == (3, None)


def test_ticks_of_earlier_recorders(spark: SparkSession) -> None:
    """Counts are halved, scientific notation is marked, clock times get the interval's dates."""
    dated = {"instrument": "RB1910", "action_time": "20190610 09:00:01", "last": "3718.0000",
             "cum_volume": "14658.0000", "open_interest": "2596136.0000"}  # fmt: skip
    strange = {**dated, "action_time": "20190606 09:00:01", "cum_volume": "14659.0000"}
    night = {**dated, "action_time": "20190606 21:00:00"}
    rows = built(spark, market_tick, [dated, strange, night], "2019-06-10")
    good, other, evening = sorted(rows, key=lambda r: r["tick_number"])
    assert (good["contract_id"], good["exchange"], good["counting_basis"]) == (
        "rb1910",
        "SHFE",
        "TWO_SIDED",
    )
    assert (good["cum_volume_lots"], good["open_interest_lots"]) == (7329, 1298068)
    assert (good["event_time"], good["receive_time"]) == (datetime(2019, 6, 10, 1, 0, 1), None)
    assert set(other["_unparsed"].split(",")) == {"trade_date", "cum_volume_lots"}
    assert evening["_unparsed"] == "trade_date"  # no night session before a holiday
    clock = {"instrument": "rb1801", "action_time": "09:08:06.500", "last": "3828",
             "cum_volume": "1671102", "open_interest": "3.11327e+006",
             "cum_turnover": "6.4591e+010"}  # fmt: skip
    before, after = {**clock, "action_time": "21:00:00"}, {**clock, "action_time": "00:30:00"}
    rows = built(spark, market_tick, [clock, before, after], "2017-08-14")
    (day, evening, midnight) = sorted(rows, key=lambda r: r["tick_number"])
    assert (day["open_interest_lots"], day["cum_turnover"]) == (1556635, Decimal("32295500000"))
    assert (day["feed_marks"], day["_unparsed"]) == ("ROUNDED", None)
    assert day["event_time"] == datetime(2017, 8, 14, 1, 8, 6, 500_000)
    assert evening["event_time"] == datetime(2017, 8, 11, 13)
    assert midnight["event_time"] == datetime(2017, 8, 11, 16, 30)


def test_articles_keep_their_trade_date(spark: SparkSession) -> None:
    """An article belongs to the date it was delivered for; its time is UTC with or without zone."""
    rows = built(
        spark,
        news_article,
        [
            {"article_id": "1", "published_at": "2026-01-04T20:00:00+08:00", "reach": "12"},
            {"article_id": "2", "published_at": "2026-01-04 20:00:00"},
        ],
        "2026-01-05",
    )
    assert {r["published_at"] for r in rows} == {datetime(2026, 1, 4, 12)}
    assert {r["trade_date"] for r in rows} == {date(2026, 1, 5)}
