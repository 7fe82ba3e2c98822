"""Bronze rows for job tests, made from records as a source would publish them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from contracts.load import load_catalogue
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.job import Inputs, job_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from contracts.model import Contract

RECEIVED = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def built(
    spark: SparkSession,
    job: Callable[[Inputs], DataFrame],
    rows: Sequence[dict[str, Any]],
    day: str,
) -> list[dict[str, Any]]:
    """What the job makes of bronze rows (text by column) delivered for ``day``."""
    declared = job_of(job)
    catalogue = load_catalogue()
    source = declared.inputs[0].product
    names = [c.name for c in catalogue[source].business_columns]
    types = ", ".join(f"`{n}` string" for n in names)
    schema = (
        f"{types}, _delivery_id string, _row_number bigint, _received_at timestamp,"
        " _interval date, _sequence int"
    )
    data = [
        (*(row.get(n) for n in names), "d", i, RECEIVED, date.fromisoformat(day), 1)
        for i, row in enumerate(rows, start=1)
    ]
    frame = spark.createDataFrame(data, schema)
    inputs = Inputs(
        spark,
        (day,),
        catalogue[declared.product],
        catalogue,
        TradingCalendar.default(),
        declared.inputs,
        lambda read: frame if read.product == source else _nothing(spark, catalogue[read.product]),
    )
    result = job(inputs)
    assert result.columns == [c.name for c in catalogue[declared.product].columns]
    return [row.asDict() for row in result.collect()]


def _nothing(spark: SparkSession, contract: Contract) -> DataFrame:
    """An input that is not there."""
    nulls = ", ".join(f"CAST(NULL AS {c.type}) AS `{c.name}`" for c in contract.columns)
    return spark.sql(f"SELECT {nulls} WHERE false")


def documents(section: str, *records: dict[str, Any]) -> list[dict[str, Any]]:
    """Records of one section as a document's bronze rows."""
    return [{"section": section, "header": "{}", "record": json.dumps(r)} for r in records]
