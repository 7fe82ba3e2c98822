"""Maintenance: rows stay, waste goes, and nothing that somebody may still read."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from duckdb_extensions import import_extension
from pyspark.errors import StreamingQueryException

from pipelines.engine.faults import MAINTENANCE_POINTS, VARIABLE
from pipelines.engine.locks import LockHeldError, lock_path, locked
from pipelines.engine.maintenance import MANY_FILES, maintain, plan_care
from pipelines.engine.repair import unrecorded
from pipelines.engine.settings import Settings, load_settings
from pipelines.engine.state import State

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PRODUCT = "silver.login"
ROOT = Path(__file__).resolve().parents[3]


def rows(table: Path, version: int | None = None) -> list[tuple[object, ...]]:
    """Every row of the table, sorted."""
    found = DeltaTable(str(table), version=version).to_pyarrow_table()
    return sorted(zip(*[found.column(n).to_pylist() for n in ("day", "x")], strict=True))


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """A table with an interval of many small files, replaced files, and a killed batch's file."""
    settings = load_settings(environ={}, home=tmp_path / "lake", lock_wait_seconds=0.2)
    table = Path(settings.table(PRODUCT).uri)
    for x in range(MANY_FILES):
        day = pa.table({"day": ["2026-01-05"], "x": [x]})
        write_deltalake(str(table), day, mode="append", partition_by=["day"])
    for x in (100, 101):
        day = pa.table({"day": ["2026-01-06"], "x": [x]})
        write_deltalake(str(table), day, mode="overwrite", predicate="day = '2026-01-06'")
    (table / "day=2026-01-05" / "part-killed.parquet").write_bytes(b"never committed")
    return settings


def expiring(settings: Settings) -> Settings:
    """The same lake with nothing kept for time travel (settings refuse that; a test may)."""
    return settings.model_copy(update={"retention_hours": 0})


def test_rows_stay_and_waste_goes(lake: Settings) -> None:
    """The same rows in fewer files; a killed batch's file goes; a second time does nothing."""
    table = Path(lake.table(PRODUCT).uri)
    before, version = rows(table), DeltaTable(str(table)).version()
    (care,) = plan_care(lake, [PRODUCT, "gold.member_day"])
    assert (care.table, care.compact, care.small_files) == (PRODUCT, ("2026-01-05",), MANY_FILES)
    assert (care.expired, care.orphans) == (0, 1)
    assert rows(table) == before
    assert maintain(lake, [PRODUCT]) == [care]
    assert rows(table) == before
    assert not (table / "day=2026-01-05" / "part-killed.parquet").exists()
    assert rows(table, version) == before, "a version inside the retention can still be read"
    assert len([f for f in DeltaTable(str(table)).file_uris() if "2026-01-05" in f]) == 1
    settled = DeltaTable(str(table)).version()
    assert maintain(lake, [PRODUCT]) == []
    assert DeltaTable(str(table)).version() == settled


def test_only_versions_past_the_retention_lose_their_files(lake: Settings) -> None:
    """What vacuum removes is what no version inside the retention needs."""
    table = Path(lake.table(PRODUCT).uri)
    before = rows(table)
    on_disk = len(list(table.rglob("part-*.parquet")))
    (care,) = maintain(expiring(lake), [PRODUCT])
    assert care.expired == 1, "what was replaced before; merged files count next time"
    assert rows(table) == before
    maintain(expiring(lake), [PRODUCT])
    assert len(list(table.rglob("part-*.parquet"))) == 2 < on_disk
    assert rows(table) == before


def test_who_reads_meanwhile_sees_the_same_rows(lake: Settings) -> None:
    """Readers that opened the table before, and those that open it all the while, lose nothing."""
    table = Path(lake.table(PRODUCT).uri)
    before = rows(table)
    opened = DeltaTable(str(table))
    seen: list[list[tuple[object, ...]]] = []
    done = threading.Event()

    def look() -> None:
        with duckdb.connect() as connection:
            connection.execute("LOAD delta")
            while not done.is_set():
                sql = f"SELECT day, x FROM delta_scan('{table}') ORDER BY ALL"
                seen.append(connection.execute(sql).fetchall())

    import_extension("delta")
    with duckdb.connect() as slow, ThreadPoolExecutor(1) as pool:
        slow.execute("LOAD delta")
        answer = slow.execute(f"SELECT day, x FROM delta_scan('{table}')")
        first = answer.fetchmany(1)
        looking = pool.submit(look)
        try:
            while not seen and not looking.done():
                time.sleep(0.01)
            assert maintain(lake, [PRODUCT])
        finally:
            done.set()
        looking.result()
        assert sorted(first + answer.fetchall()) == before
    assert rows(table) == before
    assert all(each == before for each in seen)
    old = opened.to_pyarrow_table()
    assert sorted(zip(*[old.column(n).to_pylist() for n in ("day", "x")], strict=True)) == before


