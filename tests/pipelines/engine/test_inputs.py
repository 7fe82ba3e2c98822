"""Declared reads: pinned, resolved, and the same rows for both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.model import Read
from pipelines.engine.inputs import InputReader
from quality.relations import bind, connect
from tests.pipelines.engine.small_lake import CLIENTS, D1, D2, SmallLake, orders, settled

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def reader(lake: SmallLake, spark: SparkSession, *intervals: str) -> InputReader:
    """A reader as one batch of these intervals has it."""
    opened = lake.lake
    state = opened.state()
    return InputReader(
        spark, opened.settings.storage, lake.catalogue, opened.calendar,
        lambda product: state.deliveries.get(product, {}), intervals,
    )  # fmt: skip


def both(inputs: InputReader, read: Read, columns: str) -> list[tuple[Any, ...]]:
    """The rows of a read by Spark and, which must be the same, by DuckDB."""
    by_spark = [tuple(row) for row in inputs.frame(read).selectExpr(*columns.split(",")).collect()]
    with connect() as connection:
        bind(connection, {read.product: inputs.relation(read)})
        view = read.product.replace(".", "_")
        by_duckdb = connection.execute(f"SELECT {columns} FROM {view}").fetchall()
    as_text = [sorted(tuple(str(v) for v in row) for row in rows) for rows in (by_spark, by_duckdb)]
    assert as_text[0] == as_text[1]
    return as_text[0]


def test_every_kind_of_read(spark: SparkSession, built: SmallLake) -> None:
    """DESIGN, job: the same interval, the previous ones, or as of the date; nothing more."""
    today = reader(built, spark, D2)
    same = both(today, Read(product="silver.order"), "trade_date,order_id")
    assert same == [(D2, "o01"), (D2, "o02")]
    served = both(
        today, Read(product="silver.settle", how="previous"), "trade_date,_for_interval,end_lots"
    )
    assert served == [(D1, D2, "238")]
    known = both(today, Read(product="silver.client", how="as_of"), "client_id,level,valid_to")
    assert known == [("c1", "1", "None"), ("c2", "1", D2), ("c2", "2", "None")], "as known now"
    assert len(both(today, Read(product="bronze.client", how="history"), "client_id")) == 3
    assert len(both(today, Read(product="bronze.client", how="latest"), "client_id")) == 1
    assert len(both(today, Read(product="bronze.order"), "order_id")) == 2
    assert today.versions["silver.order"] == 0
    absent = reader(built, spark, "2026-01-07")
    assert both(absent, Read(product="silver.order"), "order_id") == []
    assert both(absent, Read(product="bronze.order"), "order_id") == []
    frame = absent.frame(Read(product="silver.order"))
    contract = built.catalogue["silver.order"]
    assert frame.dtypes == [(c.name, c.type) for c in contract.columns]


def test_corrections_and_withdrawals_apply_in_their_order(
    spark: SparkSession, lake: SmallLake
) -> None:
    """Flow 1: a corrected delivery replaces rows by key, a withdrawal removes them; bronze keeps
    everything, whatever the order of arrival."""
    rows = orders(D2)
    lake.deliver("order", D2, [rows[1]], sequence=3, mode="withdrawal")
    lake.deliver("order", D2, [(*rows[0][:4], "12.00", *rows[0][5:]), rows[1]], sequence=2,
                 mode="correction")  # fmt: skip
    found = both(reader(lake, spark, D2), Read(product="bronze.order"), "order_id,price")
    assert found == [("o01", "12.00")]
    assert len(lake.rows("bronze.order")) == 14 + 2 + 1 + 2


def test_a_batch_reads_one_version(spark: SparkSession, lake: SmallLake) -> None:
    """Flow 2: what is written while a batch is built is not read by it."""
    inputs = reader(lake, spark, D1, D2)
    assert len(both(inputs, Read(product="silver.settle"), "client_id")) == 2
    lake.deliver("settle", D2, [*settled(D2), ("c2", 0, 0, 0, "20260106")], sequence=2)
    lake.deliver("client", "2026-01-07", CLIENTS[D1])
    lake.run("silver.settle")
    assert len(both(inputs, Read(product="silver.settle"), "client_id")) == 2
    assert inputs.versions == {"silver.settle": 1}
    assert len(both(reader(lake, spark, D2), Read(product="silver.settle"), "client_id")) == 2
