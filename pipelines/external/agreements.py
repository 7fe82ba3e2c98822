"""Facts that two independent sources tell: how many were compared and how many are equal.

``python -m pipelines.external.agreements --home lake-real`` prints the table of docs/real-data.md,
from the tables, without Spark. What differs stands in gold.source_disagreement, row by row.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.engine.settings import Settings, load_settings
from pipelines.external.ties import lake_views


@dataclass(frozen=True)
class Agreement:
    """One fact of two sources over a period (ISO dates): figures compared, and equal ones."""

    what: str
    first: str
    last: str
    compared: int
    equal: int


def agreements(settings: Settings) -> tuple[Agreement, ...]:
    """Every pair of sources that has anything to compare; normalised values, as in silver."""
    found = []
    with lake_views(settings) as lake:
        there = {row[0] for row in lake.execute("SELECT view_name FROM duckdb_views()").fetchall()}
        for what, needed, query in _PAIRS:
            if not there.issuperset(needed):
                continue
            row = lake.execute(
                "SELECT min(trade_date), max(trade_date), count(*), count(*) FILTER (same)"
                f" FROM ({query})"
            ).fetchone()
            if row is not None and row[2]:
                found.append(Agreement(what, str(row[0]), str(row[1]), int(row[2]), int(row[3])))
    return tuple(found)


def table(settings: Settings) -> Iterator[str]:
    """The agreements as Markdown."""
    yield "| fact, and who tells it | dates | compared | equal |"
    yield "|---|---|---:|---:|"
    for a in agreements(settings):
        period = a.first if a.first == a.last else f"{a.first} to {a.last}"
        yield f"| {a.what} | {period} | {a.compared:,} | {a.equal:,} |"


_SHOWN = """
    SELECT c.trade_date, bool_or({same}) AS same
    FROM silver_quote_continuous c
    JOIN {other} o ON o.trade_date = c.trade_date AND o.commodity_id = c.commodity_id
    WHERE {told} GROUP BY c.trade_date, c.commodity_id"""
_BOUNDS = "o.list_volume_lots BETWEEN c.volume_lots AND c.volume_lots * 2"
_LISTED = """
    SELECT o.trade_date, bool_or(c.contract_id IS NOT NULL) AS same
    FROM (
      SELECT DISTINCT trade_date, contract_id,
        regexp_replace(contract_id, '[0-9]+$', '') AS commodity_id FROM {other}
    ) o
    JOIN (
      SELECT commodity_id, min(delivery_month) AS first, min(valid_from) AS told
      FROM silver_contract WHERE data_source = 'FRONT_END_LIST' GROUP BY commodity_id
    ) l ON l.commodity_id = o.commodity_id AND o.trade_date < l.told
    LEFT JOIN silver_contract c
      ON c.contract_id = o.contract_id AND c.data_source = 'FRONT_END_LIST'
    WHERE right(o.contract_id, 4) >= right(l.first, 4) AND o.trade_date >= l.told - INTERVAL 1 YEAR
    GROUP BY o.trade_date, o.contract_id"""
_PAIRS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "registered receipts: a vendor's history, the exchange's published total",
        ("silver_receipt_total_daily",),
        """
        SELECT v.trade_date, v.stock = e.stock AS same
        FROM silver_receipt_total_daily v
        JOIN silver_receipt_total_daily e USING (trade_date, commodity_id)
        WHERE v.data_source = 'VENDOR_RECEIPT' AND e.data_source = 'EXCHANGE_STOCK'""",
    ),
    (
        "settlement price: a vendor's table of margins has a contract with that of its series",
        ("silver_quote_continuous", "silver_settlement_param"),
        _SHOWN.format(
            other="(SELECT * FROM silver_settlement_param WHERE data_source = 'VENDOR_PARAMETER')",
            same="o.settlement_price = c.settlement_price",
            told="c.settlement_price IS NOT NULL AND o.settlement_price IS NOT NULL",
        ),
    ),
    (
        "settlement price: sums over rankings, of the contract as large as the series",
        ("silver_quote_continuous", "silver_member_total_daily"),
        _SHOWN.format(
            other="silver_member_total_daily",
            same="o.settlement_price = c.settlement_price",
            told=f"c.settlement_price IS NOT NULL AND o.settlement_price IS NOT NULL AND {_BOUNDS}",
        ),
    ),
    (
        "settlement price: the exchange's parameters, its daily quotes",
        ("silver_quote_daily", "silver_settlement_param"),
        """
        SELECT q.trade_date, q.settlement_price = p.settlement_price AS same
        FROM silver_quote_daily q JOIN silver_settlement_param p USING (trade_date, contract_id)
        WHERE q.settlement_price IS NOT NULL AND p.settlement_price IS NOT NULL""",
    ),
    (
        "open, high, low, close together: the exchange has a contract with those of a series",
        ("silver_quote_continuous", "silver_quote_daily"),
        _SHOWN.format(
            other="(SELECT * FROM silver_quote_daily WHERE data_source = 'EXCHANGE_QUOTE')",
            same="(o.open_price, o.high_price, o.low_price, o.close_price)"
            " = (c.open_price, c.high_price, c.low_price, c.close_price)",
            told="o.open_price IS NOT NULL",
        ),
    ),
    (
        "close by contract: a vendor's closes by month, another one's list",
        ("silver_month_close", "silver_quote_listing"),
        """
        SELECT m.trade_date, m.close_price = l.close_price AS same
        FROM silver_month_close m JOIN silver_quote_listing l USING (trade_date, contract_id)
        WHERE l.close_price IS NOT NULL""",
    ),
    (
        "the same, cut to whole yuan (that list has lost its decimals)",
        ("silver_month_close", "silver_quote_listing"),
        """
        SELECT m.trade_date, trunc(m.close_price) = trunc(l.close_price) AS same
        FROM silver_month_close m JOIN silver_quote_listing l USING (trade_date, contract_id)
        WHERE l.close_price IS NOT NULL""",
    ),
    (
        "contracts that go on: a vendor's table of margins, a front end's list half a year later",
        ("silver_contract", "silver_settlement_param"),
        _LISTED.format(other="silver_settlement_param"),
    ),
    (
        "contracts that go on: recorded ticks, that list six weeks later",
        ("silver_contract", "silver_market_tick"),
        _LISTED.format(other="silver_market_tick"),
    ),
    (
        "multiplier and tick of a commodity: a front end's list, CTP's instruments",
        ("silver_contract",),
        """
        SELECT max(i.known_from) AS trade_date,
          bool_and((f.multiplier, f.tick_size) = (i.multiplier, i.tick_size)) AS same
        FROM silver_contract f JOIN silver_contract i USING (commodity_id)
        WHERE f.data_source = 'FRONT_END_LIST' AND i.data_source = 'CTP_INSTRUMENT'
        GROUP BY commodity_id""",
    ),
)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Facts that two sources tell.")
    parser.add_argument("--home", type=Path, required=True)
    for line in table(load_settings(environ={}, home=parser.parse_args().home)):
        print(line)
