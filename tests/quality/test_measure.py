"""What is observed while a batch is written."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from quality_cases import column, contract, rule

from contracts.compile.rules import RowCheck
from quality.errors import RowsOutsideIntervalsError
from quality.measure import (
    SUSPECT,
    failing_by_interval,
    measure,
    observe,
    read_measures,
    unplaced,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

CONTRACT = contract(
    (
        column("trade_date", "date"),
        column("id", "int"),
        column("a", "string"),
        column("b", "string"),
        column("_row_number", "bigint"),
    )
)
CHECKS = (
    RowCheck(rule("thing.id.range", "range"), "expr", "coalesce(id < 0, false)"),
    RowCheck(
        rule("thing.a.not_null", "not_null", effective_from=date(2026, 1, 6)), "expr", "a is null"
    ),
    RowCheck(rule("thing.key.unique", "unique", columns=("id",)), "unique", None),
)
SCHEMA = "trade_date date, id int, a string, b string, _row_number bigint"
D1, D2 = date(2026, 1, 5), date(2026, 1, 6)


def test_the_write_itself_counts(spark: SparkSession, tmp_path: Path) -> None:
    """Rows and digest per interval and failing rows in all are those of the files written, in one
    pass; the files tell in which intervals rows fail."""
    from pyspark.sql import Observation

    rows = [(D1, -1, None, "x", 1), (D1, 2, "y", None, 2), (D2, 3, None, "y", 3)]
    df = spark.createDataFrame(rows, SCHEMA).repartition(2)
    intervals = ("2026-01-05", "2026-01-06", "2026-01-07")
    seen = Observation("m")
    out = observe(df, CONTRACT, CHECKS, intervals, seen)
    assert out.columns == [*df.columns, SUSPECT]
    out.write.parquet(str(tmp_path / "t"))
    assert unplaced(seen.get, CHECKS, intervals) == {"thing.id.range": 1, "thing.a.not_null": 1}
    with pytest.raises(ValueError, match=r"thing\.a\.not_null"):
        read_measures(seen.get, CONTRACT, CHECKS, intervals, {})
    written = spark.read.parquet(str(tmp_path / "t"))
    placed = failing_by_interval(written, CONTRACT, CHECKS, intervals)
    found = read_measures(seen.get, CONTRACT, CHECKS, intervals, placed)
    suspects = written.where(SUSPECT).collect()
    assert {r["id"] for r in suspects} == {-1, 3}, "each at its own date, rules effective there"
    assert found["2026-01-05"].rows == 2
    assert found["2026-01-05"].failing == {"thing.id.range": 1}
    assert found["2026-01-06"].failing == {"thing.id.range": 0, "thing.a.not_null": 1}
    assert found["2026-01-07"].fingerprint == "0:0"
    assert measure(written, CONTRACT, CHECKS, intervals) == found
    slow = (
        df.selectExpr(
            "trade_date",
            "cast(xxhash64(trade_date, id, a, b, shiftleft(cast(a is "
            "null as bigint), 2) + shiftleft(cast(b is null as bigint), 3)) as "
            "decimal(38,0)) h",
        )
        .groupBy("trade_date")
        .sum("h")
        .collect()
    )
    assert {str(r[0]): str(r[1]) for r in slow} == {i: m.digest for i, m in found.items() if m.rows}


def test_one_interval_needs_no_second_look(spark: SparkSession) -> None:
    """Failures of a batch of one interval are its own."""
    from pyspark.sql import Observation

    seen, day = Observation("one"), ("2026-01-06",)
    df = spark.createDataFrame([(D2, -1, None, "x", 1), (D2, 2, None, "x", 2)], SCHEMA)
    observe(df, CONTRACT, CHECKS, day, seen).collect()
    assert unplaced(seen.get, CHECKS, day) == {}
    [found] = read_measures(seen.get, CONTRACT, CHECKS, day, {}).values()
    assert found.failing == {"thing.id.range": 1, "thing.a.not_null": 2}
    assert found == measure(df, CONTRACT, CHECKS, day)[day[0]]


def test_digest_tells_nulls_and_duplicates_apart(spark: SparkSession) -> None:
    """A value that slips into the neighbouring column, or a doubled row, changes the digest."""

    def of(*rows: tuple[object, ...]) -> str:
        return measure(spark.createDataFrame(rows, SCHEMA), CONTRACT, (), ("2026-01-05",))[
            "2026-01-05"
        ].digest

    assert of((D1, 1, None, "x", 1)) != of((D1, 1, "x", None, 1))
    assert of((D1, 1, "x", "y", 1), (D1, 1, "x", "y", 1)) not in (of((D1, 1, "x", "y", 1)), "0")
    assert of((D1, 1, "x", "y", 1)) == of((D1, 1, "x", "y", 99)), "line numbers do not count"


def test_rows_of_no_interval_are_refused(spark: SparkSession) -> None:
    """A row with a null or foreign interval can belong to no verdict."""
    for stray in (None, D2):
        df = spark.createDataFrame([(D1, 1, "a", "b", 1), (stray, 1, "a", "b", 1)], SCHEMA)
        with pytest.raises(RowsOutsideIntervalsError):
            measure(df, CONTRACT, CHECKS, ("2026-01-05",))
