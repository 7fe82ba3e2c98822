"""The named figures of a member and date, which the tag catalogue's expressions are written over.

Spark reads the pinned inputs, sums what is large (trades, positions, surveillance figures) and
hands over rows by member, by client, or by client and contract. What joins them is small, and runs
in DuckDB inside the job (docs/adr/0071-small-arithmetic.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from contracts.tag_catalogue import WINDOW
from pipelines.engine.local import collected

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from pyspark.sql import DataFrame

    from pipelines.engine.job import Inputs

AMOUNT = "DECIMAL(24,6)"
CONDUCT = "[.](self_trade|frequent_cancel|large_cancel|intraday_open|position_limit[.].*)$"
"""Rules whose figures are cases of abnormal trading; reports and fees that are due are none."""
NEW_DAYS = 30
"""Calendar days, the date included, in which an account counts as new, or as just closed."""

GATHERED = {
    "member_day": (
        "gold.member_day", "same",
        """SELECT trade_date, member_id, traded_lots, turnover, active_clients, volume_rank
           FROM {rows}""",
    ),
    "earlier": (
        "gold.member_day", "previous",
        """SELECT trade_date, _for_interval AS on_date, member_id, traded_lots, turnover,
             volume_rank FROM {rows}""",
    ),
    "client_day": (
        "gold.client_day", "same",
        """SELECT trade_date, member_id, client_id, contract_id, commodity_id, traded_lots,
             turnover, new_orders, cancels, filled_orders, message_count, bought_open_lots,
             sold_open_lots, end_long_lots, end_short_lots FROM {rows}""",
    ),
    "trades": (
        "silver.trade", "same",
        """SELECT trade_date, member_id, sum(if(offset = 'T', lots, 0)) AS today_lots,
             sum(if(session = 'NIGHT', lots, 0)) AS night_lots,
             sum(if(hedge_flag = 'H', lots, 0)) AS hedge_lots,
             sum(if(hedge_flag = 'A', lots, 0)) AS arbitrage_lots,
             sum(if(hedge_flag = 'M', lots, 0)) AS making_lots
           FROM {rows} GROUP BY trade_date, member_id""",
    ),
    "positions": (
        "silver.position", "same",
        """SELECT trade_date, member_id, count(*) AS position_rows,
             sum(if(position_side = 'L', prev_lots, -prev_lots)) AS prev_net_lots,
             sum(forced_lots) AS forced_lots, sum(delivery_lots) AS delivery_lots,
             sum(transfer_in_lots) AS transfer_in_lots, sum(transfer_out_lots) AS transfer_out_lots
           FROM {rows} GROUP BY trade_date, member_id""",
    ),
    "funds": (
        "silver.client_fund", "same",
        """SELECT trade_date, member_id, count(*) AS fund_accounts,
             CAST(sum(balance) AS DECIMAL(28,4)) AS client_equity,
             CAST(sum(margin) AS DECIMAL(28,4)) AS client_margin,
             count_if(available < 0) AS call_accounts, count_if(balance < 0) AS negative_accounts
           FROM {rows} GROUP BY trade_date, member_id""",
    ),
    "settlement": (
        "silver.settlement", "same",
        """SELECT trade_date, contract_id, settlement_price - prev_settlement_price AS move,
             upper_limit_price - prev_settlement_price AS limit_move FROM {rows}""",
    ),
    "surveillance": (
        "gold.surveillance_day", "same",
        f"""SELECT trade_date, subject_id, count_if(found) AS cases,
             count_if(found AND rule_id LIKE '%.self_trade') AS self_trade_cases,
             count_if(found AND rule_id LIKE '%_cancel') AS cancel_cases,
             count_if(found AND (limited OR rule_id LIKE '%.intraday_open')) AS position_cases,
             CAST(sum(if(own, message_fee, 0)) AS DECIMAL(28,4)) AS message_fee,
             max(if(own AND limited, threshold_share, NULL)) AS limit_use,
             count_if(own AND limited AND threshold_share IS NOT NULL) AS limit_rows
           FROM (SELECT *, result = 'REACHED' AND rule_id RLIKE '{CONDUCT}' AS found,
               subject_kind = 'CLIENT' AS own, rule_id RLIKE '[.]position_limit[.]' AS limited
             FROM {{rows}}) GROUP BY trade_date, subject_id""",
    ),
    "alerts": (
        "gold.surveillance_alert", "same",
        f"""SELECT trade_date, subject_id, earlier_occurrences FROM {{rows}}
           WHERE state = 'CURRENT' AND rule_id RLIKE '{CONDUCT}'""",
    ),
    "receipts": (
        "silver.warehouse_receipt", "same",
        """SELECT trade_date, client_id, sum(lots) AS lots FROM {rows} WHERE state <> 'CANCELLED'
           GROUP BY trade_date, client_id""",
    ),
}  # fmt: skip
"""Table in DuckDB -> product, how it is read, and what Spark hands over."""
DIMENSIONS = {
    "member": ("silver.member", "member_id, member_type, short_name, name_zh, name_en, status"),
    "client": ("silver.client",
               "client_id, member_id, client_type, status, open_date, programme_reported"),
    "groups": ("silver.control_group", "group_id, client_id, status"),
    "contract": ("silver.contract", "contract_id, delivery_month, multiplier"),
}  # fmt: skip
"""Table in DuckDB (rows once per wanted date, as ``on_date``) -> dimension and its columns."""

BY_CLIENT = """
SELECT trade_date, member_id, client_id, sum(traded_lots) AS lots, sum(turnover) AS turnover,
  sum(new_orders) AS new_orders, sum(cancels) AS cancels, sum(filled_orders) AS filled_orders,
  sum(message_count) AS messages, sum(bought_open_lots) AS bought_open,
  sum(sold_open_lots) AS sold_open, sum(end_long_lots) AS long, sum(end_short_lots) AS short,
  row_number() OVER (PARTITION BY trade_date, member_id ORDER BY sum(traded_lots) DESC, client_id)
    AS place
