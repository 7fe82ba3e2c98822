"""Surveillance figures and alerts of tiny days: exemptions, groups, rejected rows, evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

pytestmark = pytest.mark.spark
RunJob = Callable[..., list[Any]]
Row = dict[str, Any]

DAY = "2026-01-05"
AT = "2026-01-05T02:00:00"
CONTRACT: Row = {
    "contract_id": "cu2605", "commodity_id": "cu", "exchange": "SHFE", "delivery_month": "202605",
    "valid_from": "2025-03-17", "known_from": "2026-01-05",
}  # fmt: skip
COMMODITY: Row = {
    "commodity_id": "cu", "exchange": "SHFE", "position_limit_general": 100,
    "intraday_open_limit": 40, "valid_from": "2020-01-01", "known_from": "2026-01-05",
}  # fmt: skip


def order(number: str, client: str, kind: str, **more: Any) -> Row:
    return {
        "trade_date": DAY, "exchange": "SHFE", "contract_id": "cu2605", "order_id": number,
        "client_id": client, "event_time": AT, "hedge_flag": "S", "order_type": "LIMIT",
        "event_type": kind, "lots": 1, "reason": "CLIENT" if kind == "CANCEL" else None,
    } | more  # fmt: skip


def cancels(client: str, count: int, **more: Any) -> list[Row]:
    return [order(f"{client}{n}", client, "CANCEL", **more) for n in range(count)]


def trades(buyer: str, seller: str, count: int, *, name: str = "", **more: Any) -> list[Row]:
    base: Row = {"trade_date": DAY, "exchange": "SHFE", "contract_id": "cu2605", "offset": "C",
                 "hedge_flag": "S", "lots": 1}  # fmt: skip
    return [
        base | {"trade_id": f"{buyer}{seller}{name}{n}", "side": side, "client_id": who} | more
        for n in range(count)
        for side, who in (("B", buyer), ("S", seller))
    ]


def held(client: str, lots: int, side: str = "L", **more: Any) -> Row:
    return {
        "trade_date": DAY, "exchange": "SHFE", "contract_id": "cu2605", "client_id": client,
        "hedge_flag": "S", "position_side": side, "lots": lots,
    } | more  # fmt: skip


def tie(group: str, client: str, **more: Any) -> Row:
    return {
        "group_id": group, "client_id": client, "relation": "HOLDER", "status": "REPORTED",
        "valid_from": "2025-01-01", "known_from": "2025-01-01",
    } | more  # fmt: skip


def delivered(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Silver and bronze of the same rows."""
    lineage = [r | {"_delivery_id": "d", "_row_number": n} for n, r in enumerate(rows)]
    names = ("contract_id", "client_id", "lots", "event_type", "offset", "position_side")
    bronze = [
        {k: str(r[k]) for k in names if k in r and r[k] is not None}
        | {"_delivery_id": "d", "_row_number": r["_row_number"], "_interval": DAY}
        for r in lineage
    ]
    return lineage, bronze


def world(rejected: Mapping[str, list[Row]] | None = None, **given: list[Row]) -> dict[str, Any]:
    """Inputs of the job; ``rejected``: rows that were delivered and are not published."""
    made: dict[str, Any] = {
        "silver.contract": [CONTRACT], "silver.commodity": [COMMODITY],
        "silver.client": given.pop("client", []),
        "silver.control_group": given.pop("control_group", []),
    }  # fmt: skip
    for name in ("order_event", "trade", "position", "quote_request"):
        kept = given.get(name, [])
        all_rows = kept + (rejected or {}).get(name, [])
        silver, bronze = delivered(all_rows)
        made[f"silver.{name}"], made[f"bronze.{name}"] = silver[: len(kept)], bronze
    return made


def figures(run_job: RunJob, given: dict[str, Any], rule: str) -> dict[str, Any]:
    from pipelines.surveillance.surveillance_day import surveillance_day

    rows = run_job(surveillance_day, given)
    return {r.subject_id: r for r in rows if r.rule_id == f"SHFE.{rule}"}


