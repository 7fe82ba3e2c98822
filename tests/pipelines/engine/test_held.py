"""The held commit and its fallback keep the same promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from deltalake import DeltaTable
from duckdb_extensions import import_extension
from pyspark.sql import functions as F

from contracts.load import load_catalogue
from pipelines.engine.batch import check_schema
from pipelines.engine.held import HeldWrite, can_hold, hold
from pipelines.engine.held_errors import (
    ConcurrentWriteError,
    SchemaMismatchError,
    SuspectsLeftError,
)
from pipelines.engine.place import Folder
from pipelines.engine.tables import exists, read_files
from quality.errors import RowsOutsideIntervalsError
from quality.measure import SUSPECT
from tests.pipelines.engine.planning import column
from tests.pipelines.engine.small_lake import D1, D2, ESTATE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
Write = Callable[..., HeldWrite]
Row = tuple[str, int, str]


def frame(spark: SparkSession, rows: Iterable[Row], types: str = "decimal(10,2)") -> DataFrame:
    """Rows without Python workers."""
    values = ", ".join(f"(date'{d}', {i}, cast({p!r} as {types}))" for d, i, p in rows)
    if not values:
        return frame(spark, [(D1, 1, "1.00")]).where("false")
    return spark.sql(f"SELECT * FROM VALUES {values} AS t(trade_date, id, price)")


@pytest.fixture(params=["held", "staged"])
def write(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Write:
    """Hold rows for intervals of one table, both ways."""
    assert can_hold(spark), "this Delta release lost the calls that holding needs"

    def start(rows: Iterable[Row] | DataFrame, *intervals: str) -> HeldWrite:
        return hold(
            spark,
            rows if hasattr(rows, "sparkSession") else frame(spark, rows),  # type: ignore[arg-type]
            Folder(tmp_path / "table"),
            product="silver.thing",
            interval_column="trade_date",
            intervals=intervals,
            staging=tmp_path / "staging",
            force_staged=request.param == "staged",
        )

    return start


def read(spark: SparkSession, table: Path) -> list[Any]:
    """Published rows by Spark, delta-rs and DuckDB, which must agree."""
    if not exists(Folder(table)):
        return []
    by_rust = DeltaTable(str(table)).to_pyarrow_table().select(["trade_date", "id", "price"])
    with duckdb.connect() as connection:
        import_extension("delta")
        connection.execute("LOAD delta")
        found = connection.execute(
            f"SELECT trade_date, id, price FROM delta_scan('{table}') ORDER BY ALL"
        ).fetchall()
    rows = sorted(tuple(r.values()) for r in by_rust.to_pylist())
    by_spark = spark.read.format("delta").load(str(table)).select("trade_date", "id", "price")
    assert rows == sorted(tuple(r) for r in by_spark.collect())
    assert rows == found
    return [(str(day), number) for day, number, _ in rows]


def on_disk(tmp_path: Path) -> set[str]:
    """Data files anywhere, the staging folder included."""
    return {p.name for p in tmp_path.rglob("*.parquet") if "_delta_log" not in p.parts}


def test_nothing_is_readable_before_the_commit(
    spark: SparkSession, write: Write, tmp_path: Path
) -> None:
    """Invariant 1: uncommitted files are invisible; dropping them leaves nothing behind."""
    table = tmp_path / "table"
    first = write([(D1, 1, "1.00"), (D2, 2, "2.00")], D1, D2)
    assert read(spark, table) == []
    assert sorted((f.interval, f.rows) for f in first.files) == [(D1, 1), (D2, 1)]
    assert first.commit([D1, D2], "{}") == 0
    again = write([(D1, 9, "9.00")], D1)
    assert read(spark, table) == [(D1, 1), (D2, 2)]
    before = on_disk(tmp_path) - {Path(f.path).name for f in again.files}
    again.drop()
    assert on_disk(tmp_path) == before
    assert read(spark, table) == [(D1, 1), (D2, 2)]


def test_only_kept_intervals_are_published_without_their_dirty_files(
    spark: SparkSession, write: Write, tmp_path: Path
) -> None:
    """Invariant 1: a blocked interval's files and a dirty file are in no version, nor on disk."""
    table = tmp_path / "table"
    write([(D1, 1, "1.00"), (D2, 2, "2.00")], D1, D2).commit([D1, D2], "{}")
    held = write([(D1, 10, "1.00"), (D1, 11, "-1.00"), (D2, 20, "1.00")], D1, D2)
    dirty = [f.path for f in held.files if f.interval == D1]
    held.rewrite(dirty, frame(spark, [(D1, 10, "1.00")]))
    assert sum(f.rows for f in held.files) == 2
    assert held.commit([D1], "what happened") == 1
    assert read(spark, table) == [(D1, 10), (D2, 2)]
    newest = DeltaTable(str(table)).history(1)[0]
    assert newest["userMetadata"] == "what happened"
    live = {p.rsplit("/", 1)[-1] for p in DeltaTable(str(table)).file_uris()}
    replaced = 1
    assert len(on_disk(tmp_path) - live) == replaced, "only what version 0 holds is left"
    assert write([(D1, 12, "1.00")], D1).commit([], "{}") is None
    assert DeltaTable(str(table)).version() == 1