FROM client_day GROUP BY trade_date, member_id, client_id
"""
BY_CONTRACT = """
SELECT trade_date, member_id, contract_id, sum(end_long_lots - end_short_lots) AS net,
  sum(end_long_lots + end_short_lots) AS held,
  sum(abs(end_long_lots - end_short_lots)) AS client_net
FROM client_day GROUP BY trade_date, member_id, contract_id
"""
BY_COMMODITY = """
SELECT trade_date, member_id, commodity_id, sum(traded_lots) AS lots,
  sum(end_long_lots + end_short_lots) AS held,
  sum(sum(end_long_lots + end_short_lots)) OVER (PARTITION BY trade_date, commodity_id) AS market
FROM client_day GROUP BY trade_date, member_id, commodity_id
"""
SUBJECTS = """
SELECT on_date, client_id AS subject_id, member_id FROM client
UNION
SELECT g.on_date, g.group_id, c.member_id FROM groups g
JOIN client c ON c.on_date = g.on_date AND c.client_id = g.client_id
WHERE g.status IN ('REPORTED', 'CONFIRMED')
"""
WINDOW_SQL = """
SELECT e.on_date AS trade_date, b.back, e.member_id, e.traded_lots, e.turnover, e.volume_rank
FROM earlier e JOIN backs b ON b.day = e.trade_date AND b.on_date = e.on_date
UNION ALL
SELECT trade_date, 0, member_id, traded_lots, turnover, volume_rank FROM member_day
"""
MEMBERS = """
SELECT on_date AS trade_date, member_id, member_type FROM member WHERE status <> 'CLOSED'
UNION
SELECT d.trade_date, d.member_id, m.member_type FROM member_day d
LEFT JOIN member m ON m.on_date = d.trade_date AND m.member_id = d.member_id
"""

SOURCES = {
    "days": (
        "member_day",
        {"active_clients": "sum(active_clients)", "volume_rank": "max(volume_rank)"},
    ),
    "clients": (
        f"""(SELECT d.*, c.client_type, c.programme_reported, g.client_id IS NOT NULL AS grouped
           FROM ({BY_CLIENT}) d
           LEFT JOIN client c ON c.on_date = d.trade_date AND c.client_id = d.client_id
           LEFT JOIN (SELECT DISTINCT on_date, client_id FROM groups
             WHERE status IN ('REPORTED', 'CONFIRMED')) g
             ON g.on_date = d.trade_date AND g.client_id = d.client_id)""",
        {
            "lots": "sum(lots)",
            "turnover": "sum(turnover)",
            "trading_clients": "count_if(lots > 0)",
            "top5_lots": "sum(if(place <= 5, lots, 0))",
            "client_sq": "sum(lots * lots)",
            "corporate_lots": "sum(if(client_type = 'CORPORATE', lots, 0))",
            "fund_lots": "sum(if(client_type = 'FUND', lots, 0))",
            "programme_lots": "sum(if(client_type = 'PROGRAMME' OR programme_reported, lots, 0))",
            "group_lots": "sum(if(grouped, lots, 0))",
            "new_orders": "sum(new_orders)",
            "cancels": "sum(cancels)",
            "filled_orders": "sum(filled_orders)",
            "messages": "sum(messages)",
            "bought_open_lots": "sum(bought_open)",
            "sold_open_lots": "sum(sold_open)",
            "long_lots": "sum(long)",
            "short_lots": "sum(short)",
            "open_lots": "sum(long + short)",
        },
    ),
    "contracts": (
        f"""(SELECT d.*, k.delivery_month, s.move, s.limit_move * k.multiplier AS limit_move
           FROM ({BY_CONTRACT}) d
           LEFT JOIN settlement s ON s.trade_date = d.trade_date AND s.contract_id = d.contract_id
           LEFT JOIN contract k ON k.on_date = d.trade_date AND k.contract_id = d.contract_id)""",
        {
            "contract_net_lots": "sum(abs(net))",
            "moved_lots": "sum(if(move <> 0, abs(net), 0))",
            "with_move_lots": "sum(if(move <> 0 AND sign(net) = sign(move), abs(net), 0))",
            "stress_loss": "sum(client_net * limit_move)",
            "near_lots": "sum(if(delivery_month <="
            " strftime(trade_date + INTERVAL 1 MONTH, '%Y%m'), held, 0))",
        },
    ),
    "commodities": (
        f"({BY_COMMODITY})",
        {
            "commodity_sq": "sum(lots * lots)",
            "top_commodity_share": f"max(if(held > 0, CAST(held / market AS {AMOUNT}), NULL))",
        },
    ),
    "trades": (
        "trades",
        {f"{name}_lots": f"sum({name}_lots)"
         for name in ("today", "night", "hedge", "arbitrage", "making")},
    ),
    "positions": (
        "positions",
        {name: f"sum({name})"
         for name in ("position_rows", "prev_net_lots", "forced_lots", "delivery_lots",
                      "transfer_in_lots", "transfer_out_lots")},
    ),
    "funds": (
        "funds",
        {name: f"sum({name})"
         for name in ("fund_accounts", "client_equity", "client_margin", "call_accounts",
                      "negative_accounts")},
    ),
    "accounts": (
        "(SELECT *, on_date AS trade_date FROM client)",
        {
            "accounts": "count_if(status <> 'CLOSED')",
            "new_accounts": "count_if(status <> 'CLOSED' AND open_date <= trade_date"
            f" AND open_date > trade_date - {NEW_DAYS})",
            "dormant_accounts": "count_if(status = 'DORMANT')",
            "closed_accounts": "count_if(status = 'CLOSED' AND"
            f" valid_from > trade_date - {NEW_DAYS})",
        },
    ),
    "groups": (
        """(SELECT DISTINCT g.on_date AS trade_date, c.member_id, g.group_id,
             g.status IN ('SUSPECTED', 'INQUIRY') AS open FROM groups g
           JOIN client c ON c.on_date = g.on_date AND c.client_id = g.client_id
           WHERE g.status <> 'REJECTED')""",
        {
            "known_groups": "count(DISTINCT group_id)",
            "open_groups": "count(DISTINCT if(open, group_id, NULL))",
        },
    ),
    "receipts": (
        """(SELECT r.trade_date, coalesce(c.member_id, '') AS member_id, r.lots FROM receipts r
           LEFT JOIN client c ON c.on_date = r.trade_date AND c.client_id = r.client_id)""",
        {"receipt_lots": "sum(lots)"},
    ),
    "surveillance": (
        f"""(SELECT s.*, a.member_id FROM surveillance s
           JOIN ({SUBJECTS}) a ON a.on_date = s.trade_date AND a.subject_id = s.subject_id)""",
        {name: f"sum({name})"
         for name in ("cases", "self_trade_cases", "cancel_cases", "position_cases", "message_fee",
                      "limit_rows")} | {"limit_use": "max(limit_use)"},
    ),
    "alerts": (
        f"""(SELECT s.*, a.member_id FROM alerts s
           JOIN ({SUBJECTS}) a ON a.on_date = s.trade_date AND a.subject_id = s.subject_id)""",
        {"alerts": "count(*)", "repeats": "count_if(earlier_occurrences > 0)"},
    ),
    "past": (
        f"({WINDOW_SQL})",
        {
            "window_dates": "count(*)",
            "window_active_dates": "count_if(traded_lots > 0)",
            "window_recency": "min(if(traded_lots > 0, back, NULL))",
            "window_lots": "sum(traded_lots)",
            "window_turnover": "sum(turnover)",
            "window_rank": "sum(volume_rank)",
            "window_rank_sq": "sum(volume_rank * volume_rank)",
        },
    ),
}  # fmt: skip
"""Source -> its rows, and figure -> aggregate over the rows of one member and date."""
MARKET = {
    "market_lots": "lots",
    "market_open_lots": "open_lots",
    "market_delivery_lots": "delivery_lots",
    "market_receipt_lots": "receipt_lots",
}
"""Figure of all members -> the figure it sums."""
UNKNOWN = frozenset(
    {"volume_rank", "top_commodity_share", "client_equity", "client_margin", "stress_loss",
     "receipt_lots", "message_fee", "limit_use", "window_recency"}
)  # fmt: skip
"""Figures that stay null where no row speaks of the member: no funds are not funds of zero."""
NAMES = tuple(name for _, named in SOURCES.values() for name in named)
FIGURES = frozenset(NAMES) | frozenset(MARKET)


def backs_frame(inputs: Inputs) -> DataFrame:
    """Trade dates of the window before each interval: ``(day, on_date, back)``, back from 1."""
    rows = [
        f"(DATE'{inputs.calendar.previous(date.fromisoformat(interval), back)}',"
        f" DATE'{interval}', {back})"
        for interval in inputs.intervals
        for back in range(1, WINDOW + 1)
    ]
    return inputs.spark.sql(f"SELECT * FROM VALUES {', '.join(rows)} AS v(day, on_date, back)")


def dimension_frame(inputs: Inputs, name: str) -> DataFrame:
    """A dimension's rows that are valid on any wanted date."""
    product, columns = DIMENSIONS[name]
    return inputs.spark.sql(
        f"SELECT {columns}, valid_from, valid_to FROM {{rows}} "
        f"WHERE valid_from <= DATE'{max(inputs.intervals)}' "
        f"AND (valid_to IS NULL OR valid_to > DATE'{min(inputs.intervals)}')",
        rows=inputs.read(product),
    )