def results(found: dict[str, Any]) -> dict[str, tuple[int, str]]:
    return {subject: (row.figure, row.result) for subject, row in found.items()}


def test_each_exemption_is_left_out_and_told(run_job: RunJob) -> None:
    """Promise: hedging, market making, FAK, FOK, reported programmes don't count, each is kept."""
    events = [
        *cancels("h", 500, hedge_flag="H"), *cancels("m", 500, hedge_flag="M"),
        *cancels("k", 500, order_type="FAK"), *cancels("o", 500, order_type="FOK"),
        *cancels("a", 500, hedge_flag="A"), *cancels("e", 500, reason="SESSION_END"),
    ]  # fmt: skip
    reported = {
        "client_id": "h", "programme_reported": True, "valid_from": "2025-01-01",
        "known_from": "2025-01-01",
    }  # fmt: skip
    given = world(order_event=events, client=[reported])
    found = figures(run_job, given, "frequent_cancel")
    assert results(found) == {
        "h": (0, "BELOW"), "m": (0, "BELOW"), "k": (0, "BELOW"), "o": (0, "BELOW"),
        "a": (500, "REACHED"),
    }  # fmt: skip
    names = {"h": "hedging", "m": "market_making", "k": "fak", "o": "fok"}
    assert all(found[who][f"exempt_{name}"] == 500 for who, name in names.items())
    bursts = figures(run_job, given, "programme_report")
    assert (bursts["h"].figure, bursts["h"].exempt_reported, bursts["m"].figure) == (0, 1, 1)


def test_a_control_group_counts_as_one_client(run_job: RunJob) -> None:
    """Promise: members' acts add up, trades between them are self-trades, while tied."""
    ties = [
        tie("g", "a"), tie("g", "b"), tie("old", "a", valid_to="2026-01-05"),
        tie("no", "a", status="SUSPECTED"), tie("no", "b", status="SUSPECTED"),
    ]  # fmt: skip
    given = world(
        order_event=cancels("a", 300) + cancels("b", 200),
        trade=trades("a", "b", 4) + trades("a", "a", 1) + trades("a", "z", 9),
        position=[held("a", 60), held("b", 41), held("b", 90, "S"), held("a", 99, hedge_flag="H")],
        control_group=ties,
    )
    assert results(figures(run_job, given, "self_trade")) == {
        "a": (1, "BELOW"),
        "g": (5, "REACHED"),
    }
    assert results(figures(run_job, given, "frequent_cancel"))["g"] == (500, "REACHED")
    group = figures(run_job, given, "position_limit.general")["g"]
    assert (group.figure, group.result, group.exempt_hedging) == (101, "REACHED", 99)


def test_the_worked_example_costs_exactly_as_published(run_job: RunJob) -> None:
    """Promise: 59,600 unfilled FAKs are 119,200 messages at CNY 4,042,000 (SHFE's own example)."""
    events = [
        order(str(n), "p", kind, order_type="FAK")
        for n in range(59_600)
        for kind in ("NEW", "CANCEL")
    ]
    # One client more: a FAK filled in full is one message, one filled in part two, a limit order
    # cancelled at the close one, and each request for a quote one.
    events += [order("f", "q", kind, order_type="FAK") for kind in ("NEW", "FILL")]
    events += [order("g", "q", kind, order_type="FAK") for kind in ("NEW", "FILL", "CANCEL")]
    events += [order("l", "q", "NEW"), order("l", "q", "CANCEL", reason="SESSION_END")]
    asked = [
        {"trade_date": DAY, "exchange": "SHFE", "contract_id": "cu2605", "client_id": "q",
         "request_id": n, "request_time": AT} for n in range(3)
    ]  # fmt: skip
    found = figures(run_job, world(order_event=events, quote_request=asked), "message_fee")
    row, other = found["p"], found["q"]
    assert (row.figure, row.order_to_trade_ratio) == (119_200, Decimal("119199.0000"))
    assert row.message_fee == Decimal("4042000.0000")
    assert (other.figure, other.filled_orders, other.message_fee) == (7, 2, 0)


