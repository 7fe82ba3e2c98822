"""Measure the surveillance jobs: figures, exemptions and alerts of one day of order events.

``python -m benchmarks.surveillance [--events 10000000]`` prints JSON. The day is made with DuckDB
(clients of six contracts each, control groups, hedge flags, order types) as the tables of silver;
the real job functions read them in one Spark session of two cores and write their rows. Making the
day and starting the JVM are not counted; reading, counting and writing are. ``cpu`` is the JVM's.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from contracts.model import Contract, Read

DAY = "2026-01-06"
CLIENTS, CONTRACTS, GROUPS = 20_000, 240, 400
COMMODITIES = ("cu", "al", "zn", "pb", "ni", "sn", "au", "ag", "rb", "hc", "ru", "fu")

DRAW = """
CREATE TABLE o AS SELECT i, c, (c * 17 + own) % {contracts} AS k, fate, t, kind, lots FROM (
  SELECT i, floor(pow(random(), 3) * {clients})::BIGINT AS c,
  floor(pow(random(), 2) * 6)::BIGINT AS own, random() AS fate,
  floor(random() * 20700 * 1e6)::BIGINT AS t, random() AS kind,
  1 + floor(random() * 20)::INT AS lots
FROM range({orders}) r(i))
"""
EVENTS = """
SELECT DATE '{day}' AS trade_date, i * 2 + e AS event_id,
  TIMESTAMP '2026-01-06 01:00:00' + to_microseconds(t + e * 200000) AS event_time,
  'SHFE' AS exchange, contract_id, 'o' || i AS order_id, lpad((c % 200)::TEXT, 4, '0') AS member_id,
  (10000000 + c)::TEXT AS client_id, CASE WHEN i % 2 = 0 THEN 'B' ELSE 'S' END AS side,
  'O' AS "offset",
  CASE WHEN c % 40 = 0 THEN 'H' WHEN c % 401 = 0 THEN 'M' ELSE 'S' END AS hedge_flag,
  CASE WHEN kind < 0.03 THEN 'FAK' WHEN kind < 0.04 THEN 'FOK' ELSE 'LIMIT' END AS order_type,
  CASE WHEN e = 0 THEN 'NEW' WHEN fate < 0.55 THEN 'CANCEL' ELSE 'FILL' END AS event_type,
  70000::DECIMAL(18,4) AS price, lots, 0 AS remaining_lots,
  CASE WHEN e = 1 AND fate >= 0.55 THEN 't' || (i // 2) END AS trade_id,
  CASE WHEN e = 1 AND fate < 0.55 THEN 'CLIENT' END AS reason, 'DAY' AS session
FROM o JOIN k USING (k), range(2) x(e) ORDER BY client_id, event_time
"""
TRADES = """
SELECT trade_date, trade_id, side, event_time AS trade_time, exchange, min(contract_id) OVER
  (PARTITION BY trade_id) AS contract_id, order_id, member_id, client_id, "offset", hedge_flag,
  price, lots, 'DAY' AS session FROM '{events}' WHERE event_type = 'FILL'
"""
POSITIONS = """
SELECT trade_date, exchange, contract_id, client_id, hedge_flag, 'L' AS position_side,
  sum(lots)::INT AS lots FROM '{events}' WHERE event_type = 'FILL' GROUP BY ALL
"""


def make_day(folder: Path, events: int) -> None:
    """Write the day's silver tables as Parquet."""
    import duckdb

    c = duckdb.connect()
    c.execute("SELECT setseed(0.7); SET threads = 2; SET memory_limit = '4GB'")
    c.execute(
        "CREATE TABLE k AS SELECT k, list_extract(?, 1 + (k % ?)::INT) AS commodity_id, "
        "list_extract(?, 1 + (k % ?)::INT) || (2602 + k // ?)::TEXT AS contract_id "
        f"FROM range({CONTRACTS}) r(k)",
        [list(COMMODITIES), len(COMMODITIES), list(COMMODITIES), len(COMMODITIES),
         len(COMMODITIES)],
    )  # fmt: skip
    c.execute(DRAW.format(clients=CLIENTS, contracts=CONTRACTS, orders=events // 2))
    order_events = folder / "order_event.parquet"
    queries = {
        "order_event": EVENTS.format(day=DAY),
        "trade": TRADES.format(events=order_events),
        "position": POSITIONS.format(events=order_events),
        "quote_request": f"SELECT DATE '{DAY}' AS trade_date, i AS request_id, 'SHFE' AS exchange, "
        "contract_id, (10000000 + c)::TEXT AS client_id FROM o JOIN k USING (k) WHERE i % 500 = 0",
        "client": f"SELECT (10000000 + i)::TEXT AS client_id, i % 7 = 0 AS programme_reported, "
        f"DATE '2020-01-01' AS valid_from FROM range({CLIENTS}) r(i)",
        "control_group": "SELECT 'G' || i % ? AS group_id, (10000000 + i * 7)::TEXT AS client_id, "
        "'REPORTED' AS status, DATE '2020-01-01' AS valid_from FROM range(?) r(i)",
        "contract": "SELECT contract_id, commodity_id, 'SHFE' AS exchange, '202606' AS "
        "delivery_month, DATE '2020-01-01' AS valid_from FROM k",
        "commodity": "SELECT DISTINCT commodity_id, 'SHFE' AS exchange, 3000 AS "
        "position_limit_general, 3000 AS intraday_open_limit, DATE '2020-01-01' AS valid_from "
        "FROM k",
    }
    for name, query in queries.items():
        given = [GROUPS, GROUPS * 2] if "?" in query else []
        text = query
        for value in given:
            text = text.replace("?", str(value), 1)
        c.execute(f"COPY ({text}) TO '{folder / name}.parquet' (FORMAT parquet)")


class Silver:
    """Reads of the jobs, from those files; bronze is what silver holds, so nothing is missing."""

    def __init__(self, spark: SparkSession, folder: Path, catalogue: Any) -> None:
        self.spark, self.folder, self.catalogue = spark, folder, catalogue

    def __call__(self, wanted: Read) -> DataFrame:
        """The rows of one declared read, with exactly the contract's columns and types."""
        from pyspark.sql import functions as F

        contract: Contract = self.catalogue[wanted.product]
        layer, name = wanted.product.split(".")
        if layer == "gold":
            path = self.folder / f"{name}.out"
            frame = self.spark.read.parquet(str(path))
            if wanted.how == "previous":
                return frame.where("false").withColumn("_for_interval", F.col("trade_date"))
            return frame
        frame = self.spark.read.parquet(str(self.folder / f"{name}.parquet"))
        if layer == "bronze":
            frame = frame.withColumn("_interval", F.lit(DAY))
        there = set(frame.columns)
        return frame.select(
            *[
                (F.col(c.name) if c.name in there else F.lit(None)).cast(c.type).alias(c.name)
                for c in contract.columns
            ],
            *([F.lit(0).alias("_sequence")] if layer == "bronze" else []),
        )


def measure(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """Wall and CPU seconds of each job, in order, and rows written."""
    from contracts.catalogue import load_catalogue
    from pipelines.engine.calendar import TradingCalendar
    from pipelines.engine.job import Inputs, job_of
    from pipelines.surveillance.surveillance_alert import surveillance_alert
    from pipelines.surveillance.surveillance_day import surveillance_day
    from pipelines.surveillance.surveillance_exemption import surveillance_exemption

    catalogue = load_catalogue()
    found: dict[str, Any] = {}
    for function in (surveillance_day, surveillance_exemption, surveillance_alert):
        declared = job_of(function)
        began, cpu = time.perf_counter(), _cpu(spark)
        frame = function(
            Inputs(
                spark=spark, intervals=(DAY,), contract=catalogue[declared.product],
                catalogue=catalogue, calendar=TradingCalendar.default(), declared=declared.inputs,
                reader=Silver(spark, folder, catalogue),
            )
        )  # fmt: skip
        out = folder / f"{declared.product.split('.')[1]}.out"
        frame.write.parquet(str(out))
        found[declared.product] = {
            "seconds": round(time.perf_counter() - began, 1),
            "cpu": round(_cpu(spark) - cpu, 1),
            "rows": spark.read.parquet(str(out)).count(),
        }
    return found


def _cpu(spark: SparkSession) -> float:
    """CPU seconds that the JVM has used, by the system's own account (Linux)."""
    process: Any = spark.sparkContext._gateway
    stat = Path(f"/proc/{process.proc.pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Make the day, count it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        os.environ["EXLAKE_HOME"] = str(folder / "lake")
        os.environ.setdefault("EXLAKE_MASTER", "local[2]")
        os.environ.setdefault("EXLAKE_DRIVER_MEMORY", "4g")
        began = time.perf_counter()
        make_day(folder, events)
        made = time.perf_counter() - began
        from pipelines.engine.session import spark_session
        from pipelines.engine.settings import load_settings

        spark = spark_session(load_settings())
        jobs = measure(spark, folder)
        spark.stop()
    result = {
        "cores": 2, "order_events": events, "making the day": round(made, 1), "jobs": jobs,
        "seconds": round(sum(job["seconds"] for job in jobs.values()), 1),
        "cpu": round(sum(job["cpu"] for job in jobs.values()), 1),
        "load": os.getloadavg()[0],
    }  # fmt: skip
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
