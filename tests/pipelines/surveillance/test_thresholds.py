"""Every threshold of the rule book, at one below, at and one above, with each exemption.

One draw is a whole market: every rule of both exchanges meets every distance and every reason not
to count, each in clients or control groups of their own, mixed in a way that hypothesis chooses.
One run of the job counts it, and the naive counter judges every figure of every subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from naive import count, fees, findings

pytestmark = [pytest.mark.spark, pytest.mark.slow]
Row = dict[str, Any]
DAY = date(2026, 1, 5)
START = datetime(2026, 1, 5, 1)
GENERAL, OPENS = 120, 40
"""The commodities' general position limit and intraday opening limit, in lots."""
CONTRACTS = {
    ("SHFE", "GENERAL"): "cu2605", ("SHFE", "MONTH_BEFORE"): "cu2602",
    ("SHFE", "DELIVERY"): "cu2601", ("INE", "GENERAL"): "sc2605",
}  # fmt: skip
RULES = {
    "self_trade": 5, "frequent_cancel": 500, "large_cancel": 50, "intraday_open": OPENS + 1,
    "large_trader": GENERAL, "position_limit.general": GENERAL + 1,
    "position_limit.month_before": 3001, "position_limit.delivery": 1001, "programme_report": 10,
}  # fmt: skip
"""The figure from which each rule speaks."""
DATASETS = ("order_event", "trade", "position", "quote_request", "control_group", "client")
REASONS = {
    "self_trade": ("H", "M", "FAK", "FOK", "other client"),
    "frequent_cancel": ("H", "M", "FAK", "FOK", "SESSION_END"),
    "large_cancel": ("H", "M", "FAK", "FOK", "SESSION_END", "small"),
    "intraday_open": ("H", "M", "close"),
    "programme_report": ("REPORTED", "slow"),
}
"""What keeps an act from counting, per rule; a hedge flag for positions."""


@dataclass(frozen=True)
class Case:
    """A subject that does ``counted`` acts that count and ``exempt`` that do not, for a reason."""

    exchange: str
    rule: str
    counted: int
    reason: str | None
    exempt: int
    grouped: bool
    split: int
    """Acts of the group's first client; the second does the rest."""


@dataclass
class Market:
    """Rows of a day, as the jobs read them: typed, one list per dataset."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in DATASETS})
    at: dict[str, int] = field(default_factory=dict)
    """How many acts each subject has done: its clock."""

    def event(self, where: Row, client: str, kind: str, **more: Any) -> Row:
        """An order event at a moment of its own, ten seconds after the subject's last one."""
        subject = client.rstrip("abr")
        tick = self.at[subject] = self.at.get(subject, 0) + 1
        row = where | {
            "trade_date": DAY, "client_id": client, "event_type": kind, "hedge_flag": "S",
            "order_type": "LIMIT", "lots": 300, "reason": "CLIENT" if kind == "CANCEL" else None,
            "event_time": START + timedelta(seconds=10 * tick), "order_id": f"{client}.{tick}",
        } | more  # fmt: skip
        self.rows["order_event"].append(row)
        return row

    def leg(self, fill: Row, side: str, offset: str) -> None:
        """One leg of a trade."""
        names = ("trade_date", "exchange", "contract_id", "client_id", "hedge_flag", "lots")
        leg = {n: fill[n] for n in (*names, "order_id", "trade_id")}
        self.rows["trade"].append(leg | {"side": side, "offset": offset})


def play(market: Market, name: str, case: Case) -> None:
    """Let a subject act."""
    clients = [f"{name}a", f"{name}b"] if case.grouped else [name]
    if case.grouped:
        market.rows["control_group"] += [
            {"group_id": f"{name}g", "client_id": c, "relation": "HOLDER", "status": "REPORTED",
             "valid_from": date(2025, 1, 1)} for c in clients
        ]  # fmt: skip
    if case.reason == "REPORTED":
        market.rows["client"].append(
            {"client_id": f"{name}r", "programme_reported": True, "valid_from": date(2025, 1, 1)}
        )
        if case.grouped:
            tie = market.rows["control_group"][-1]
            market.rows["control_group"].append(tie | {"client_id": f"{name}r"})
    phase = case.rule.partition(".")[2].upper() or "GENERAL"
    where = {"exchange": case.exchange, "contract_id": CONTRACTS[case.exchange, phase]}
    act = ACTS.get(case.rule)
    if act is None:
        hold(market, where, clients[0], case.counted, None)
        hold(market, where, clients[-1], case.exempt, case.reason)
        return
    for n in range(case.counted):
        who = clients[0] if n < case.split else clients[-1]
        act(market, where, who, clients[n % len(clients)], None)
    for n in range(case.exempt):
        who = f"{name}r" if case.reason == "REPORTED" else clients[n % len(clients)]
        act(market, where, who, who, case.reason)


