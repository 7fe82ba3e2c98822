"""The history of the market: who is believed, who differs, and what a roll does to a return."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from contracts.catalogue import HOME, load_catalogue
from pipelines.marts.market_history import market_history
from pipelines.marts.member_share_daily import member_share_daily
from pipelines.marts.observations import AUTHORITY_DIGEST, FACTS
from pipelines.marts.source_disagreement import source_disagreement
from pipelines.marts.term_structure_daily import term_structure_daily

RunJob = Callable[..., list[Any]]
ALL = ("all",)


def test_a_changed_ranking_is_a_new_version_of_the_jobs() -> None:
    """Figures follow from authority.yaml, so its digest is part of the jobs' code."""
    body = (HOME / "standards" / "authority.yaml").read_bytes()
    assert hashlib.sha256(body).hexdigest() == AUTHORITY_DIGEST, (
        "set AUTHORITY_DIGEST and raise the versions of gold.market_history and source_disagreement"
    )
    ranked = load_catalogue().standards.authority
    assert set(FACTS) <= set(ranked)
    assert all(sources[0].startswith("EXCHANGE_") for sources in ranked.values())


def bar(day: str, close: str, **more: Any) -> dict[str, Any]:
    return {
        "trade_date": day, "commodity_id": "sc", "exchange": "INE", "series_id": "sc.main",
        "close_price": close, "counting_basis": "ONE_SIDED", "_delivery_id": "vendor", **more,
    }  # fmt: skip


def month(day: str, contract: str, close: str) -> dict[str, Any]:
    return {"trade_date": day, "commodity_id": "sc", "contract_id": contract,
            "close_price": close, "_delivery_id": "months"}  # fmt: skip


QUOTE = {
    "trade_date": "2018-03-26", "commodity_id": "sc", "exchange": "INE", "open_price": "440",
    "high_price": "447.1", "low_price": "426.3", "close_price": "429.9", "_delivery_id": "kx",
    "settlement_price": "433.8", "volume_lots": 20328, "data_source": "EXCHANGE_QUOTE",
}  # fmt: skip
WRONG = bar(
    "2018-03-26", "429.9", open_price="440", high_price="447.1", low_price="426.3",
    volume_lots=20328, open_interest_lots=155700, counting_basis="TWO_SIDED",
)  # fmt: skip


@pytest.mark.spark
def test_a_wrong_figure_of_a_vendor_comes_out_by_reconciliation(run_job: RunJob) -> None:
    """The series is known by its prices; then the exchange's open interest stands against it."""
    world = {
        "silver.quote_continuous": [WRONG],
        "silver.quote_daily": [
            QUOTE | {"contract_id": "sc1809", "open_interest_lots": 1557},
            QUOTE | {"contract_id": "sc1812", "close_price": "420", "open_interest_lots": 99},
        ],
        "silver.receipt_total_daily": [
            {"trade_date": "2022-06-01", "commodity_id": "sc", "data_source": source,
             "stock": stock, "_delivery_id": source}
            for source, stock in (("EXCHANGE_STOCK", 8071000), ("VENDOR_RECEIPT", 8071000))
        ],
    }  # fmt: skip
    (row,) = run_job(source_disagreement, world, intervals=ALL)
    assert (row["subject_id"], row["fact"]) == ("sc1809", "open_interest_lots")
    assert (row["winner_source"], row["winner_value"]) == ("EXCHANGE_QUOTE", Decimal(1557))
    assert (row["other_source"], row["other_value"]) == ("VENDOR_CONTINUOUS", Decimal(155700))
    assert (row["winner_delivery_id"], row["other_delivery_id"]) == ("kx", "vendor")
    assert row["relative_difference"] == Decimal(99)
    found = {r["series_id"]: r for r in run_job(market_history, world, intervals=ALL)}
    main = found["sc.main"]
    assert (main["underlying_contract_id"], main["open_interest_lots"]) == ("sc1809", 1557)
    assert main["open_interest_source"] == "EXCHANGE_QUOTE"
    assert set(found) == {"sc.main", "sc1809", "sc1812"}


@pytest.mark.spark
def test_a_roll_is_marked_and_its_return_is_of_one_contract(run_job: RunJob) -> None:
    """No return mixes two contracts; a gap has none; a change of counting is marked."""
    days = [
        "2019-12-26", "2019-12-27", "2019-12-30", "2019-12-31", "2020-01-02",
        "2020-01-03", "2020-01-06", "2020-01-07", "2020-01-08", "2020-01-09",
    ]  # fmt: skip
    old = ["98", "99", "100", "110", "121", "120", "119", "118", "117", "116"]
    new = ["198", "199", "200", "210", "220", "231", "233", "234", "235", "236"]
    followed = [*old[:5], *new[5:]]
    world = {
        "silver.quote_continuous": [
            *(bar(day, close) for day, close in zip(days, followed, strict=True)),
            bar("2020-01-10", "999"),
        ],
        "silver.month_close": [
            *(month(day, "sc2002", close) for day, close in zip(days, old, strict=True)),
            *(month(day, "sc2004", close) for day, close in zip(days, new, strict=True)
              if day != "2019-12-31"),
        ],
    }  # fmt: skip
    rows = run_job(market_history, world, intervals=ALL)
    main = {str(r["trade_date"]): r for r in rows if r["series_kind"] == "MAIN"}
    assert [r["rolled"] for r in main.values()] == [*[False] * 5, True, *[False] * 5]
    assert main["2019-12-31"]["close_return"] == Decimal("0.1")
    assert main["2020-01-03"]["close_return"] == Decimal("0.05"), "sc2004: 220 to 231"
    assert [str(d) for d, r in main.items() if r["basis_changed"]] == ["2020-01-02"]
    assert main["2020-01-10"]["underlying_contract_id"] is None, "no contract closed at 999"
    gap = next(r for r in rows if (r["series_id"], str(r["trade_date"])) == ("sc2004", days[4]))
    assert gap["close_return"] is None, "not known on 2019-12-31"