def test_rejected_rows_make_a_subject_undecided_not_innocent(run_job: RunJob) -> None:
    """Promise: who would cross with the quarantined rows is undecided; completeness is shown."""
    given = world(
        order_event=cancels("a", 499) + cancels("b", 490),
        rejected={"order_event": cancels("a", 1) + cancels("b", 9)},
    )
    found = figures(run_job, given, "frequent_cancel")
    assert results(found) == {"a": (499, "UNDECIDED"), "b": (490, "NEAR")}
    assert {row.missing_rows for row in found.values()} == {10}


def test_a_burst_is_a_window_that_slides_and_its_orders_are_the_evidence(run_job: RunJob) -> None:
    """Promise: ten messages within a second count wherever the clock's second begins; a duty is
    no misconduct; the evidence is the orders of busy windows, and none besides."""
    from pipelines.surveillance.surveillance_alert import surveillance_alert
    from pipelines.surveillance.surveillance_day import surveillance_day

    def burst(client: str, minute: int, *, last: str, group: int = 10) -> list[Row]:
        moments = [f"2026-01-05T05:{minute:02}:00.{500 + n * 50}" for n in range(group - 1)]
        return [
            order(f"{client}{minute}.{n}", client, "NEW", event_time=at)
            for n, at in enumerate([*moments, f"2026-01-05T05:{minute:02}:01.{last}"])
        ]

    events = [e for minute in range(10) for e in burst("a", minute, last="499999")]
    events += [e for minute in range(10) for e in burst("b", minute, last="500000")]
    events += [e for minute in range(9) for e in burst("c", minute, last="4")]
    events += burst("c", 30, last="4", group=5) + burst("d", 30, last="4", group=5)
    events += [
        order(f"quiet{n}", "a", "NEW", event_time=f"2026-01-05T06:00:{n:02}") for n in (1, 9)
    ]
    ties = [tie("g", "c"), tie("g", "d"), tie("g", "d", relation="SPOUSE", valid_from="2025-02-01")]
    given = world(order_event=events, control_group=ties)
    rows = run_job(surveillance_day, given)
    found = {r.subject_id: r for r in rows if r.rule_id == "SHFE.programme_report"}
    assert results(found) == {"a": (10, "REACHED"), "c": (9, "NEAR"), "g": (10, "REACHED")}
    given["gold.surveillance_day"] = [r.asDict() for r in rows]
    alerts = {a.subject_id: a for a in run_job(surveillance_alert, given)}
    assert {who: a.nature for who, a in alerts.items()} == {"a": "DUTY", "g": "DUTY"}
    assert "misconduct" in alerts["a"].explanation_en
    assert [alerts[who].evidence_count for who in ("a", "g")] == [100, 100]
    assert "quiet" not in alerts["a"].evidence_keys


def test_an_alert_carries_evidence_history_and_the_next_measure(run_job: RunJob) -> None:
    """Promise: same id for the same finding, its orders as evidence, and the measure rises."""
    from pipelines.surveillance.surveillance_alert import surveillance_alert
    from pipelines.surveillance.surveillance_day import surveillance_day

    given = world(
        trade=trades("a", "a", 6) + trades("a", "a", 1, name="h", hedge_flag="H"),
    )
    given["gold.surveillance_day"] = [r.asDict() for r in run_job(surveillance_day, given)]
    given["previous gold.surveillance_day"] = [
        r | {"trade_date": day}
        for r in given["gold.surveillance_day"]
        for day in (date(2025, 12, 31), date(2025, 1, 2))  # the second is before the window
    ]
    [alert] = [a for a in run_job(surveillance_alert, given) if a.rule_id == "SHFE.self_trade"]
    assert (alert.figure, alert.evidence_count) == (6, 6)
    assert alert.evidence_keys == ",".join(f"aa{n}" for n in range(6))
    assert "cu2605" in alert.explanation_en
    assert "自成交" in alert.explanation_zh
    assert (alert.earlier_occurrences, alert.next_measure) == (
        1, "watch list",
    )  # fmt: skip