def self_trade(market: Market, where: Row, who: str, other: str, reason: str | None) -> None:
    """The subject with itself; for a reason, one leg of another kind, or of somebody else."""
    number = f"{who}{len(market.rows['trade'])}"
    more: Row = {"lots": 1, "trade_id": number}
    kind = {"hedge_flag": reason} if reason in ("H", "M") else {}
    kind |= {"order_type": reason} if reason in ("FAK", "FOK") else {}
    other = "elsewhere" if reason == "other client" else other
    market.leg(market.event(where, who, "FILL", **more), "B", "C")
    market.leg(market.event(where, other, "FILL", **more | kind), "S", "C")


def cancel(market: Market, where: Row, who: str, _: str, reason: str | None) -> None:
    """A cancellation of 300 lots; for a reason, one that does not count."""
    more = {
        "H": {"hedge_flag": "H"}, "M": {"hedge_flag": "M"}, "FAK": {"order_type": "FAK"},
        "FOK": {"order_type": "FOK"}, "SESSION_END": {"reason": "SESSION_END"},
        "small": {"lots": 299}, None: {},
    }[reason]  # fmt: skip
    market.event(where, who, "CANCEL", **more)


def small_cancel(market: Market, where: Row, who: str, other: str, reason: str | None) -> None:
    """A cancellation too small for the rule on large ones."""
    cancel(market, where, who, other, reason)
    market.rows["order_event"][-1]["lots"] = 1


def opened(market: Market, where: Row, who: str, _: str, reason: str | None) -> None:
    """A leg of one lot against a market maker who closes."""
    flag, offset = (reason or "S", "O") if reason != "close" else ("S", "C")
    number = f"{who}{len(market.rows['trade'])}"
    fill = market.event(where, who, "FILL", lots=1, hedge_flag=flag, trade_id=number)
    market.leg(fill, "B", offset)
    market.leg(market.event(where, "maker", "FILL", lots=1, trade_id=number), "S", "C")


def burst(market: Market, where: Row, who: str, _: str, reason: str | None) -> None:
    """Ten messages within a second; slow: the tenth comes just when the second is over."""
    first = market.event(where, who, "NEW")
    for n in range(1, 10):
        late = timedelta(microseconds=1_000_000 if reason == "slow" and n == 9 else 111_111 * n)
        market.event(where, who, "NEW", event_time=first["event_time"] + late)


