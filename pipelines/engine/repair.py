"""Mend ledgers from commit metadata: what a killed run published but could not record.

The commit is the authority. A table whose newest version is later than the ledger knows is read
back through its history (delta-rs, no JVM); commits that no run of ours wrote are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pipelines.engine.ledgers import INTERVAL, LINEAGE, RESULT, Ledgers
from pipelines.engine.metadata import load
from pipelines.engine.place import Place, Storage, is_commit
from pipelines.engine.rows import IntervalRow, LineageRow, ResultRow
from pipelines.engine.state import State


def unrecorded(
    storage: Storage, products: Iterable[str], state: State
) -> tuple[list[IntervalRow], list[ResultRow]]:
    """Return the ledger rows of commits that the ledgers do not hold, oldest first per table."""
    rows: list[IntervalRow] = []
    results: list[ResultRow] = []
    for product in products:
        place = storage.table(product)
        newest = place.version()
        records = state.records.get(product, {})
        known = max(
            (r.published.delta_version or 0 for r in records.values() if r.published), default=-1
        )
        if newest <= known:
            continue
        seen = {r.published.batch_id for r in records.values() if r.published}
        for version, text in _commits(place, after=known):
            metadata = load(text)
            if metadata is None or metadata.batch_id in seen:
                continue
            rows += [replace(row, delta_version=version) for row in metadata.intervals]
            pins = {r.interval: (*r.inputs, *r.rule_inputs) for r in metadata.intervals}
            results += [replace(r, inputs=pins[r.interval]) for r in metadata.results]
    return rows, results


def repair(
    ledgers: Ledgers, storage: Storage, products: Iterable[str], state: State, now: datetime
) -> list[IntervalRow]:
    """Append what commits carry and the ledgers lack: intervals, results, lineage.

    Results and lineage are appended before intervals are, so a run killed between the two has
    left some; those are not repeated. Returns the interval rows.
    """
    rows, results = unrecorded(storage, products, state)
    if not rows:
        return rows
    batches = sorted({row.batch_id for row in rows})
    judged = _there(ledgers, RESULT, batches)
    traced = _there(ledgers, LINEAGE, batches)
    lineage = [
        line for row in rows if row.batch_id not in traced for line in lineage_of(row, {}, now)
    ]
    ledgers.append(
        (RESULT, [r for r in results if r.batch_id not in judged]),
        (LINEAGE, lineage),
        (INTERVAL, rows),
    )
    return rows


def _there(ledgers: Ledgers, ledger: Any, batches: list[str]) -> set[str]:
    table = ledgers.arrow(ledger, where={"batch_id": batches})
    return set(table.column("batch_id").to_pylist())


def lineage_of(
    row: IntervalRow, versions: Mapping[str, int], at: datetime, batch_id: str | None = None
) -> list[LineageRow]:
    """One line per input of an interval's batch; ``versions``: Delta versions as they were read."""
    return [
        LineageRow(
            run_id=row.run_id,
            batch_id=batch_id or row.batch_id,
            product=row.product,
            interval=row.interval,
            input_product=pin.product,
            input_at=pin.at,
            input_fingerprint=pin.fingerprint,
            recorded_at=at,
            input_version=versions.get(pin.product, pin.version),
            read_by=by,
        )
        for by, pins in (("job", row.inputs), ("rule", row.rule_inputs))
        for pin in pins
    ]


def _commits(place: Place, *, after: int) -> list[tuple[int, str | None]]:
    """(version, our metadata) of the commits after a version, oldest first.

    Read from their own log entries: maintenance leaves versions that no ledger names, and the
    whole history would be read again by every plan.
    """
    entries = sorted((int(e.name[:-5]), e.name) for e in place.log() if is_commit(e.name))
    return [(v, _metadata(place.log_text(name))) for v, name in entries if v > after]


def _metadata(entry: str) -> str | None:
    for line in entry.splitlines():
        said = json.loads(line).get("commitInfo")
        if said is not None:
            text = said.get("userMetadata")
            return None if text is None else str(text)
    return None
