"""The ways one CSV of orders becomes a typed table; each runs in a process of its own.

``python -m benchmarks.governed.paths WAY INBOX HOME`` prints JSON: seconds by phase, rows out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.governed.orders import COLUMNS, DAY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = Path(__file__).parent
TYPES = {
    "order_id": "bigint", "trade_date": "date", "order_time": "timestamp", "contract_id": "string",
    "member_id": "string", "client_id": "string", "side": "string", "offset": "string",
    "order_type": "string", "price": "decimal(18,4)", "lots": "int",
}  # fmt: skip
BAD = """
  order_id IS NULL OR trade_date IS NULL OR order_time IS NULL OR contract_id IS NULL
  OR client_id IS NULL OR price IS NULL OR lots IS NULL OR side NOT IN ('B', 'S')
  OR "offset" NOT IN ('O', 'C') OR order_type NOT IN ('LIMIT', 'MARKET', 'FAK')
  OR NOT price > 0 OR lots NOT BETWEEN 1 AND 500 OR copy > 1 OR unread
"""
"""The contract's row rules as one condition (its fifteenth rule compares the number of rows)."""


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the seconds inside."""
        began = time.perf_counter()
        yield
        self.phases[name] = round(time.perf_counter() - began, 2)


def governed(inbox: Path, home: Path, clock: Clock) -> int:
    """The product itself: landing, bronze, silver under its contract, ledgers and lineage."""
    from contracts.load import load_catalogue
    from pipelines.engine.calendar import TradingCalendar
    from pipelines.engine.discovery import discover
    from pipelines.engine.graph import build_graph
    from pipelines.engine.ledgers import Ledgers
    from pipelines.engine.run import Lake, run
    from pipelines.engine.session import spark_session
    from pipelines.sources.landing import land

    settings = _settings(home)
    catalogue = load_catalogue(HERE / "contracts")
    jobs = discover(root=HERE, package="benchmarks.governed")
    lake = Lake(
        settings, catalogue, build_graph(catalogue.contracts, jobs), TradingCalendar.default(),
        Ledgers(settings.ops, settings.locks),
    )  # fmt: skip
    now = datetime(2026, 1, 6, 10, tzinfo=UTC)
    with clock.phase("session"):
        spark_session(settings)
    with clock.phase("bronze"):
        (delivery,) = land(settings, catalogue, from_path=inbox, now=lambda: now)
    if delivery.status != "landed":
        raise SystemExit(f"{delivery.status}: {delivery.message}")
    with clock.phase("silver"):
        summary = run(settings, lake=lake, now=lambda: now)
    for failure in summary.failures:
        raise failure.error
    return _delta_rows(settings.table("silver.bench_order").uri)


def bare(inbox: Path, home: Path, clock: Clock) -> int:
    """Spark and Delta as a script would use them: no contract, no check, no record."""
    with clock.phase("session"):
        spark = _session(home)
    paths = {layer: str(home / layer / "bench_order") for layer in ("bronze", "silver")}
    with clock.phase("bronze"):
        text = ", ".join(f"`{c}` string" for c in COLUMNS)
        read = spark.read.csv(str(_csv(inbox)), schema=text, header=True)
        read.write.format("delta").mode("append").save(paths["bronze"])
    with clock.phase("silver"):
        typed = spark.read.format("delta").load(paths["bronze"]).selectExpr(*_casts())
        typed.write.format("delta").partitionBy("trade_date").mode("overwrite").option(
            "replaceWhere", f"trade_date = DATE '{DAY}'"
        ).save(paths["silver"])
    return _delta_rows(Path(paths["silver"]))


def duck(inbox: Path, home: Path, clock: Clock) -> int:
    """DuckDB: the same CSV, the same checks, good and bad rows to Parquet."""
    import duckdb

    home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(home / "bench.duckdb")) as con:
        con.execute(f"SET temp_directory = '{home / 'spill'}'")
        con.execute("SET memory_limit = '6GB'")
        with clock.phase("bronze"):
            con.execute(
                f"CREATE TABLE bronze AS SELECT *, row_number() OVER () AS row_number "
                f"FROM read_csv('{_csv(inbox)}', header = true, all_varchar = true)"
            )
        with clock.phase("silver"):
            con.execute(f"CREATE VIEW typed AS SELECT {_duck_casts()} FROM bronze")
            for name, wanted in (("good", "NOT"), ("bad", "")):
                con.execute(
                    f"COPY (SELECT * EXCLUDE (copy, unread) FROM typed WHERE {wanted} "
                    f"coalesce({BAD}, false)) TO '{home / name}.parquet'"
                )
        counted = con.execute(f"SELECT count(*) FROM '{home}/good.parquet'").fetchone()
    return int(counted[0]) if counted else 0


WAYS: dict[str, Callable[[Path, Path, Clock], int]] = {
    "governed": governed, "bare": bare, "duckdb": duck,
}  # fmt: skip


def _csv(inbox: Path) -> Path:
    return next(inbox.rglob("*.csv"))


def _settings(home: Path) -> Any:
    from pipelines.engine.settings import load_settings

    return load_settings(environ={}, home=home, master="local[2]", driver_memory="4g")


def _session(home: Path) -> SparkSession:
    from pipelines.engine.session import spark_session

    return spark_session(_settings(home))


def _casts() -> list[str]:
    special = {
        "trade_date": "to_date(trade_date, 'yyyyMMdd')",
        "order_time": "to_utc_timestamp(try_cast(order_time AS timestamp), 'Asia/Shanghai')",
    }
    return [
        f"{special.get(name, f'try_cast(`{name}` AS {kind})')} AS `{name}`"
        for name, kind in TYPES.items()
    ]


def _duck_casts() -> str:
    special = {
        "trade_date": "try_strptime(trade_date, '%Y%m%d')::DATE",
        "order_time": "try_cast(order_time AS TIMESTAMP) - INTERVAL 8 HOURS",
    }
    typed = [
        f'{special.get(name, f"""try_cast("{name}" AS {kind.replace("string", "varchar")})""")} '
        f'AS "{name}"'
        for name, kind in TYPES.items()
    ]
    unread = " OR ".join(
        f'("{name}" IS NOT NULL AND try_cast("{name}" AS {kind}) IS NULL)'
        for name, kind in TYPES.items()
        if kind in ("bigint", "int", "decimal(18,4)")
    )
    copy = "row_number() OVER (PARTITION BY trade_date, order_id ORDER BY row_number) AS copy"
    return ", ".join([*typed, copy, f"coalesce({unread}, false) AS unread"])


def _delta_rows(path: Path | str) -> int:
    from deltalake import DeltaTable

    return int(DeltaTable(str(path)).to_pyarrow_dataset().count_rows())


def main() -> None:
    """Run one way and print what it took."""
    way, inbox, home = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    clock = Clock()
    rows = WAYS[way](inbox, home, clock)
    print(json.dumps({"phases": clock.phases, "rows": rows}))


if __name__ == "__main__":
    main()
