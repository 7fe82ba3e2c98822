"""Mend ledgers from commit metadata: what a killed run published but could not record.

The commit is the authority. A table whose newest version is later than the ledger knows is read
back through its history (delta-rs, no JVM); commits that no run of ours wrote are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipelines.engine.metadata import load
from pipelines.engine.rows import IntervalRow, ResultRow
from pipelines.engine.state import State
from pipelines.engine.tables import exists, table_path


def unrecorded(
    home: Path, products: Iterable[str], state: State
) -> tuple[list[IntervalRow], list[ResultRow]]:
    """Return the ledger rows of commits that the ledgers do not hold, oldest first per table."""
    rows: list[IntervalRow] = []
    results: list[ResultRow] = []
    for product in products:
        path = table_path(home, product)
        newest = newest_version(path)
        records = state.records.get(product, {})
        known = max(
            (r.published.delta_version or 0 for r in records.values() if r.published), default=-1
        )
        if newest <= known:
            continue
        seen = {r.published.batch_id for r in records.values() if r.published}
        for version, text in _commits(path, after=known):
            metadata = load(text)
            if metadata is None or metadata.batch_id in seen:
                continue
            rows += [replace(row, delta_version=version) for row in metadata.intervals]
            results += metadata.results
    return rows, results


def newest_version(path: Path) -> int:
    """The table's newest version from its log's file names, -1 when there is no table."""
    if not exists(path):
        return -1
    return max(int(file.stem) for file in (path / "_delta_log").glob("[0-9]*.json"))


def _commits(path: Path, *, after: int) -> list[tuple[int, str | None]]:
    from deltalake import DeltaTable

    history = DeltaTable(str(path)).history()
    found = [(int(entry["version"]), entry.get("userMetadata")) for entry in history]
    return sorted((version, text) for version, text in found if version > after)