def test_suspects_leave_without_their_neighbours_being_written_again(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Rows that probably leave have files of their own, at their own date, that cannot be kept."""
    table = Folder(tmp_path / "table")
    where = {"product": "silver.thing", "interval_column": "trade_date", "intervals": (D1, D2)}
    rows = [(D1, 1, "1.00"), (D1, 2, "-2.00"), (D2, 3, "-3.00"), (D2, 4, "4.00")]
    marked = frame(spark, rows).coalesce(1).withColumn(SUSPECT, F.col("price") < 0)
    held = hold(spark, marked, table, staging=tmp_path / "staging", **where)
    aside = [f for f in held.files if f.suspect]
    assert held.apart
    assert sorted((f.interval, f.rows) for f in aside) == [(D1, 1), (D2, 1)]
    contract = load_catalogue(ESTATE / "contracts")["silver.order"].model_copy(
        update={"columns": tuple(column(name, kind) for name, kind in marked.dtypes[:3])}
    )
    found = read_files(spark, contract, table, [f.path for f in aside])
    assert sorted((str(r[0]), r[1]) for r in found.collect()) == [(D1, 2), (D2, 3)]
    with pytest.raises(SuspectsLeftError):
        held.commit([D1], "{}")
    # D1's suspect is rejected, D2's is accepted after all.
    untouched = [f.path for f in held.files if not f.suspect]
    held.rewrite([f.path for f in aside], frame(spark, [(D2, 3, "-3.00")]))
    assert set(untouched) < {f.path for f in held.files}
    held.commit([D1, D2], "{}")
    assert read(spark, tmp_path / "table") == [(D1, 1), (D2, 3), (D2, 4)]
    folders = {p.name for p in (tmp_path / "table").iterdir()}
    assert folders == {"_delta_log", f"trade_date={D1}", f"trade_date={D2}"}
    assert not [name for name in on_disk(tmp_path) if name.startswith("aside-")]


def test_an_interval_can_become_empty(spark: SparkSession, write: Write, tmp_path: Path) -> None:
    """Invariant 3: an interval whose rows were all withdrawn is replaced by nothing."""
    write([(D1, 1, "1.00"), (D2, 2, "2.00")], D1, D2).commit([D1, D2], "{}")
    write([], D1).commit([D1], "{}")
    assert read(spark, tmp_path / "table") == [(D2, 2)]


def test_what_the_contract_does_not_promise_is_refused(
    spark: SparkSession, write: Write, tmp_path: Path
) -> None:
    """Invariant 1: wrong types, other columns and rows of other intervals never become readable."""
    table = tmp_path / "table"
    write([(D1, 1, "1.00")], D1).commit([D1], "{}")
    wrong: list[tuple[DataFrame, str]] = [
        (frame(spark, [(D1, 2, "text")], "string"), D1),
        (frame(spark, [(D1, 2, "2.00")]).selectExpr("*", "1 AS more"), D1),
        (frame(spark, [(D1, 2, "2.00"), (D2, 3, "2.00")]), D1),
    ]
    for df, interval in wrong:
        with pytest.raises(Exception):  # noqa: B017, PT011 - Delta's own, of several classes
            write(df, interval).commit([interval], "{}")
    assert read(spark, table) == [(D1, 1)]
    assert DeltaTable(str(table)).version() == 0


def test_replacing_an_interval_costs_one_job(spark: SparkSession, tmp_path: Path) -> None:
    """What is replaced comes from the log: no job finds it, and no other thing would show one."""
    table = Folder(tmp_path / "table")
    where = {"product": "silver.thing", "staging": tmp_path / "staging"}
    jobs = []
    for group, by in (("dated", "trade_date"), ("whole", None)):
        place = Folder(table.path / group)
        days = [D1, D2] if by else ["all"]
        rows = frame(spark, [(D1, 1, "1.00"), (D2, 2, "2.00")])
        hold(spark, rows, place, interval_column=by, intervals=days, **where).commit(days, "{}")
        spark.sparkContext.setJobGroup(group, "the second write")
        again = frame(spark, [(D1, 3, "3.00")])
        hold(spark, again, place, interval_column=by, intervals=days[:1], **where).commit(
            days[:1], "{}"
        )
        spark.sparkContext.setJobGroup("", "")
        jobs.append(len(spark.sparkContext.statusTracker().getJobIdsForGroup(group)))
        assert read(spark, place.path) == [(D1, 3), (D2, 2)][: len(days)]
        # Whoever puts the log together again finds what the checksum beside it says.
        newest = DeltaTable(str(place))
        sums = json.loads((place.path / "_delta_log" / f"{1:020}.crc").read_text())
        assert sums["numFiles"] == len(newest.file_uris())
    assert jobs == [1, 1]


def test_rows_of_other_intervals_are_counted_and_leave_no_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Invariant 1, and an error that helps: how many rows strayed, of which product."""
    table = tmp_path / "table"
    rows = frame(spark, [(D1, 1, "1.00"), (D2, 2, "2.00")])
    start = partial(
        hold, spark, rows, Folder(table), product="silver.thing", interval_column="trade_date",
        staging=tmp_path / "staging",
    )  # fmt: skip
    for first in (True, False):
        before = on_disk(tmp_path)
        with pytest.raises(RowsOutsideIntervalsError, match=f"silver.thing.*1 rows .*{D1}"):
            start(intervals=[D1])
        assert on_disk(tmp_path) == before
        if first:
            start(intervals=[D1, D2]).commit([D1, D2], "{}")
    assert read(spark, table) == [(D1, 1), (D2, 2)]


def test_columns_are_compared_exactly(spark: SparkSession) -> None:
    """Invariant 1: a missing, extra, swapped or retyped column is refused before the write."""
    from contracts.load import load_catalogue

    contract = load_catalogue(ESTATE / "contracts")["gold.order_day"]
    right = ["trade_date", "client_id", "orders", "lots"]
    types = {c.name: c.type for c in contract.columns}
    row = spark.sql("SELECT " + ", ".join(f"cast(null as {types[c]}) {c}" for c in right))
    check_schema(row, contract)
    for columns in (right[:-1], [*right, "1 AS more"], right[::-1], [*right[:3], "1 AS lots"]):
        with pytest.raises(SchemaMismatchError):
            check_schema(row.selectExpr(*columns), contract)


def test_one_writer_of_an_interval_wins(spark: SparkSession, write: Write, tmp_path: Path) -> None:
    """Invariant 7: the later of two writers of one interval is refused; another interval passes."""
    table = tmp_path / "table"
    write([(D1, 1, "1.00"), (D2, 1, "1.00")], D1, D2).commit([D1, D2], "{}")
    slow, other, quick = (write([(d, n, "1.00")], d) for d, n in ((D1, 2), (D2, 3), (D1, 4)))
    assert quick.commit([D1], "{}") == 1
    with pytest.raises(ConcurrentWriteError):
        slow.commit([D1], "{}")
    slow.drop()
    assert other.commit([D2], "{}") == 2
    assert read(spark, table) == [(D1, 4), (D2, 3)]


def test_a_product_of_one_interval_is_replaced_whole(spark: SparkSession, tmp_path: Path) -> None:
    """Invariant 8: dimensions take the same way, and any reader can read the table."""
    for staged in (False, True):
        table = Folder(tmp_path / f"table{staged}")
        for rows in ([(D1, 1, "1.00")], [(D1, 2, "1.00"), (D2, 3, "1.00")]):
            hold(
                spark, frame(spark, rows), table, product="silver.thing", interval_column=None,
                intervals=["all"], staging=tmp_path / "staging", force_staged=staged,
            ).commit(["all"], "{}")  # fmt: skip
        assert read(spark, table.path) == [(D1, 2), (D2, 3)]
        assert DeltaTable(str(table)).protocol().min_reader_version == 1
