"""A small market of members, generated: inputs of the member jobs, and the same rows in DuckDB."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from contracts.catalogue import load_catalogue
from pipelines.engine.calendar import TradingCalendar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, Any]
DAY = "2026-01-06"
CALENDAR = TradingCalendar.default()
EARLIER = [CALENDAR.previous(date.fromisoformat(DAY), n) for n in range(1, 21)]
VALID = {"valid_from": "2020-01-01", "known_from": "2020-01-01", "is_current": True}
CONTRACTS = ("cu2601", "cu2602", "cu2605", "al2605", "sc2603")
LONE = "0999"
"""A member without clients, funds or activity."""
DUCK = {"string": "VARCHAR", "int": "INTEGER"}


def dimensions(draw: random.Random) -> dict[str, list[Row]]:
    members = [
        {"member_id": f"{n:04d}", "short_name": f"会员{n}期货", "name_zh": f"会员{n}期货有限公司",
         "member_type": "FF" if n <= 26 else "NF", "status": "ACTIVE"} | VALID
        for n in (*range(1, 30), int(LONE))
    ]  # fmt: skip
    clients, groups = [], []
    for n in range(240):
        since = draw.choice(["2020-01-01", "2025-12-20"])
        clients.append(
            {"client_id": f"{n:08d}", "member_id": f"{1 + n % 29:04d}", "name": "n",
             "client_type": draw.choice(["RETAIL", "CORPORATE", "FUND", "PROGRAMME"]),
             "status": draw.choice(["ACTIVE"] * 6 + ["DORMANT", "CLOSED"]),
             "open_date": draw.choice(["2019-05-01", "2025-12-08", "2025-12-07", DAY]),
             "programme_reported": draw.random() < 0.2} | VALID | {"valid_from": since}
        )  # fmt: skip
        if n % 6 == 0:
            status = draw.choice(["REPORTED", "CONFIRMED", "SUSPECTED", "INQUIRY", "REJECTED"])
            groups += [
                {"group_id": f"G{n:03d}", "client_id": f"{each:08d}", "status": status} | VALID
                for each in (n, n + 1)
            ]
    contracts = [
        {"contract_id": c, "commodity_id": c[:2], "delivery_month": f"20{c[2:]}",
         "multiplier": 5 if c[:2] == "cu" else 1000} | VALID
        for c in CONTRACTS
    ]  # fmt: skip
    return {"silver.member": members, "silver.client": clients, "silver.control_group": groups,
            "silver.contract": contracts}  # fmt: skip


def activity(draw: random.Random, clients: Sequence[Row]) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {
        f"silver.{name}": [] for name in ("trade", "position", "client_fund")
    } | {"gold.client_day": []}
    for client in clients:
        if client["status"] == "CLOSED" or draw.random() < 0.15:
            continue
        who = {"trade_date": DAY, "member_id": client["member_id"],
               "client_id": client["client_id"]}  # fmt: skip
        balance = Decimal(draw.randint(-50_000, 9_000_000)) + Decimal("0.1234")
        margin = Decimal(draw.randint(0, 5_000_000))
        rows["silver.client_fund"].append(
            who | {"balance": balance, "margin": margin, "available": balance - margin}
        )
        for contract in draw.sample(CONTRACTS, draw.randint(1, 4)):
            key = who | {"contract_id": contract, "commodity_id": contract[:2]}
            legs = [
                key | {"trade_id": f"T{len(rows['silver.trade']) + n}", "lots": draw.randint(1, 90),
                       "side": draw.choice("BS"), "offset": draw.choice("OCT"),
                       "hedge_flag": draw.choice("SSHAM"),
                       "session": draw.choice(["NIGHT", "DAY"])}
                for n in range(draw.randint(0, 3))
            ]  # fmt: skip
            rows["silver.trade"] += [
                {k: v for k, v in leg.items() if k != "commodity_id"} for leg in legs
            ]
            held = {side: draw.randint(0, 120) for side in "LS"}
            for side, lots in held.items():
                rows["silver.position"].append(
                    {k: v for k, v in key.items() if k != "commodity_id"}
                    | {"position_side": side, "hedge_flag": "S", "lots": lots,
                       "prev_lots": draw.randint(0, 90), "forced_lots": draw.choice([0, 0, 2]),
                       "delivery_lots": draw.choice([0, 0, 5]),
                       "transfer_in_lots": draw.choice([0, 3]),
                       "transfer_out_lots": draw.choice([0, 2])}
                )  # fmt: skip
            lots = sum(leg["lots"] for leg in legs)
            orders = draw.randint(len(legs), 30)
            cancels = draw.randint(0, orders)
            opened = {s: sum(x["lots"] for x in legs if x["side"] == s and x["offset"] == "O")
                      for s in "BS"}  # fmt: skip
            rows["gold.client_day"].append(
                key | {"new_orders": orders, "cancels": cancels, "rejects": 0, "fills": len(legs),
                       "filled_orders": len(legs), "message_count": orders + cancels,
                       "traded_lots": lots, "turnover": lots * Decimal("71250.5"),
                       "bought_open_lots": opened["B"], "sold_open_lots": opened["S"],
                       "end_long_lots": held["L"], "end_short_lots": held["S"]}
            )  # fmt: skip
    return rows


def surveillance(draw: random.Random, clients: Sequence[Row], groups: Sequence[Row]) -> list[Row]:
    subjects = [("CLIENT", c["client_id"]) for c in clients] + [
        ("GROUP", g) for g in sorted({str(g["group_id"]) for g in groups})
    ]
    rules = ("self_trade", "frequent_cancel", "large_cancel", "intraday_open", "large_trader",
             "position_limit.general", "message_fee")  # fmt: skip
    return [
        {"trade_date": DAY, "exchange": "SHFE", "rule_id": f"SHFE.{rule}", "subject_kind": kind,
         "subject_id": subject, "contract_id": "cu2605",
         "result": draw.choice(["REACHED", "NEAR", "BELOW"]),
         "threshold_share": Decimal(draw.randint(0, 20000)) / 10000,
         "message_fee": Decimal(draw.randint(0, 90000)) / 4 if rule == "message_fee" else None}
        for kind, subject in subjects
        for rule in draw.sample(rules, 2)
    ]  # fmt: skip


def day_rows(day: str, draw: random.Random, client_day: Iterable[Row] | None = None) -> list[Row]:
    """gold.member_day of a date: sums of its clients, or anything plausible before."""
    members = [f"{n:04d}" for n in range(1, 30)]
    rows = []
    for member in members:
        mine = [r for r in client_day or () if r["member_id"] == member]
        lots = sum(r["traded_lots"] for r in mine) if mine else draw.choice([0, 40, 70])
        active = len(
            {r["client_id"] for r in mine if r["new_orders"] + r["rejects"] + r["traded_lots"]}
        )
        rows.append(
            {"trade_date": day, "member_id": member, "traded_lots": lots,
             "active_clients": active, "turnover": lots * Decimal("71250.5")}
        )  # fmt: skip
    for row in rows:
        row["volume_rank"] = 1 + sum(r["traded_lots"] > row["traded_lots"] for r in rows)
    return rows


@cache
def world(seed: int = 7) -> Mapping[str, list[Row]]:
    """Inputs of a date with ten stored dates before it, by product (``previous ...`` too)."""
    draw = random.Random(seed)
    given = dimensions(draw)
    clients, groups = given["silver.client"], given["silver.control_group"]
    given |= activity(draw, clients)
    given["gold.member_day"] = day_rows(DAY, draw, given["gold.client_day"])
    given["previous gold.member_day"] = [
        row for day in EARLIER[2:12] for row in day_rows(day.isoformat(), draw)
    ]
    given["silver.settlement"] = [
        {"trade_date": DAY, "contract_id": c, "prev_settlement_price": 100,
         "settlement_price": 100 + n - 2, "upper_limit_price": 108}
        for n, c in enumerate(CONTRACTS)
    ]  # fmt: skip
    given["gold.surveillance_day"] = surveillance(draw, clients, groups)
    given["gold.surveillance_alert"] = [
        {"trade_date": DAY, "alert_id": f"A{n}", "rule_id": r["rule_id"], "state": "CURRENT",
         "subject_id": r["subject_id"], "earlier_occurrences": draw.choice([0, 0, 2])}
        for n, r in enumerate(given["gold.surveillance_day"]) if r["result"] == "REACHED"
    ]  # fmt: skip
    given["silver.warehouse_receipt"] = [
        {"trade_date": DAY, "receipt_id": f"R{n}", "client_id": c["client_id"],
         "lots": draw.randint(1, 9), "state": draw.choice(["REGISTERED", "PLEDGED", "CANCELLED"])}
        for n, c in enumerate(clients[::5])
    ]  # fmt: skip
    given["previous gold.member_tag"] = [
        {"trade_date": day.isoformat(), "member_id": f"{n:04d}", "tag_id": tag,
         "value": Decimal(draw.randint(-(10**12), 10**12)) / 1000}
        for day in EARLIER[5:17] for n in range(1, 28)
        for tag in ("scale.turnover", "behaviour.cancel_ratio")
    ]  # fmt: skip
    return given


def in_duckdb(given: Mapping[str, Iterable[Row]]) -> DuckDBPyConnection:
    """The same rows as published tables; rows of the dates before stand beside the date's."""
    import duckdb

    connection = duckdb.connect()
    catalogue = load_catalogue()
    connection.execute("CREATE SCHEMA silver; CREATE SCHEMA gold")
    dates = (*EARLIER, CALENDAR.previous(EARLIER[-1], 1), date.fromisoformat(DAY))
    days = [{"calendar_date": d.isoformat(), "is_trade_date": True} for d in dates]
    tables: dict[str, list[Row]] = {"silver.calendar": days}
    for name, rows in given.items():
        tables.setdefault(name.removeprefix("previous "), []).extend(rows)
    for product, rows in tables.items():
        columns = catalogue[product].columns
        shape = ", ".join(f'"{c.name}" {DUCK.get(c.type, c.type)}' for c in columns)
        connection.execute(f"CREATE TABLE {product} ({shape})")
        if rows:
            texts = {c.name: [_text(row.get(c.name)) for row in rows] for c in columns}
            given = pa.table({name: pa.array(each, pa.string()) for name, each in texts.items()})
            connection.register("given", given)
            connection.execute(f"INSERT INTO {product} SELECT * FROM given")
    return connection


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
