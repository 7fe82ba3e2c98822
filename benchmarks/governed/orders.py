"""The orders that every path loads: one trade date as CSV, made by DuckDB, the same each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

DAY = "2026-01-06"
COLUMNS = (
    "order_id", "trade_date", "order_time", "contract_id", "member_id", "client_id", "side",
    "offset", "order_type", "price", "lots",
)  # fmt: skip
DRAWN = """
SELECT i + 1 AS order_id, '20260106' AS trade_date,
  strftime(TIMESTAMP '2026-01-06 09:00:00' + to_microseconds(i * 20000000000 // {rows}),
           '%Y-%m-%d %H:%M:%S.%f') AS order_time,
  list_value('cu', 'al', 'zn', 'rb', 'ru', 'au')[(1 + hash(i) % 6)::INT] || '26'
    || lpad((1 + hash(i + 1) % 12)::TEXT, 2, '0') AS contract_id,
  lpad((hash(i + 2) % 150)::TEXT, 4, '0') AS member_id,
  (10000000 + hash(i + 3) % 12000)::TEXT AS client_id,
  CASE WHEN hash(i + 4) % 2 = 0 THEN 'B' ELSE 'S' END AS side,
  CASE WHEN {dirty} AND i % 4000 = 17 THEN 'X' WHEN hash(i + 5) % 2 = 0 THEN 'O' ELSE 'C' END
    AS "offset",
  list_value('LIMIT', 'LIMIT', 'MARKET', 'FAK')[(1 + hash(i + 6) % 4)::INT] AS order_type,
  CASE WHEN {dirty} AND i % 4000 = 1017 THEN '-1.00'
       ELSE ((30000 + hash(i + 7) % 40000) / 10)::DECIMAL(18,2)::TEXT END AS price,
  CASE WHEN {dirty} AND i % 4000 = 2017 THEN 'ten' WHEN {dirty} AND i % 4000 = 3017 THEN '0'
       ELSE (1 + hash(i + 8) % 20)::TEXT END AS lots
FROM range({rows}) r(i)
"""
"""A row in a thousand is dirty, in one of four ways: code, price, number, range."""


def make(folder: Path, rows: int, *, dirty: bool) -> Path:
    """Write ``bench_order_20260106.csv`` with its manifest below an inbox; return the CSV."""
    path = folder / "bench" / "20260106" / "bench_order_20260106.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute("SET preserve_insertion_order = true")
        query = DRAWN.format(rows=rows, dirty=str(dirty).lower())
        con.execute(f"COPY ({query}) TO '{path}' (HEADER, DELIMITER ',')")
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    manifest = {
        "manifest_version": 1, "system": "bench", "dataset": "bench_order", "interval": DAY,
        "mode": "full", "part": None, "parts": None, "sequence": 1, "file": path.name,
        "rows": rows, "bytes": path.stat().st_size, "sha256": digest, "encoding": "utf-8",
        "generated_at": f"{DAY}T16:00:00+08:00",
    }  # fmt: skip
    path.with_name(f"{path.name}.manifest.json").write_text(json.dumps(manifest), "utf-8")
    return path
