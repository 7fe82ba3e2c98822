"""One hash of content, whoever computes it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from quality_cases import column, contract

from quality.hashing import EMPTY, portable_hash_sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONTRACT = contract(
    (
        column("trade_date", "date"),
        column("id", "bigint"),
        column("a", "string"),
        column("b", "string"),
        column("p", "decimal(18,4)"),
        column("q", "decimal(38,18)"),
        column("t", "timestamp"),
        column("f", "boolean"),
        column("_row_number", "bigint"),
    )
)


def rows() -> list[tuple[Any, ...]]:
    d, t = date(2026, 1, 5), datetime(2026, 1, 5, 1, 2, 3, 4, tzinfo=UTC)
    return [
        (d, 1, "a", None, Decimal("1.5"), Decimal("0E-18"), t, True, 1),
        (d, -2, None, "沪铜🙂", Decimal("-0.0001"), Decimal("1E-18"), None, False, 2),
        (d, 2**60, "~", "1:a", Decimal("0"), Decimal("-12345678901234567890.5"), t, None, 3),
        (date(1950, 1, 1), None, "", '\n,"', None, None, datetime(1900, 1, 1, tzinfo=UTC), True, 4),
    ]


def duck(text: str, **tables: Any) -> str:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='Asia/Shanghai'")
        for name, table in tables.items():
            connection.register(name, table)
        return str(connection.execute(text).fetchall()[0][0])


@pytest.mark.spark
def test_engines_agree(spark: SparkSession, tmp_path: Path) -> None:
    """Spark, DuckDB over files and DuckDB over Arrow (delta-rs' way) give one value."""
    import pyarrow.parquet as pq

    schema = ", ".join(f"{c.name} {c.type}" for c in CONTRACT.columns)
    df = spark.createDataFrame(rows(), schema)
    df.createOrReplaceTempView("hash_rows")
    expected = spark.sql(portable_hash_sql(CONTRACT, "spark", "hash_rows")).collect()[0][0]
    path = tmp_path / "t"
    df.repartition(3).write.parquet(str(path))
    sql = portable_hash_sql(CONTRACT, "duckdb", f"read_parquet('{path}/*.parquet')")
    assert duck(sql) == expected
    assert duck(portable_hash_sql(CONTRACT, "duckdb", "t"), t=pq.read_table(path)) == expected
    one = portable_hash_sql(CONTRACT, "spark", "hash_rows", "trade_date = date'2026-01-05'")
    assert spark.sql(one).collect()[0][0].startswith("3:")


def test_no_two_contents_share_a_text() -> None:
    """Nulls, empty strings, boundaries and duplicates all count; no rows have a hash too."""
    import pyarrow as pa

    small = contract(
        (column("a", "string"), column("b", "string")), key=("a",), interval_column=None
    )
    sql = portable_hash_sql(small, "duckdb", "t")

    def of(*pairs: tuple[str | None, str | None]) -> str:
        return duck(
            sql,
            t=pa.table(
                {
                    "a": pa.array([p[0] for p in pairs], pa.string()),
                    "b": pa.array([p[1] for p in pairs], pa.string()),
                }
            ),
        )

    contents = [
        ((None, ""),),
        (("", None),),
        (("~", ""),),
        (("", "~"),),
        (("1:a", ""),),
        (("a", "1:"),),
        (("", "1:a"),),
        (("", ""), ("", "")),
        (("", ""),),
    ]
    assert len({of(*c) for c in contents}) == len(contents)
    assert of() == EMPTY