@pytest.mark.spark
def test_one_equal_price_tells_a_contract_only_in_a_row(run_job: RunJob) -> None:
    """A close that is equal on a day or two is chance; of two equal closes the longer run tells."""
    days = [f"2026-01-{d:02d}" for d in (5, 6, 7, 8, 9, 12)]
    world = {
        "silver.quote_continuous": [bar(day, str(500 + i)) for i, day in enumerate(days)],
        "silver.month_close": [
            *(month(day, "sc2603", str(500 + i)) for i, day in enumerate(days) if i != 0),
            *(month(day, "sc2612", str(500 + i)) for i, day in enumerate(days) if i in (0, 1)),
            month(days[0], "sc2603", "499"),
        ],
    }  # fmt: skip
    rows = run_job(market_history, world, intervals=ALL)
    main = [r["underlying_contract_id"] for r in rows if r["series_kind"] == "MAIN"]
    assert main == [None, *["sc2603"] * 5]
    listed = {"trade_date": days[0], "commodity_id": "sc", "close_price": "500",
              "_delivery_id": "list", "volume_lots": 5}  # fmt: skip
    for interest, told in ((104, "sc2612"), (50, None)):
        alone = {
            "silver.quote_continuous": [bar(days[0], "500", open_interest_lots=100)],
            "silver.quote_listing": [listed | {"contract_id": "sc2612",
                                               "open_interest_lots": interest}],
        }  # fmt: skip
        (row,) = [r for r in run_job(market_history, alone, intervals=ALL)
                  if r["series_kind"] == "MAIN"]  # fmt: skip
        assert row["underlying_contract_id"] == told


@pytest.mark.spark
def test_a_curve_begins_with_the_nearest_contract(run_job: RunJob) -> None:
    """Settlement before close; spreads and simple annual slopes against the front."""
    line = {"trade_date": "2026-01-29", "commodity_id": "sc", "exchange": "INE",
            "series_kind": "CONTRACT"}  # fmt: skip
    rows = run_job(
        term_structure_daily,
        {
            "gold.market_history": [
                line | {"series_id": "sc2603", "delivery_month": "202603", "close_price": "400"},
                line | {"series_id": "sc2609", "delivery_month": "202609", "close_price": "1",
                        "settlement_price": "420"},
                line | {"series_id": "sc.main", "series_kind": "MAIN", "close_price": "400"},
            ]
        },
        intervals=ALL,
    )  # fmt: skip
    near, far = sorted(rows, key=lambda r: int(r["curve_place"]))
    assert (near["contract_id"], near["curve_price_kind"]) == ("sc2603", "CLOSE")
    assert (near["front_spread"], near["annual_slope"], near["months_to_delivery"]) == (0, None, 2)
    assert (far["curve_price_kind"], far["front_spread"]) == ("SETTLEMENT", Decimal(20))
    assert far["annual_slope"] == Decimal("0.1"), "5 % in half a year"


@pytest.mark.spark
def test_shares_are_of_the_published_ranks(run_job: RunJob) -> None:
    """A side that is not published is censored, not zero; the exchange's list goes first."""
    place = {"trade_date": "2026-01-05", "exchange": "SHFE", "commodity_id": "cu"}
    kept = place | {"contract_id": "cu2603", "member_name": "金瑞期货", "long_lots": 65}
    rank = place | {"contract_id": "cu2604", "rank_kind": "LONG"}
    rows = run_job(
        member_share_daily,
        {
            "silver.member_position_daily": [kept, kept | {"contract_id": "cu2604"}],
            "silver.member_total_daily": [
                place | {"contract_id": "cu2603", "list_long_lots": 260, "list_short_lots": 300}
            ],
            "silver.member_rank_daily": [
                rank | {"rank": 1, "member_name": "甲期货", "lots": 30},
                rank | {"rank": 2, "member_name": "乙期货", "lots": 10},
            ],
        },
        intervals=ALL,
    )
    told = {(r["contract_id"], r["member_name"]): r for r in rows}
    assert len(rows) == len(told) == 3
    vendor = told["cu2603", "金瑞期货"]
    assert (vendor["long_share"], vendor["short_share"]) == (Decimal("0.25"), None)
    assert (vendor["censored"], vendor["data_source"]) == (True, "VENDOR_MEMBER")
    assert told["cu2604", "甲期货"]["long_share"] == Decimal("0.75")