def hold(market: Market, where: Row, who: str, lots: int, flag: str | None) -> None:
    """A closing position, long; as many lots on the other side never add to it."""
    base = where | {"trade_date": DAY, "client_id": who, "hedge_flag": flag or "S"}
    for side, held in (("L", lots), ("S", lots // 2)):
        market.rows["position"].append(base | {"position_side": side, "lots": held})


Act = Callable[..., None]
ACTS: dict[str, Act] = {
    "self_trade": self_trade, "frequent_cancel": small_cancel, "large_cancel": cancel,
    "intraday_open": opened, "programme_report": burst,
}  # fmt: skip


@st.composite
def markets(draw: st.DrawFn) -> list[Case]:
    """Every rule, distance and reason; what hypothesis chooses is how the acts are spread."""
    cases = []
    for exchange, phase in CONTRACTS:
        for rule, reached_from in RULES.items():
            if (rule.partition(".")[2].upper() or "GENERAL") != phase:
                continue
            for reason in (None, *REASONS.get(rule, ("H", "M"))):
                for off in (-1, 0, 1):
                    counted = reached_from + off
                    few = st.sampled_from((1, 2, 12))
                    cases.append(Case(
                        exchange, rule, counted, reason,
                        exempt=0 if reason is None else draw(few),
                        grouped=draw(st.booleans()), split=draw(st.integers(0, counted)),
                    ))  # fmt: skip
    return cases


def text(row: Row) -> dict[str, str]:
    """A row as it is delivered."""
    words = {True: "Y", False: "N", None: ""}
    return {
        key: f"{value:%Y%m%d}" if type(value) is date
        else value.isoformat() if isinstance(value, datetime)
        else words[value] if value is None or isinstance(value, bool) else str(value)
        for key, value in row.items()
    }  # fmt: skip


def inputs_of(market: Market) -> tuple[dict[str, list[Row]], dict[str, list[dict[str, str]]]]:
    """What the job reads, and the same rows as delivered."""
    since = {"valid_from": date(2020, 1, 1)}
    dimensions: dict[str, list[Row]] = {
        "commodity": [
            since | {"commodity_id": c, "exchange": e, "position_limit_general": GENERAL,
                     "intraday_open_limit": OPENS}
            for c, e in (("cu", "SHFE"), ("sc", "INE"))
        ],
        "contract": [
            since | {"contract_id": c, "commodity_id": c[:2], "exchange": exchange,
                     "delivery_month": f"20{c[2:]}"}
            for (exchange, _), c in CONTRACTS.items()
        ],
    }  # fmt: skip
    delivered = {
        name: [text(row) | {"change_type": "A"} for row in rows]
        for name, rows in (market.rows | dimensions).items()
    }
    given = {
        f"silver.{name}": [row | {"known_from": date(2020, 1, 1)} for row in rows]
        for name, rows in (dimensions | {
            n: market.rows[n] for n in ("client", "control_group")
        }).items()
    }  # fmt: skip
    kept = ("contract_id", "client_id", "lots", "event_type", "offset", "position_side")
    for name in ("order_event", "trade", "position", "quote_request"):
        rows = [r | {"_delivery_id": "d", "_row_number": n} for n, r in
                enumerate(market.rows[name])]  # fmt: skip
        given[f"silver.{name}"] = rows
        given[f"bronze.{name}"] = [
            {k: str(r[k]) for k in kept if r.get(k) is not None}
            | {"_delivery_id": "d", "_row_number": n, "_interval": str(DAY)}
            for n, r in enumerate(rows)
        ]
    return given, delivered


def subject(row: Any) -> tuple[str, str, str]:
    return row.rule_id.partition(".")[2], row.subject_id, row.contract_id


def expected(cases: Iterable[Case]) -> dict[tuple[str, str, str], int]:
    """Each case's own figure under its own rule, as it was planned."""
    found = {}
    for number, case in enumerate(cases):
        phase = case.rule.partition(".")[2].upper() or "GENERAL"
        place = CONTRACTS[case.exchange, phase] if case.rule != "programme_report" else "ALL"
        found[case.rule, f"c{number}{'g' if case.grouped else ''}", place] = case.counted
    return found


@given(cases=markets())
@settings(
    max_examples=3, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_every_rule_speaks_from_its_threshold_whatever_is_exempt(
    run_job: Callable[..., list[Any]], cases: list[Case]
) -> None:
    """Promise: at threshold - 1 silence, at the threshold and above an alert, for every rule, for
    clients and groups, beside acts that are exempt or do not count: no miss and no false alarm."""
    from pipelines.surveillance.surveillance_day import surveillance_day

    market = Market()
    for number, case in enumerate(cases):
        play(market, f"c{number}", case)
    given, delivered = inputs_of(market)
    rows = run_job(surveillance_day, given)
    alerting = [r for r in rows if not r.rule_id.endswith("message_fee")]
    figures = {subject(r): r.figure for r in alerting if r.figure}
    naive, planned = count(delivered.__getitem__, DAY), expected(cases)
    assert figures == naive
    assert {who: naive.get(who, 0) for who in planned} == planned
    reached = {subject(r) for r in alerting if r.result == "REACHED"}
    assert reached == findings(delivered.__getitem__, DAY, naive)
    assert reached & set(planned) == {who for who, n in planned.items() if n >= RULES[who[0]]}
    exempted = {
        subject(r): r.exempt_hedging + r.exempt_market_making + r.exempt_fak + r.exempt_fok
        + r.exempt_reported for r in alerting
    }  # fmt: skip
    for case, who in zip(cases, planned, strict=True):
        told = case.reason in ("H", "M", "FAK", "FOK")
        told |= case.reason == "REPORTED" and case.grouped
        assert exempted[who] == (case.exempt * told), (case, who)


def message_cases() -> Iterable[tuple[int, int]]:
    """Messages and orders with a fill, around the first band's end and the ratio of two."""
    return ((n, filled) for n in (3999, 4000, 4001) for filled in (0, 1333, 1334))


def test_the_fee_begins_with_the_first_message_past_the_free_ones(
    run_job: Callable[..., list[Any]],
) -> None:
    """Promise: 4,000 messages are free, the next costs half a yuan, half that at a ratio of two."""
    from pipelines.surveillance.surveillance_day import surveillance_day

    market = Market()
    where = {"exchange": "SHFE", "contract_id": "cu2605"}
    for number, (messages, filled) in enumerate(message_cases()):
        for _ in range(messages - 1):
            market.event(where, f"c{number}", "NEW")
        asked = where | {"trade_date": DAY, "client_id": f"c{number}", "request_time": START}
        market.rows["quote_request"].append(asked | {"request_id": number})
        for n in range(filled):
            market.event(where, f"c{number}", "FILL", order_id=f"c{number}.{n}")
    given, delivered = inputs_of(market)
    rows = [r for r in run_job(surveillance_day, given) if r.rule_id == "SHFE.message_fee"]
    found = {
        (r.subject_id, r.contract_id): (r.figure, r.filled_orders, r.message_fee) for r in rows
    }
    assert found == fees(delivered.__getitem__, DAY)
    paid = [float(found[f"c{n}", "cu2605"][2]) for n in range(9)]
    assert paid == [0, 0, 0, 0, 0, 0, 0.5, 0.5, 0.25]
