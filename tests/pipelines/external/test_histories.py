"""Histories and tables of vendors: normalised once, the newest delivery counting."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pipelines.engine.calendar import TradingCalendar
from pipelines.external.month_close import ends_of_months, month_close
from pipelines.external.quote_continuous import quote_continuous
from pipelines.external.quote_daily import quote_daily
from pipelines.external.quote_listing import quote_listing
from pipelines.external.receipt_total_daily import receipt_total_daily
from pipelines.external.settlement_param import settlement_param

pytestmark = pytest.mark.spark
RunJob = Callable[..., list[Any]]
FIRST = {"_delivery_id": "d1", "_interval": "2026-01-30", "_sequence": 1, "_row_number": 1}
LATER = {**FIRST, "_delivery_id": "d2", "_interval": "2026-02-27"}
BAR = {
    **FIRST, "exchange": "INE", "commodity_id": "SC", "trade_date": "2019-12-31",
    "open_price": "480.0", "high_price": "485", "low_price": "479", "close_price": "483.9",
    "volume_lots": "40656", "open_interest_lots": "31140", "settlement_price": "0",
}  # fmt: skip


def test_continuous_bars_are_one_sided_and_the_last_delivery_counts(run_job: RunJob) -> None:
    """Two-sided counts are halved, odd ones unreadable, a settlement of 0 is none."""
    rows = run_job(
        quote_continuous,
        {
            "bronze.quote_continuous": [
                BAR,
                {**BAR, "trade_date": "2020-01-02"},
                {**BAR, "trade_date": "2019-12-30", "volume_lots": "40657"},
                {**BAR, "trade_date": "2020-01-03", "close_price": "1"},
                {**BAR, **LATER, "trade_date": "2020-01-03", "close_price": "2"},
            ]
        },
        intervals=("all",),
    )
    found = {str(r["trade_date"]): r for r in rows}
    assert len(rows) == len(found) == 4
    old, new = found["2019-12-31"], found["2020-01-02"]
    assert (old["volume_lots"], old["open_interest_lots"]) == (20328, 15570)
    assert (new["volume_lots"], new["open_interest_lots"]) == (40656, 31140)
    assert (old["counting_basis"], new["counting_basis"]) == ("TWO_SIDED", "ONE_SIDED")
    assert (old["settlement_price"], old["series_id"]) == (None, "sc.main")
    assert found["2019-12-30"]["_unparsed"] == "volume_lots"
    assert found["2020-01-03"]["close_price"] == Decimal("2.0000")


def _closes(subject: str, days: list[str], **series: list[float | None]) -> list[dict[str, Any]]:
    records = [("dates", json.dumps(day)) for day in days]
    records += [(f"series.{k[1:]}", json.dumps({"close": v})) for k, v in series.items()]
    return [
        {**FIRST, "_delivery_id": subject, "_row_number": n, "subject": subject,
         "section": section, "record": record}
        for n, (section, record) in enumerate(records, start=1)
    ]  # fmt: skip


def test_a_series_by_month_becomes_contracts(run_job: RunJob) -> None:
    """The year follows from the last trade date; two years under one month are not guessed.

    An array that is shorter than the list of dates is one undated row, read by nobody.
    """
    days = ["2025-12-15", "2025-12-16", "2025-12-31", "2026-01-05"]
    rows = run_job(
        month_close,
        {
            "bronze.month_close": [
                *_closes("CU", days, m12=[92440, 91050.0, None, 90000], m08=[1, 2, 3]),
                *_closes("SC", days, m01=[438.0, 437.5, 431, 463.7], m03=[1, 2, 3, 4]),
            ]
        },
        intervals=("all",),
    )
    found = {(str(r["trade_date"]), r["commodity_id"], r["series_month"]): r for r in rows}
    assert found["2025-12-15", "cu", 12]["contract_id"] == "cu2512"
    assert found["2025-12-16", "cu", 12]["contract_id"] == "cu2612"
    assert ("2025-12-31", "cu", 12) not in found, "a null is no close"
    assert found["2025-12-31", "sc", 1]["contract_id"] == "sc2601", "ends with the month before"
    assert found["2026-01-05", "sc", 1]["contract_id"] == "sc2701"
    assert found["2025-12-15", "sc", 3]["contract_id"] is None, "sc2603 or sc2703?"
    (short,) = [r for r in rows if r["commodity_id"] == "cu" and r["series_month"] == 8]
    assert (short["trade_date"], short["value_count"], short["date_count"]) == (None, 3, 4)


def test_contracts_end_on_the_15th_or_the_next_trade_date() -> None:
    """Holidays move the end; a month that trades no more after the 15th ends in the next."""
    ends = {first: end for first, end, _ in ends_of_months(TradingCalendar.default())}
    assert ends[date(2025, 12, 1)] == date(2025, 12, 15)
    assert ends[date(2025, 11, 1)] == date(2025, 11, 17), "the 15th is a Saturday"


def test_parameters_are_fractions_and_yuan_from_every_table(run_job: RunJob) -> None:
    """The exchange's two files complete each other; a vendor speaks where they are silent."""
    official = {
        "INSTRUMENTID": "cu2110", "SETTLEMENTPRICE": "73890.00000000", "TRADEFEERATION": ".00005",
        "TRADEFEEUNIT": "0", "SPEC_LONGMARGINRATIO": ".2", "LONGMARGINRATIO": ".1",
        "DISCOUNTRATE": "2",
    }  # fmt: skip
    argument = {"INSTRUMENTID": "cu2110", "UPPER_VALUE": "0.09", "SPEC_LONGMARGINRATIO": "0.3"}
    day = {**FIRST, "_interval": "2021-10-15"}
    table = {
        "settlement_price": "73610", "fee_rate": "0.050", "fee_per_lot": "0", "delivery_fee": "0",
        "spec_long_margin_rate": "10", "close_today_fee_factor": "200",
    }  # fmt: skip
    rows = run_job(
        settlement_param,
        {
            "bronze.settlement_param": [
                {**day, "section": "Settlement", "record": json.dumps(official)}
            ],
            "bronze.trade_argument": [
                {**day, "section": "ContractDailyTradeArgument", "record": json.dumps(argument)}
            ],
            "bronze.fee_table": [
                {**day, **table, "contract_id": "cu2110", "settlement_price": "1"},
                {**day, **table, "contract_id": "cu2111"},
            ],
        },
        intervals=("2021-10-15",),
    )
    both, vendor = sorted(rows, key=lambda r: str(r["contract_id"]))
    assert (both["data_source"], vendor["data_source"]) == (
        "EXCHANGE_PARAMETER",
        "VENDOR_PARAMETER",
    )
    assert both["settlement_price"] == Decimal("73890.0000")
    assert both["upper_limit_rate"] == Decimal("0.090000"), "from the other file"
    assert both["spec_long_margin_rate"] == Decimal("0.200000"), "Settlement goes first"
    assert vendor["fee_rate"] == Decimal("0.00005000"), "per mille"
    assert vendor["spec_long_margin_rate"] == Decimal("0.100000"), "per cent"
    assert vendor["close_today_fee_factor"] == Decimal("2.000000")


