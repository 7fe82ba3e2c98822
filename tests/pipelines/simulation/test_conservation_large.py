"""The large worlds keep the promises of the small ones: the same sums, counted by DuckDB."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from delivered import SEED, START, trade_dates

from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.world import simulate

TABLES = (
    "order_event", "trade", "position", "settlement", "member_fund", "client_fund",
    "bank_transfer", "quote_request", "title_transfer", "warehouse_receipt",
    "warehouse_loading", "contract",
)  # fmt: skip
WANTED = {
    "order_event": "trade_date, order_id, event_type, trade_id, side, price, lots, client_id, "
    "contract_id, exchange, reason",
}
"""The columns that are read of the one table with ten million rows a date."""
MISTAKES = {
    "legs differ in more than their side": """
        SELECT trade_date, trade_id FROM trade GROUP BY ALL
        HAVING count(*) <> 2 OR count(DISTINCT side) <> 2 OR count(DISTINCT price) <> 1
            OR count(DISTINCT lots) <> 1 OR count(DISTINCT contract_id) <> 1
            OR count(DISTINCT trade_time) <> 1""",
    "an order's lots are not all filled or removed": """
        SELECT trade_date, order_id FROM order_event GROUP BY ALL
        HAVING sum(CASE event_type WHEN 'NEW' THEN lots WHEN 'REJECT' THEN 0 ELSE -lots END) <> 0
            OR (count(*) > 1 AND bool_or(event_type = 'REJECT'))""",
    "fills are not the trades": """
        (SELECT trade_date, trade_id, order_id, side, price, lots FROM order_event
         WHERE event_type = 'FILL'
         EXCEPT ALL SELECT trade_date, trade_id, order_id, side, price, lots FROM trade)
        UNION ALL
        (SELECT trade_date, trade_id, order_id, side, price, lots FROM trade
         EXCEPT ALL SELECT trade_date, trade_id, order_id, side, price, lots FROM order_event
         WHERE event_type = 'FILL')""",
    "positions do not roll forward": """
        SELECT * FROM position WHERE lots < 0 OR lots <> prev_lots + open_lots - close_lots
            + transfer_in_lots - transfer_out_lots - delivery_lots - expiry_lots - forced_lots""",
    "positions are not carried over": """
        SELECT day, client_id, contract_id, hedge_flag, position_side, sum(n) FROM (
            SELECT number AS day, client_id, contract_id, hedge_flag, position_side, lots AS n
            FROM position JOIN dates USING (trade_date)
            UNION ALL
            SELECT number - 1, client_id, contract_id, hedge_flag, position_side, -prev_lots
            FROM position JOIN dates USING (trade_date))
        WHERE day BETWEEN 1 AND (SELECT max(number) - 1 FROM dates)
        GROUP BY ALL HAVING sum(n) <> 0""",
    "balances are not carried over": """
        SELECT day, who, sum(n) FROM (
            SELECT number AS day, client_id AS who, balance AS n
            FROM client_fund JOIN dates USING (trade_date)
            UNION ALL SELECT number - 1, client_id, -prev_balance
            FROM client_fund JOIN dates USING (trade_date)
            UNION ALL SELECT number, 'member ' || member_id, balance
            FROM member_fund JOIN dates USING (trade_date)
            UNION ALL SELECT number - 1, 'member ' || member_id, -prev_balance
            FROM member_fund JOIN dates USING (trade_date))
        WHERE day BETWEEN 1 AND (SELECT max(number) - 1 FROM dates)
        GROUP BY ALL HAVING sum(n) <> 0""",
    "opened and closed lots or fees are not the trades'": """
        SELECT trade_date, client_id, contract_id, sum(o), sum(c), sum(f) FROM (
            SELECT trade_date, client_id, contract_id, open_lots AS o, close_lots AS c, fee AS f
            FROM position
            UNION ALL
            SELECT trade_date, client_id, contract_id, CASE WHEN "offset" = 'O' THEN -lots ELSE 0
                END, CASE WHEN "offset" = 'O' THEN 0 ELSE -lots END, -fee FROM trade)
        GROUP BY ALL HAVING sum(o) <> 0 OR sum(c) <> 0 OR sum(f) <> 0""",
    "longs are not shorts, or not the open interest": """
        SELECT trade_date, contract_id FROM (
            SELECT trade_date, contract_id, CASE WHEN position_side = 'L' THEN lots ELSE 0 END AS l,
                CASE WHEN position_side = 'S' THEN lots ELSE 0 END AS s, 0 AS i FROM position
            UNION ALL SELECT trade_date, contract_id, 0, 0, open_interest_lots FROM settlement)
        GROUP BY ALL HAVING sum(l) <> sum(s) OR sum(l) <> sum(i)""",
    "volume, turnover or prices are not the trades'": """
        SELECT s.contract_id FROM settlement s JOIN (
            SELECT t.trade_date, t.contract_id, sum(t.lots) AS volume, max(price) AS high,
                min(price) AS low, sum(price * t.lots * c.multiplier) AS turnover
            FROM trade t JOIN (SELECT DISTINCT contract_id, multiplier FROM contract) c
            USING (contract_id) WHERE side = 'B' GROUP BY ALL) t
        USING (trade_date, contract_id)
        WHERE s.volume_lots <> t.volume OR s.turnover <> t.turnover OR s.high_price <> t.high
            OR s.low_price <> t.low OR t.high > s.upper_limit_price OR t.low < s.lower_limit_price
        UNION ALL
        SELECT contract_id FROM settlement s ANTI JOIN trade t USING (trade_date, contract_id)
        WHERE volume_lots > 0""",
    "profit or delivery payments do not sum to nothing": """
        SELECT trade_date, sum(close_profit + holding_profit), sum(delivery_payment)
        FROM member_fund GROUP BY ALL
        HAVING sum(close_profit + holding_profit) <> 0 OR sum(delivery_payment) <> 0""",
    "members' funds do not add up": """
        SELECT * FROM member_fund WHERE balance <> prev_balance + deposit - withdrawal
            + close_profit + holding_profit - fee - message_fee + delivery_payment""",
    "clients' funds do not add up": """
        SELECT * FROM client_fund WHERE balance <> prev_balance + deposit - withdrawal
            + close_profit + holding_profit - fee - message_fee + delivery_payment
            OR available < 0""",
    "members' figures are not their clients' and positions'": """
        SELECT trade_date, member_id FROM (
            SELECT trade_date, member_id, close_profit AS a, fee AS b, margin AS c,
                0 AS d, 0 AS e, 0 AS f, delivery_payment AS g, message_fee AS h FROM member_fund
            UNION ALL SELECT trade_date, member_id, -close_profit, -fee, -margin,
                close_profit, fee, margin, -delivery_payment, -message_fee FROM client_fund
            UNION ALL SELECT trade_date, member_id, 0, 0, 0, -close_profit, -fee, -margin, 0, 0
            FROM position)
        GROUP BY ALL
        HAVING greatest(abs(sum(a)), abs(sum(b)), abs(sum(c)), abs(sum(d)), abs(sum(e)),
                        abs(sum(f)), abs(sum(g)), abs(sum(h))) <> 0""",
    "message fees are not those of orders, cancels and quote requests": """
        WITH sent AS (
            SELECT trade_date, client_id, exchange, contract_id, 1 AS n, NULL AS met
            FROM order_event WHERE event_type = 'NEW'
                OR (event_type = 'CANCEL' AND reason IS DISTINCT FROM 'SESSION_END')
            UNION ALL SELECT trade_date, client_id, exchange, contract_id, 0, order_id
            FROM order_event WHERE event_type = 'FILL'
            UNION ALL SELECT trade_date, client_id, exchange, contract_id, 1, NULL
            FROM quote_request),
        counted AS (
            SELECT trade_date, client_id, exchange, sum(n) AS n,
                greatest(count(DISTINCT met), 1) AS met
            FROM sent GROUP BY trade_date, client_id, exchange, contract_id),
        priced AS (
            SELECT trade_date, client_id, sum(n) AS n, sum(CASE WHEN exchange = 'SHFE' THEN
                (greatest(least(n, 8000) - 4000, 0) * 0.5
                    + greatest(least(n, 40000) - 8000, 0) * 2.5 + greatest(n - 40000, 0) * 50)
                * CASE WHEN n <= 3 * met THEN 0.5 ELSE 1 END ELSE 0 END) AS fee
            FROM counted GROUP BY ALL)
        SELECT f.trade_date, f.client_id FROM client_fund f LEFT JOIN priced p
        USING (trade_date, client_id)
        WHERE f.message_fee <> coalesce(p.fee, 0)
            OR CAST(f.message_count AS BIGINT) <> coalesce(p.n, 0)""",
    "bank transfers are not the deposits and withdrawals": """
        SELECT trade_date, client_id FROM (
            SELECT trade_date, client_id, deposit AS i, withdrawal AS o FROM client_fund
            UNION ALL SELECT trade_date, client_id, CASE direction WHEN 'IN' THEN -amount ELSE 0
                END, CASE direction WHEN 'OUT' THEN -amount ELSE 0 END FROM bank_transfer)
        GROUP BY ALL HAVING sum(i) <> 0 OR sum(o) <> 0""",
    "receipts are not the published stock": """
        SELECT trade_date, commodity_id, warehouse FROM (
            SELECT trade_date, commodity_id, warehouse, net_weight AS kept, 0 AS moved
            FROM warehouse_receipt WHERE state <> 'CANCELLED'
            UNION ALL SELECT trade_date, commodity_id, warehouse, 0,
                CASE direction WHEN 'IN' THEN net_weight ELSE -net_weight END
            FROM warehouse_loading
            UNION ALL SELECT trade_date, commodity_id, warehouse, -stock, -change FROM stock)
        GROUP BY ALL HAVING sum(kept) <> 0 OR sum(moved) <> 0""",
    "delivered lots are not the receipts that passed": """
        SELECT trade_date, contract_id, client_id, side FROM (
            SELECT trade_date, contract_id, client_id, position_side AS side, delivery_lots AS n
            FROM position
            UNION ALL SELECT trade_date, contract_id, from_client_id, 'S', -lots
            FROM title_transfer WHERE transfer_reason = 'DELIVERY'
            UNION ALL SELECT trade_date, contract_id, to_client_id, 'L', -lots
            FROM title_transfer WHERE transfer_reason = 'DELIVERY')
        GROUP BY ALL HAVING sum(n) <> 0""",
}


FULL = pytest.mark.full
WORLDS = {"tiny": 2, "medium": 2, "exchange": 2, "year of small dates": 0}
"""Trade dates of each world, counted back from one that ends contracts; 0: all of 2026."""


@pytest.fixture(
    scope="module",
    params=["tiny", *(pytest.param(name, marks=FULL) for name in WORLDS if name != "tiny")],
)
def files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A world's deliveries as tables, amounts exact; one of its dates ends contracts."""
    root = tmp_path_factory.mktemp(request.param.split()[0])
    year = request.param.startswith("year")
    dates = year_of_trade_dates() if year else trade_dates(10)[-WORLDS[request.param] :]
    simulate(root / "inbox", dates, SEED, "small" if year else request.param)
    con = duckdb.connect(str(root / "files.duckdb"))
    load(con, root)
    yield con
    con.close()
    shutil.rmtree(root)  # a gigabyte and more


