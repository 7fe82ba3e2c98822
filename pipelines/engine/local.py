"""A few rows of our own as a frame, without starting Python workers.

``createDataFrame`` over a list sends the rows through Python worker processes each time they are
read; over an Arrow table they are part of the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


def local_frame(spark: SparkSession, rows: Iterable[tuple[Any, ...]], columns: str) -> DataFrame:
    """``rows`` as a frame with ``columns`` (DDL, such as ``a int, b array<string>``)."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    struct = StructType.fromDDL(columns)
    assert isinstance(struct, StructType)
    schema = to_arrow_schema(struct, timezone="UTC")
    found = list(rows)
    arrays = [
        pa.array([row[place] for row in found], field.type) for place, field in enumerate(schema)
    ]
    return arrow_frame(spark, pa.Table.from_arrays(arrays, schema=schema))


def arrow_frame(spark: SparkSession, table: pa.Table) -> DataFrame:
    """An Arrow table as a frame: what ``DataFrame.toArrow`` collected becomes local."""
    return spark.createDataFrame(table)


def collected(frames: Mapping[str, DataFrame]) -> dict[str, pa.Table]:
    """Small frames as Arrow tables under their names, asked for together: each is milliseconds
    of work, what takes time is planning it. The first error of any is raised."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        tables = pool.map(lambda frame: frame.toArrow(), frames.values())
        return dict(zip(frames, tables, strict=True))