def test_a_vendor_speaks_only_of_contracts_the_exchange_does_not_tell(run_job: RunJob) -> None:
    """Rows of a vendor's list enter the quotes marked as such, and never twice."""
    day = {**FIRST, "_interval": "2026-01-29"}
    listed = {**day, "commodity_id": "cu_f", "trade_date": "20260129", "volume_lots": "5.0",
              "close_price": "109110.0", "open_interest_lots": "7.0"}  # fmt: skip
    listing = run_job(
        quote_listing,
        {"bronze.quote_listing": [{**listed, "delivery_month": m} for m in ("2602", "2603")]},
        intervals=("2026-01-29",),
    )
    quote = {"PRODUCTID": "cu_f", "DELIVERYMONTH": "2603", "CLOSEPRICE": 109120, "VOLUME": 6}
    rows = run_job(
        quote_daily,
        {
            "bronze.quote_daily": [
                {**day, "section": "o_curinstrument", "record": json.dumps(quote)}
            ],
            "silver.quote_listing": [r.asDict() for r in listing],
        },
        intervals=("2026-01-29",),
    )
    told = {r["contract_id"]: (r["data_source"], r["close_price"], r["volume_lots"]) for r in rows}
    assert told == {
        "cu2602": ("VENDOR_LISTING", Decimal("109110.0000"), 5),
        "cu2603": ("EXCHANGE_QUOTE", Decimal("109120.0000"), 6),
    }


def test_receipts_stand_beside_the_totals_of_the_exchange(run_job: RunJob) -> None:
    """Published totals become rows of their own, added up over a commodity's lists."""
    total = {"VARID": "sc", "WHABBRNAME": "总计$$Total", "ROWSTATUS": "2", "WRTWGHTS": 8071000,
             "WRTCHANGE": 0}  # fmt: skip
    house = {**total, "WHABBRNAME": "洋山石油$$Yangshan Oil", "ROWSTATUS": "0"}
    day = {**FIRST, "_delivery_id": "e", "_interval": "2022-06-01", "section": "o_cursor"}
    rows = run_job(
        receipt_total_daily,
        {
            "bronze.receipt_total": [
                {**FIRST, "commodity_id": "SC", "trade_date": "2022-06-01", "stock": "8071000",
                 "stock_change": "0"}
            ],
            "bronze.warehouse_stock_daily": [
                {**day, "record": json.dumps(r), "_row_number": n}
                for n, r in enumerate((house, total), start=1)
            ],
        },
        intervals=("all",),
    )  # fmt: skip
    told = {r["data_source"]: (r["commodity_id"], r["stock"], r["unit"]) for r in rows}
    assert told == dict.fromkeys(
        ("VENDOR_RECEIPT", "EXCHANGE_STOCK"), ("sc", Decimal("8071000.0000"), "BARREL")
    )
