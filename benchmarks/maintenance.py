"""Small files and query time over sixty days, with maintenance and without it.

``python -m benchmarks.maintenance [--days 60] [--batches 12]`` prints JSON and a table. A table is
filled as a landing does it: some small appends a day, by delta-rs, no Spark. One copy of it is
maintained every five days by the real ``maintain``, the other never. Queries are DuckDB's over the
version that is newest, opened anew each time; seconds are medians of five.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.maintenance import maintain
from pipelines.engine.settings import Settings, load_settings

PRODUCT = "silver.trade"
ROWS = 2_000
EVERY = 5
SHOWN = (5, 15, 30, 60)
QUERIES = {
    "one day": "SELECT sum(lots) FROM t WHERE trade_date = DATE '{day}'",
    "one client, all days": "SELECT trade_date, sum(lots) FROM t WHERE client = 'c7' GROUP BY ALL",
    "all": "SELECT client, sum(lots), max(price) FROM t GROUP BY ALL",
}


def append(settings: Settings, day: date, batch: int) -> None:
    """One small append."""
    first = batch * ROWS
    rows = pa.table(
        {
            "trade_date": pa.array([day] * ROWS, pa.date32()),
            "trade_id": pa.array([f"{day:%Y%m%d}{first + n:08d}" for n in range(ROWS)]),
            "client": pa.array([f"c{(first + n) % 400}" for n in range(ROWS)]),
            "price": pa.array([10.0 + (first + n) % 97 for n in range(ROWS)]),
            "lots": pa.array([1 + (first + n) % 5 for n in range(ROWS)], pa.int64()),
        }
    )
    path = str(settings.table(PRODUCT))
    write_deltalake(path, rows, mode="append", partition_by=["trade_date"])


def measure(settings: Settings, day: date) -> dict[str, Any]:
    """Files of the newest version, files on disk, seconds of each query."""
    path = Path(settings.table(PRODUCT).uri)
    found: dict[str, Any] = {
        "files": len(DeltaTable(str(path)).file_uris()),
        "on_disk": len(list(path.rglob("*.parquet"))),
    }
    for name, sql in QUERIES.items():
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            files = DeltaTable(str(path)).file_uris()
            with duckdb.connect() as connection:
                connection.execute("SET threads = 2")
                listed = ", ".join(f"'{file}'" for file in files)
                view = f"read_parquet([{listed}], hive_partitioning = true)"
                connection.execute(f"CREATE VIEW t AS SELECT * FROM {view}")
                connection.execute(sql.format(day=day)).fetchall()
            seconds.append(time.perf_counter() - began)
        found[name] = round(statistics.median(seconds), 4)
    return found


def main() -> None:
    """Fill both tables, measure at some days, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--batches", type=int, default=12)
    given = parser.parse_args()
    days = TradingCalendar.default().between(date(2026, 1, 5), date(2026, 4, 30))[: given.days]
    results: dict[str, dict[int, Any]] = {"without": {}, "with": {}}
    with tempfile.TemporaryDirectory() as folder:
        lakes = {
            name: load_settings(environ={}, home=Path(folder) / name).model_copy(
                update={"retention_hours": 0}
            )
            for name in results
        }
        for number, day in enumerate(days, 1):
            for name, settings in lakes.items():
                for batch in range(given.batches):
                    append(settings, day, batch)
                if name == "with" and number % EVERY == 0:
                    began = time.perf_counter()
                    maintain(settings, [PRODUCT])
                    spent = time.perf_counter() - began
                if number in SHOWN or number == len(days):
                    results[name][number] = measure(settings, day)
                    if name == "with":
                        results[name][number]["last maintenance"] = round(spent, 2)
    print(json.dumps(results, indent=2))
    names = ["files", "on_disk", *QUERIES]
    print("| days | | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for number in results["with"]:
        for name in ("without", "with"):
            cells = (str(results[name][number][n]) for n in names)
            print(f"| {number} | {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