def year_of_trade_dates() -> tuple[date, ...]:
    """All trade dates of 2026."""
    return TradingCalendar.default().between(START, date(2026, 12, 31))


def load(con: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Read a home's deliveries into tables named after the datasets."""
    con.execute("SET memory_limit = '4GB'")
    con.execute(f"SET temp_directory = '{root}'")
    for name in TABLES:
        found = sorted((root / "inbox").rglob(f"{name}_2*.csv.gz"))
        columns = WANTED.get(name, "*")
        read = f"read_csv({[str(f) for f in found]}, types = {_types(found[0])}, "
        read += "header = true, quote = '')"
        con.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM {read}")
    con.execute("CREATE TABLE dates AS SELECT trade_date, row_number() OVER (ORDER BY trade_date) "
                "AS number FROM (SELECT DISTINCT trade_date FROM settlement)")  # fmt: skip
    con.execute("CREATE TABLE stock (trade_date VARCHAR, commodity_id VARCHAR, warehouse VARCHAR, "
                "stock DECIMAL(24,4), change DECIMAL(24,4))")  # fmt: skip
    rows = [
        {"d": body["report_date"], "c": r["VARID"], "w": r["WHABBRNAME"].split("$")[0],
         "s": Decimal(str(r["WRTWGHTS"])), "x": Decimal(str(r["WRTCHANGE"]))}
        for path in sorted((root / "inbox").rglob("*dailystock.dat"))
        for body in [json.loads(path.read_text("utf-8"))]
        for r in body["o_cursor"] if r["ROWSTATUS"] == "0"
    ]  # fmt: skip
    con.register("told", pa.Table.from_pylist(rows))
    con.execute("INSERT INTO stock SELECT d, c, w, s, x FROM told")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_sums_tie_at_every_scale(files: duckdb.DuckDBPyConnection, mistake: str) -> None:
    """Each query finds what would break a sum; it must find nothing."""
    assert files.execute(MISTAKES[mistake]).fetchmany(3) == []


def test_the_second_date_delivers(files: duckdb.DuckDBPyConnection) -> None:
    """What is checked is there: trades, payments, deliveries and receipts that moved."""
    for table in ("trade", "bank_transfer", "quote_request", "title_transfer", "warehouse_loading"):
        assert files.execute(f"SELECT count(*) > 0 FROM {table}").fetchall() == [(True,)]
    assert files.execute("SELECT sum(delivery_lots) > 0 FROM position").fetchall() == [(True,)]
    assert files.execute("SELECT sum(message_fee) > 0 FROM member_fund").fetchall() == [(True,)]


def _types(path: Path) -> dict[str, str]:
    """Exact types by column: whole lots, decimal amounts, everything else text."""
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        names = handle.readline().strip().split(",")
    amounts = (
        "margin", "profit", "fee", "balance", "deposit", "withdrawal", "payment", "available",
        "turnover", "amount", "price", "weight", "multiplier", "stock",
    )  # fmt: skip
    kinds = {}
    for name in names:
        if name == "lots" or name.endswith("_lots"):
            kinds[name] = "BIGINT"
        elif name.endswith(amounts):
            kinds[name] = "DECIMAL(24,4)" if name != "multiplier" else "DECIMAL(10,0)"
        else:
            kinds[name] = "VARCHAR"
    return kinds