def hand_over(
    inputs: Inputs, connection: DuckDBPyConnection, frames: Mapping[str, DataFrame]
) -> None:
    """Let Spark collect small frames and give them to DuckDB under their names, dimensions once
    per wanted date on which a row is valid."""
    days = ", ".join(f"(DATE '{interval}')" for interval in inputs.intervals)
    for name, rows in collected(frames).items():
        connection.register(f"rows_{name}" if name in DIMENSIONS else name, rows)
        if name in DIMENSIONS:
            connection.execute(
                f"CREATE TEMP TABLE {name} AS SELECT v.on_date, d.* FROM rows_{name} d "
                f"JOIN (VALUES {days}) v(on_date) "
                "ON d.valid_from <= v.on_date AND (d.valid_to IS NULL OR d.valid_to > v.on_date)"
            )


def gathered_frames(inputs: Inputs) -> dict[str, DataFrame]:
    """Every input of the figures, summed by Spark to what DuckDB is given, under its names."""
    frames = {"backs": backs_frame(inputs)}
    frames |= {name: dimension_frame(inputs, name) for name in DIMENSIONS}
    for name, (product, how, sql) in GATHERED.items():
        read = inputs.read(product, "previous" if how == "previous" else "same")
        frames[name] = inputs.spark.sql(sql, rows=read)
    return frames


