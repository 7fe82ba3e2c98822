"""Reference products: from delivered changes and lists to published rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

pytestmark = pytest.mark.spark
RunJob = Callable[..., list[Any]]


def change(interval: str, row: int, **fields: str | None) -> dict[str, Any]:
    return {
        "_interval": interval, "_sequence": 1, "_row_number": row, "_delivery_id": f"d-{interval}",
        "change_type": "A", "valid_from": interval.replace("-", ""), **fields,
    }  # fmt: skip


CLIENT = {
    "client_id": "10000001", "member_id": "0001", "client_type": "RETAIL", "name": "虚构甲",
    "status": "ACTIVE", "open_date": "20200101", "identity_hash": "ab" * 8, "phone": "1",
    "programme_reported": "N",
}  # fmt: skip


def test_a_client_change_closes_the_version_before(run_job: RunJob) -> None:
    """Promise: a delivered change is a new version from its date, and the old one ends there."""
    from pipelines.reference.client import client

    rows = run_job(
        client,
        {
            "bronze.client": [
                change("2026-01-05", 1, **CLIENT),
                change("2026-01-06", 1, **CLIENT | {"phone": "2", "change_type": "U"}),
            ]
        },
    )
    chain = sorted(
        (r["phone"], r["valid_from"], r["valid_to"], r["is_current"])
        for r in rows
        if r["known_to"] is None
    )
    assert chain == [
        ("1", date(2026, 1, 5), date(2026, 1, 6), False),
        ("2", date(2026, 1, 6), None, True),
    ]
    believed = [r for r in rows if r["known_to"] == date(2026, 1, 6)]
    assert [(r["phone"], r["valid_to"]) for r in believed] == [("1", None)]
    assert all(r["programme_reported"] is False and r["_unparsed"] is None for r in rows)


def test_a_wrong_code_does_not_end_a_client(run_job: RunJob) -> None:
    """Promise: a change that breaks a rule is set apart; the version before it continues."""
    from pipelines.reference.client import client

    rows = run_job(
        client,
        {
            "bronze.client": [
                change("2026-01-05", 1, **CLIENT),
                change("2026-01-06", 1, **CLIENT | {"status": "ASLEEP", "change_type": "U"}),
                change("2026-01-06", 2, **CLIENT | {"client_id": "1", "change_type": "U"}),
                change("2026-01-06", 3, **CLIENT | {"change_type": "U", "valid_from": "soon"}),
            ]
        },
    )
    assert [(r["status"], r["valid_to"]) for r in rows if r["known_to"] is None] == [
        ("ACTIVE", None)
    ]
    apart = [r for r in rows if r["known_to"] is not None]
    assert len(apart) == 3
    assert all(r["known_from"] == r["known_to"] for r in apart)
    assert [r["_unparsed"] for r in apart if r["_unparsed"]] == ["valid_from"]


def test_contracts_come_from_change_files_and_from_lists(run_job: RunJob) -> None:
    """Promise: a front end's list fills the same chains; other exchanges' contracts stay out."""
    from pipelines.reference.contract import contract

    record = (
        '{"instrument_id": "ec2602", "exchange_id": "%s", "product_id": "ec", '
        '"delivery_year": 2026, "delivery_month": 2, "volume_multiple": 50, "price_tick": 0.1, '
        '"open_date": "20250225", "expire_date": "20260209", "max_limit_order_volume": 500}'
    )
    listed = {"change_type": None, "valid_from": None, "delivery_month": "2"}
    delivered = {
        "contract_id": "cu2603", "commodity_id": "cu", "exchange": "SHFE",
        "delivery_month": "202603", "list_date": "20250317", "last_trade_date": "20260316",
        "multiplier": "5", "tick_size": "10",
    }  # fmt: skip
    rows = run_job(
        contract,
        {
            "bronze.contract": [
                change("2026-01-05", 1, **delivered),
                change("2025-12-26", 1, record=record % "INE", **listed),
                change("2025-12-26", 2, record=record % "CZCE", **listed),
            ]
        },
    )
    found = {r["contract_id"]: r for r in rows}
    assert set(found) == {"cu2603", "ec2602"}
    ec = found["ec2602"]
    assert (ec["exchange"], ec["delivery_month"], ec["multiplier"], ec["tick_size"]) == (
        "INE", "202602", Decimal(50), Decimal("0.1"),
    )  # fmt: skip
    assert (ec["valid_from"], ec["last_trade_date"]) == (date(2025, 2, 25), date(2026, 2, 9))
    assert (ec["data_source"], ec["max_limit_order_lots"]) == ("CTP_INSTRUMENT", 500)
    assert found["cu2603"]["valid_from"] == date(2026, 1, 5)
    assert found["cu2603"]["data_source"] == "EXCHANGE_REFERENCE"


def test_a_list_of_contracts_in_capitals_fills_the_same_chains(run_job: RunJob) -> None:
    """Promise: the list of 2019 gives dates and multipliers, no ticks; its continuous series enter
    no chain and are left for the rule on codes."""
    from pipelines.reference.contract import contract

    old = {
        "change_type": None, "valid_from": None, "commodity_id": "CU", "exchange": "SHFE",
        "list_date": "2007-06-19", "last_trade_date": "2008-06-16", "multiplier": "5",
    }  # fmt: skip
    rows = run_job(
        contract,
        {
            "bronze.contract": [
                change("2019-04-09", 1, contract_id="CU0806", symbol="铜0806", **old),
                change("2019-04-09", 2, contract_id="IF1107", symbol="沪深1107",
                       **{**old, "exchange": "CFFEX"}),
                change("2019-04-09", 3, contract_id="CU88", symbol="铜主力连续",
                       **{**old, "list_date": "0000-00-00"}),
            ]
        },
    )  # fmt: skip
    found = {r["contract_id"]: r for r in rows}
    assert set(found) == {"cu0806", "cu88"}
    cu = found["cu0806"]
    assert (cu["commodity_id"], cu["delivery_month"], cu["tick_size"]) == ("cu", "200806", None)
    assert (cu["valid_from"], cu["last_trade_date"]) == (date(2007, 6, 19), date(2008, 6, 16))
    assert (cu["name_zh"], cu["data_source"]) == ("铜0806", "VENDOR_CONTRACT")
    series = found["cu88"]
    assert series["known_to"] == series["known_from"], "no chain"
    assert "list_date" in series["_unparsed"]


def test_a_list_without_dates_tells_what_it_can(run_job: RunJob) -> None:
    """Promise: contracts of a list without dates hold from the list's own date, with the terms of
    the newest list of commodities until then; nobody invents when they were first traded."""
    from pipelines.reference.contract import contract

    listed = (
        '{"name": "沪铜2204", "code": "cu2204", "exchg": "%s", "product": "cu",'
        ' "maxlimitqty": 500, "maxmarketqty": 30}'
    )
    terms = '{"name": "沪铜", "exchg": "SHFE", "volscale": %d, "pricetick": 10}'
    blank = {"change_type": None, "valid_from": None}
    rows = run_job(
        contract,
        {
            "bronze.contract": [
                change("2022-03-31", 1, section="SHFE.cu2204", record=listed % "SHFE", **blank),
                change("2022-03-31", 2, section="DCE.cu2204", record=listed % "DCE", **blank),
            ],
            "bronze.commodity": [
                change("2022-01-04", 1, section="SHFE.cu", record=terms % 5, **blank),
                change("2021-01-04", 1, section="SHFE.cu", record=terms % 4, **blank),
                change("2023-01-04", 1, section="SHFE.cu", record=terms % 6, **blank),
            ],
        },
    )
    (cu,) = rows
    assert (cu["contract_id"], cu["name_zh"]) == ("cu2204", "沪铜2204")
    assert (cu["exchange"], cu["delivery_month"]) == ("SHFE", "202204")
    assert (cu["valid_from"], cu["known_from"]) == (date(2022, 3, 31), date(2022, 3, 31))
    assert (cu["list_date"], cu["last_trade_date"], cu["data_source"]) == (
        None, None, "FRONT_END_LIST",
    )  # fmt: skip
    assert (cu["multiplier"], cu["tick_size"]) == (Decimal(5), Decimal(10))
    assert (cu["max_limit_order_lots"], cu["max_market_order_lots"]) == (500, 30)


def test_a_commodity_list_names_its_night_session(run_job: RunJob) -> None:
    """Promise: codes of a list become the words of the contract, unknown figures stay null."""
    from pipelines.reference.commodity import commodity

    record = (
        '{"category": 1, "pricetick": 0.02, "volscale": 1000, "name": "沪金", "exchg": "SHFE", '
        '"session": "FN0230"}'
    )
    listed = {"change_type": None, "valid_from": None, "category": "1", "section": "SHFE.au"}
    row = run_job(
        commodity, {"bronze.commodity": [change("2022-01-04", 1, record=record, **listed)]}
    )[0]
    assert (row["commodity_id"], row["night_session_end"], row["category"]) == ("au", "02:30", None)
    assert (row["valid_from"], row["fee_rate"]) == (date(2022, 1, 4), None)


def test_hours_come_from_three_lists_and_hold_from_their_dates(run_job: RunJob) -> None:
    """Promise: 21:01, 100 and 25:00:00 are the same clock; a list holds from its own date."""
    from pipelines.reference.commodity import commodity
    from pipelines.reference.session import session

    instrument = (
        '{"instrument_id": "cu2603", "exchange_id": "SHFE", "product_id": "cu", '
        '"volume_multiple": 5, "price_tick": 10.0}'
    )
    named = '{"name": "沪铜", "exchg": "SHFE", "session": "FN0100", "volscale": 5, "pricetick": 10}'
    blank = {"change_type": None, "valid_from": None}
    world = {
        "bronze.session": [
            change("2025-12-26", 1, section="cu.day", record='[["09:00:00", "10:15:00"]]'),
            change("2025-12-26", 2, section="cu.night", record='[["21:00:00", "25:00:00"]]'),
            change("2022-01-04", 1, section="FN0100.sections",
                   record='[{"from": 2100, "to": 100}, {"from": 900, "to": 1015}]'),
        ],
        "bronze.commodity": [
            change("2022-01-04", 1, section="SHFE.cu", record=named, **blank)
        ],
        "bronze.contract": [
            change("2025-12-26", 1, record=instrument, **blank),
            change("2019-04-09", 1, contract_id="CU0806", commodity_id="CU", symbol="铜0806",
                   exchange="SHFE", list_date="2007-06-19",
                   trading_hours="21:01-01:00,09:01-10:15", **blank),
        ],
        "bronze.commodity_fee": [
            change("2022-01-04", 1, section="SHFE.cu.open", record="5e-05"),
            change("2022-01-04", 2, section="SHFE.cu.closetoday", record="0.0001"),
            change("2022-01-04", 3, section="SHFE.cu.byvolume", record="false"),
        ],
    }  # fmt: skip
    for product in ("bronze.session", "bronze.commodity_fee"):
        for row in world[product]:
            del row["change_type"], row["valid_from"]
    hours = run_job(session, world, intervals=("all",))
    assert {(r["day_hours"], r["night_hours"]) for r in hours} == {("09:00-10:15", "21:00-01:00")}
    current = [r["valid_from"] for r in hours if r["is_current"]]
    assert current == [date(2025, 12, 26)]
    known = {r["valid_from"]: r for r in run_job(commodity, world, intervals=("all",))
             if r["known_to"] is None}  # fmt: skip
    first, last = known[date(2022, 1, 4)], known[date(2025, 12, 26)]
    assert (first["fee_rate"], first["close_today_fee_factor"]) == (Decimal("0.00005"), Decimal(2))
    assert first["night_session_end"] == last["night_session_end"] == "01:00"
    assert (last["name_zh"], last["fee_rate"]) == ("沪铜", Decimal("0.00005")), (
        "kept as told before"
    )


def test_the_last_calendar_delivery_tells(run_job: RunJob) -> None:
    """Promise: later deliveries correct dates, bare lists get their neighbours, bad dates stay."""
    from pipelines.reference.calendar import calendar

    def day(interval: str, number: int, text: str, **fields: str) -> dict[str, Any]:
        return {
            "_interval": interval, "_sequence": 1, "_row_number": number,
            "_delivery_id": f"d-{interval}", "calendar_date": text, **fields,
        }  # fmt: skip

    night = {"is_trade_date": "1", "has_night_session": "1"}
    rows = run_job(
        calendar,
        {
            "bronze.calendar": [
                day("2025-12-26", 1, "20260105"),
                day("2025-12-26", 2, "20260106"),
                day("2026-01-06", 1, "20260106", **night),
                day("2026-01-06", 2, "yesterday", **night),
            ]
        },
    )
    found = {r["calendar_date"]: r for r in rows}
    assert found[date(2026, 1, 5)]["next_trade_date"] == date(2026, 1, 6)
    assert found[date(2026, 1, 5)]["is_trade_date"] is True
    assert found[date(2026, 1, 5)]["has_night_session"] is None
    assert found[date(2026, 1, 6)]["has_night_session"] is True
    assert found[None]["_unparsed"] == "calendar_date"


def test_a_commodity_without_hours_is_told() -> None:
    """Promise: what a list names and the hours of its date lack is found; older hours are none."""
    from tests.pipelines.judged import DAY, broken

    listed = '{"product_id": "%s", "exchange_id": "SHFE"}'
    named = '{"exchg": "%s"}'

    def world(*lacking: str) -> dict[str, list[dict[str, Any]]]:
        held = [c for c in ("ao", "cu", "au") if c not in lacking]
        return {
            "silver.session": [
                *({"commodity_id": c, "known_from": DAY} for c in held),
                *({"commodity_id": c, "known_from": date(2022, 1, 4)} for c in lacking),
            ],
            "bronze.contract": [{"record": listed % c, "_interval": DAY} for c in ("ao", "cu")],
            "bronze.commodity": [
                {"section": "SHFE.au", "record": named % "SHFE", "_interval": DAY},
                {"section": "DCE.m", "record": named % "DCE", "_interval": DAY},
            ],
        }

    rule = "session.commodities.listed"
    assert broken("silver.session", world(), only=rule) == set()
    assert broken("silver.session", world("ao"), only=rule) == {rule}
    assert broken("silver.session", world("au"), only=rule) == {rule}


def test_contracts_have_dates_unless_their_list_has_none() -> None:
    """Promise: only a front end's list may leave both dates out."""
    from tests.pipelines.judged import DAY, broken

    def failing(source: str, first: date | None, last: date | None) -> bool:
        row = {"data_source": source, "list_date": first, "last_trade_date": last}
        return bool(broken("silver.contract", {"silver.contract": [row]}, "contract.dates.given"))

    assert not failing("FRONT_END_LIST", None, None)
    assert failing("FRONT_END_LIST", DAY, None)
    assert failing("EXCHANGE_REFERENCE", None, DAY)
    assert failing("CTP_INSTRUMENT", None, None)
    assert not failing("CTP_INSTRUMENT", DAY, DAY)
