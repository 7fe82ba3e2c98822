"""Message fees follow the rule book, and the contract's rule asks for the same money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import numpy as np
import sqlglot

from contracts.catalogue import load_catalogue
from contracts.rule_book import Fee, load_rule_book
from pipelines.simulation.message_fees import fees_on, message_fee

DAY = date(2026, 1, 6)


def shfe() -> Fee:
    """SHFE's fee of the date."""
    return fees_on(load_rule_book(), DAY)["SHFE"]


def cents(messages: int, filled: int) -> int:
    """The fee of one client in one contract."""
    return int(message_fee(shfe(), np.array([messages]), np.array([filled]))[0])


def test_the_notices_own_example() -> None:
    """59,600 FAK orders without a fill are 119,200 messages and cost 4,042,000 yuan; who fills a
    third of what it sends pays half; the first 4,000 cost nothing."""
    assert cents(119_200, 0) == 404_200_000
    assert cents(4_000, 0) == 0
    assert cents(4_001, 0) == 50
    assert cents(9_000, 3_000) == (4_000 * 50 + 1_000 * 250) // 2
    assert cents(9_000, 2_999) == 4_000 * 50 + 1_000 * 250


def test_only_who_charges_from_when_it_charges() -> None:
    """SHFE from the trade date of the night session of 2022-08-04 on; INE's book has no fee."""
    book = load_rule_book()
    assert fees_on(book, date(2022, 8, 4)) == {}
    assert set(fees_on(book, date(2022, 8, 5))) == {"SHFE"}


def test_the_contracts_rule_asks_for_the_rule_books_money() -> None:
    """At both ends of every band, with and without fills, and in a contract of INE."""
    rule = next(r for r in load_catalogue()["silver.client_fund"].rules
                if r.id == "client_fund.messages.charged")  # fmt: skip
    cases = [
        (messages, filled)
        for end in (4_000, 8_000, 40_000)
        for messages in (end, end + 1)
        for filled in (0, 1, messages // 3, -(-messages // 3))
    ]
    with duckdb.connect() as con:
        con.execute("CREATE TABLE cases (client_id INT, n BIGINT, met BIGINT, fee DECIMAL(24,4))")
        for number, (n, met) in enumerate(cases):
            con.execute("INSERT INTO cases VALUES (?, ?, ?, ?)",
                        [number, n, met, Decimal(cents(n, met)) / 100])  # fmt: skip
        con.execute(f"""
            CREATE TABLE silver_order_event AS
            SELECT DATE '{DAY}' AS trade_date, e AS exchange, e || '2603' AS contract_id, client_id,
                   i AS order_id, 'NEW' AS event_type, NULL AS reason
            FROM cases, range(n) r(i), (VALUES ('SHFE'), ('INE')) x(e)
            UNION ALL
            SELECT DATE '{DAY}', 'SHFE', 'SHFE2603', client_id, i, 'FILL', NULL
            FROM cases, range(met) r(i), range(2)""")
        con.execute("CREATE TABLE silver_quote_request AS SELECT trade_date, exchange, "
                    "contract_id, client_id FROM silver_order_event LIMIT 0")  # fmt: skip
        con.execute(f"CREATE TABLE batch AS SELECT DATE '{DAY}' AS trade_date, client_id, "
                    "2 * n AS message_count, fee AS message_fee FROM cases")  # fmt: skip
        sql = sqlglot.transpile(str(rule.sql), read="spark", write="duckdb")[0]
        found = con.execute(sql).fetchall()
    assert len(found) == len(cases)
    assert [row for row in found if row[2] != row[3]] == []