def figures_sql() -> str:
    """SELECT over the gathered tables: one row per member (type and every name of ``FIGURES``) and
    wanted date. Members: those of the reference data that are not closed, and all with funds or
    activity."""
    parts, joins, columns = [], [], []
    for source, (rows, made) in SOURCES.items():
        named = ", ".join(f"CAST({sql} AS {AMOUNT}) AS {name}" for name, sql in made.items())
        totals = "".join(
            f", sum({of}) OVER (PARTITION BY trade_date) AS {total}"
            for total, of in MARKET.items()
            if of in made
        )
        parts.append(
            f"f_{source} AS (SELECT *{totals} FROM (SELECT trade_date, member_id, {named} "
            f"FROM {rows} GROUP BY trade_date, member_id))"
        )
        joins.append(
            f"LEFT JOIN f_{source} ON f_{source}.trade_date = m.trade_date "
            f"AND f_{source}.member_id = m.member_id"
        )
        columns += [name if name in UNKNOWN else f"coalesce({name}, 0) AS {name}" for name in made]
    market = [f"max({total}) OVER (PARTITION BY m.trade_date) AS {total}" for total in MARKET]
    return (
        f"WITH {', '.join(parts)} SELECT m.trade_date, m.member_id, m.member_type, "
        f"{', '.join(columns + market)} FROM ({MEMBERS}) m {' '.join(joins)}"
    )


def frame_of(inputs: Inputs, made: pa.Table) -> DataFrame:
    """A table of the contract's columns as Spark rows."""
    columns = inputs.contract.columns
    return inputs.spark.createDataFrame(
        made.select([column.name for column in columns]),
        ", ".join(f"{column.name} {column.type}" for column in columns),
    )