def test_a_stream_reads_each_row_once_across_maintenance(
    lake: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    """A structured stream that stops, and one that is behind, meet merged files only once."""
    table = Path(lake.table(PRODUCT).uri)

    def drained(name: str, skip: bool = False) -> list[tuple[object, ...]]:
        source = spark.readStream.format("delta").option("skipChangeCommits", skip)
        read = source.load(str(table))
        sink = read.writeStream.format("delta").trigger(availableNow=True)
        sink = sink.option("checkpointLocation", str(tmp_path / f"{name}.checkpoint"))
        query = sink.start(str(tmp_path / name))
        query.awaitTermination()
        return rows(tmp_path / name)

    assert drained("ahead") == drained("behind") == rows(table)
    assert maintain(lake, [PRODUCT])
    assert drained("ahead") == rows(table), "merging is no new row"
    for x in range(MANY_FILES):
        day = pa.table({"day": ["2026-01-07"], "x": [x]})
        write_deltalake(str(table), day, mode="append")
    assert drained("ahead") == rows(table)
    (care,) = maintain(lake, [PRODUCT])
    assert care.compact == ("2026-01-07",)
    assert drained("ahead") == rows(table)
    assert drained("behind") == rows(table), "what it had not read before the merge is still there"
    known = rows(table)
    day = pa.table({"day": ["2026-01-06"], "x": [102]})
    write_deltalake(str(table), day, mode="overwrite", predicate="day = '2026-01-06'")
    with pytest.raises(StreamingQueryException, match="skipChangeCommits"):
        drained("ahead")
    assert drained("ahead", skip=True) == known, "a correction passes by who says so"


def test_the_engine_sees_no_work_in_maintenance(lake: Settings) -> None:
    """Versions that maintenance leaves carry no batch: nothing is repaired from them."""
    maintain(expiring(lake), [PRODUCT])
    assert unrecorded(lake.storage, [PRODUCT], State()) == ([], [])


@pytest.mark.parametrize("point", MAINTENANCE_POINTS)
def test_killed_anywhere_it_is_done_by_the_next(lake: Settings, point: str) -> None:
    """SIGKILL between any two steps loses and doubles nothing."""
    table = Path(lake.table(PRODUCT).uri)
    before = rows(table)
    code = (
        "from pathlib import Path; from pipelines.engine.settings import load_settings;"
        "from pipelines.engine.maintenance import maintain;"
        f"s = load_settings(environ={{}}, home=Path({str(lake.home)!r}));"
        f"maintain(s.model_copy(update={{'retention_hours': 0}}), [{PRODUCT!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {VARIABLE: point}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert rows(table) == before
    maintain(expiring(lake), [PRODUCT])
    maintain(expiring(lake), [PRODUCT])
    assert rows(table) == before
    assert len(list(table.rglob("*part-*.parquet"))) == 2
    assert all(care.idle for care in plan_care(expiring(lake), [PRODUCT]))


def _hold(path: Path, taken: object, done: object) -> None:
    with locked(path):
        taken.set()  # type: ignore[attr-defined]  # multiprocessing's events have no public type
        done.wait(30)  # type: ignore[attr-defined]


def test_a_table_with_a_batch_in_flight_is_left_alone(lake: Settings) -> None:
    """Invariant 7: sweeping takes the writer's lock, or it would remove what is being judged."""
    context = multiprocessing.get_context("spawn")
    taken, done = context.Event(), context.Event()
    writer = context.Process(
        target=_hold, args=(lock_path(lake.locks, PRODUCT), taken, done), daemon=True
    )
    writer.start()
    try:
        assert taken.wait(60)
        with pytest.raises(LockHeldError):
            maintain(lake, [PRODUCT])
        assert (Path(lake.table(PRODUCT).uri) / "day=2026-01-05" / "part-killed.parquet").exists()
    finally:
        done.set()
        writer.join(30)
