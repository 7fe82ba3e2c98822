"""The schema a table is stored with, read from its Delta log without Spark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.engine.tables import exists

if TYPE_CHECKING:
    from pipelines.engine.place import Place

Columns = tuple[tuple[str, str], ...]
SPARK_NAMES: Mapping[str, str] = {"integer": "int", "long": "bigint", "short": "smallint"}


def stored_columns(table: Place) -> Columns | None:
    """Names and Spark SQL types in order; None when there is no table."""
    if not exists(table):  # a killed first batch leaves an empty log folder
        return None
    fields = table.delta(without_files=True).schema().fields
    return tuple((f.name, _spark_type(f.type)) for f in fields)


def _spark_type(delta: Any) -> str:
    name = str(getattr(delta, "type", delta))
    return SPARK_NAMES.get(name, name.replace(" ", ""))
