"""Measure publishing over stored days, and what a client's questions cost.

``python -m benchmarks.publishing [--days 5 250] [--query-days 60]`` prints JSON. The lake is
synthetic: real contracts, made-up rows written by delta-rs (one commit per table for the stored
days, one for each further day), ledger rows to match, no Spark. For each number of stored days
the file is built once, then three more days come, one after the other: seconds of wall time and of
CPU (median of the three), and beside them the seconds of copying the file's bytes alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
from deltalake import write_deltalake

from catalog.copying import copy_file
from catalog.publish import Publication, publish, published_path
from catalog.query import open_published
from contracts.catalogue import Catalogue
from contracts.load import load_catalogue
from contracts.model import Column, Contract
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.ledgers import INTERVAL, Ledgers
from pipelines.engine.rows import IntervalRow
from pipelines.engine.settings import Settings

ROWS = {"silver.trade": 10_000, "gold.client_day": 2_000, "gold.market_daily": 300}
"""Rows a day of each product that gets any; all others of the audience are there and empty."""
CLIENTS = 400
FURTHER = 3
FIRST = date(2024, 1, 2)
QUESTIONS = {
    "a client's day": """
        FROM gold.client_day WHERE client_id = $client AND trade_date = $day""",
    "a client's whole period, by contract": """
        SELECT contract_id, sum(traded_lots), sum(message_count), sum(fee) FROM gold.client_day
        WHERE client_id = $client GROUP BY contract_id ORDER BY 2 DESC""",
    "who traded with the client, all dates": """
        SELECT o.client_id, count(*) AS trades, sum(o.lots) AS lots
        FROM silver.trade t JOIN silver.trade o
          ON o.trade_date = t.trade_date AND o.trade_id = t.trade_id AND o.side <> t.side
        WHERE t.client_id = $client GROUP BY o.client_id ORDER BY trades DESC LIMIT 20""",
    "who trades in the same second, five dates": """
        SELECT o.client_id, count(*) AS times FROM silver.trade t JOIN silver.trade o
          ON o.trade_date = t.trade_date AND o.contract_id = t.contract_id
         AND date_trunc('second', o.trade_time) = date_trunc('second', t.trade_time)
        WHERE t.client_id = $client AND o.client_id <> t.client_id AND t.trade_date > $since
        GROUP BY o.client_id ORDER BY times DESC LIMIT 20""",
}


@dataclass(frozen=True)
class SyntheticLake:
    """A lake that grows by days."""

    settings: Settings
    catalogue: Catalogue

    def add(self, days: Sequence[date]) -> None:
        """Write days of every product with rows, one commit each, and their ledger rows."""
        rows = []
        for product, count in ROWS.items():
            contract = self.catalogue[product]
            path = Path(self.settings.table(product).uri)
            there = path.exists()
            write_deltalake(
                str(path), _rows(contract, days, count),
                mode="append", partition_by=None if there else ["trade_date"],
            )  # fmt: skip
            rows += [
                IntervalRow(
                    product=product, interval=day.isoformat(), state="published", run_id="r",
                    batch_id=f"{product}-{day}", job_version=1, schema_fingerprint="s",
                    contract_version=contract.version, rules_fingerprint="r",
                    decisions_fingerprint="", committed_at=datetime.now(UTC), fingerprint="f",
                    delta_version=0, built=count, accepted=count,
                )
                for day in days
            ]  # fmt: skip
        Ledgers(self.settings.ops, self.settings.locks).append((INTERVAL, rows))


def _rows(contract: Contract, days: Sequence[date], count: int) -> Any:
    """Made-up rows of a contract as an Arrow table; ids repeat over the days."""
    columns = ", ".join(f"{_value(c)} AS {c.name}" for c in contract.columns)
    between = ", ".join(f"DATE '{day}'" for day in days)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(
            f"SELECT {columns} FROM (SELECT unnest([{between}]) AS day) d, range({count}) r(i)"
        ).to_arrow_table()


def _value(column: Column) -> str:
    special = {
        "trade_date": "day",
        "client_id": f"printf('%08d', hash(i, day) % {CLIENTS})",
        "contract_id": "'cu26' || printf('%02d', i % 12 + 1)",
        "trade_id": "'T' || (i // 2)",
        "side": "CASE i % 2 WHEN 0 THEN 'B' ELSE 'S' END",
    }
    if column.name in special:
        return special[column.name]
    kinds = {
        "string": f"'{column.name}' || (i % 7)", "int": "(i % 100)::INTEGER", "bigint": "i % 1000",
        "boolean": "i % 2 = 0", "date": "day",
        "timestamp": "(day + INTERVAL 1 HOUR + INTERVAL (hash(i) % 20000) SECOND)::TIMESTAMPTZ",
    }  # fmt: skip
    return kinds.get(column.type) or f"(i % 100000 + 0.5)::{column.type}"


def measured(home: Path, stored: int, catalogue: Catalogue) -> dict[str, Any]:
    """Publishing one more day for the analysts, with ``stored`` days there already."""
    lake = SyntheticLake(Settings(home=home), catalogue)
    days = TradingCalendar.default().between(FIRST, date(2026, 6, 30))
    lake.add(days[:stored])
    first = _timed(lake, force=True)
    further = []
    for day in days[stored : stored + FURTHER]:
        lake.add([day])
        file = published_path(lake.settings, "analyst")
        began = time.perf_counter()
        copy_file(file, home / "copy")
        copied = time.perf_counter() - began
        further.append(_timed(lake) | {"copy alone": copied, "copied bytes": file.stat().st_size})
    return {
        "built in full": {k: round(v, 2) for k, v in first.items()},
        "one more day": {k: round(statistics.median(f[k] for f in further), 3) for k in further[0]},
        "nothing new": {k: round(v, 3) for k, v in _timed(lake).items()},
    }


def _timed(lake: SyntheticLake, force: bool = False) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    [done] = publish(lake.settings, lake.catalogue, "analyst", force=force)
    assert isinstance(done, Publication)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def asked(home: Path, days: int, catalogue: Catalogue) -> dict[str, Any]:
    """Questions to a file of ``days`` days: first (new connection) and median of ten, seconds."""
    settings = Settings(home=home)
    lake = SyntheticLake(settings, catalogue)
    dates = TradingCalendar.default().between(FIRST, date(2026, 6, 30))[:days]
    lake.add(dates[: days - FURTHER])
    publish(settings, catalogue, "analyst")
    for day in dates[days - FURTHER :]:  # as it is in life: the last days came one by one
        lake.add([day])
        publish(settings, catalogue, "analyst")
    path = published_path(settings, "analyst")
    found: dict[str, Any] = {"file bytes": path.stat().st_size}
    for name, sql in QUESTIONS.items():
        with open_published(path, "analyst") as mart:
            row = mart.execute("SELECT min(client_id) FROM gold.client_day").fetchone()
            values = {"client": row[0] if row else None, "day": dates[-1], "since": dates[-6]}
            given = {k: v for k, v in values.items() if f"${k}" in sql}
            spent = []
            for _ in range(11):
                began = time.perf_counter()
                assert mart.execute(sql, given).fetchall(), name
                spent.append(time.perf_counter() - began)
        found[name] = {
            "first": round(spent[0], 3), "median of ten": round(statistics.median(spent[1:]), 3),
        }  # fmt: skip
    return found


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="*", default=[5, 250])
    parser.add_argument("--query-days", type=int, default=60)
    arguments = parser.parse_args()
    catalogue = load_catalogue()
    folder = Path(tempfile.mkdtemp())
    try:
        result: dict[str, Any] = {"cores": os.cpu_count(), "rows a day": sum(ROWS.values())}
        for stored in arguments.days:
            result[f"{stored} stored days"] = measured(folder / str(stored), stored, catalogue)
        days = arguments.query_days
        result[f"questions, {days} days"] = asked(folder / "asked", days, catalogue)
        print(json.dumps(result, indent=2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
