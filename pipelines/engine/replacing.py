"""What a write replaces, from the table's log as delta-rs reads it.

Delta's own ``replaceWhere`` puts the whole snapshot together by three Spark jobs to find the files
of an interval, after every commit again. They are all in the log, which is read here in tens of
milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.engine.place import Place


def replaced_files(
    table: Place, version: int, interval_column: str | None, intervals: Collection[str]
) -> tuple[dict[str, Any], ...]:
    """Delta's ``remove`` actions for the files of ``intervals`` in ``version`` of the table.

    ``interval_column`` is its only partition column (None: every file is replaced).
    """
    now = int(time.time() * 1000)
    actions = table.delta(version).get_add_actions(flatten=True)
    names = actions.column("path").to_pylist()
    sizes = actions.column("size_bytes").to_pylist()
    if interval_column is None:
        parts: list[dict[str, str]] = [{} for _ in names]
    else:
        days = actions.column(f"partition.{interval_column}").to_pylist()
        parts = [{interval_column: str(day)} for day in days]
    return tuple(
        {
            "path": name,
            "deletionTimestamp": now,
            "dataChange": True,
            "extendedFileMetadata": True,
            "partitionValues": values,
            "size": size,
        }
        for name, size, values in zip(names, sizes, parts, strict=True)
        if interval_column is None or values[interval_column] in intervals
    )
