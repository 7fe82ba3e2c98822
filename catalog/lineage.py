"""OpenLineage: what each batch read and wrote, at which versions, and how it was judged.

Events are built from typed ledger rows alone and appended to one file,
``home/ops/openlineage.jsonl``. A batch is one run of job ``<product>``; its judgement is a run
of job ``<product>.gate`` that reads the product, because the standard hangs quality assertions
on inputs. Spec 2-0-2, https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from catalog.column_sources import ColumnSource, ColumnSources, column_sources
from contracts.catalogue import Catalogue
from contracts.model import Contract
from pipelines.engine.ledgers import INTERVAL, RESULT, RUN, Ledgers, period_of
from pipelines.engine.rows import IntervalRow, ResultRow, RunRow
from pipelines.engine.settings import Settings

NAMESPACE = "exlake"
PRODUCER = "urn:exlake:platform:0.1"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
IDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:exlake:runs")
WRITTEN = frozenset({"published", "quarantine", "flagged"})
ATTEMPTED = WRITTEN | {"blocked", "failed"}
EVALUATED = frozenset({"passed", "failed", "not_evaluated"})
FILE = "openlineage.jsonl"

Event = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """One batch of one product: the ledger rows it left."""

    intervals: tuple[IntervalRow, ...]
    results: tuple[ResultRow, ...]

    @property
    def product(self) -> str:
        """The product it built."""
        return self.intervals[0].product

    @property
    def published(self) -> bool:
        """True when at least one interval came through."""
        return any(i.state in WRITTEN for i in self.intervals)


def batches_of(intervals: Iterable[IntervalRow], results: Iterable[ResultRow]) -> tuple[Batch, ...]:
    """Group a run's ledger rows by batch and product.

    Held intervals were no batch, and a row that only states again what an earlier run's batch
    came to belongs to that run's events.
    """
    rows: dict[tuple[str, str], list[IntervalRow]] = {}
    for row in intervals:
        if row.state in ATTEMPTED and row.batch_id.startswith(row.run_id):
            rows.setdefault((row.batch_id, row.product), []).append(row)
    judged: dict[tuple[str, str], list[ResultRow]] = {}
    for result in results:
        judged.setdefault((result.batch_id, result.product), []).append(result)
    return tuple(Batch(tuple(found), tuple(judged.get(k, ()))) for k, found in rows.items())


def events_of(
    batch: Batch,
    catalogue: Catalogue,
    lake: Path,
    started_at: datetime,
    columns: ColumnSources | None = None,
) -> tuple[Event, ...]:
    """START and COMPLETE (or FAIL, when nothing was published) of the batch and of its gate.

    Times are zone-aware; ``lake`` is the folder that holds the tables.
    """
    contract = catalogue[batch.product]
    first = batch.intervals[0]
    ended_at = max(i.committed_at for i in batch.intervals)
    run = _run(batch, first.run_id, first.batch_id, first.product)
    gate_run = _run(batch, first.run_id, first.batch_id, f"{first.product}.gate")
    job = _job(contract, first.product)
    gate = _job(contract, f"{first.product}.gate")
    inputs = _inputs(batch, catalogue, lake)
    output = _dataset(contract, lake, _version(batch))
    if columns and (declared := columns.get(batch.product)):
        output["facets"]["columnLineage"] = _column_lineage(declared)
    end = "COMPLETE" if batch.published else "FAIL"
    done: Event = _event(end, ended_at, run, job, inputs, [_measured(output, batch)])
    if not batch.published:
        reasons = "; ".join(dict.fromkeys(r for i in batch.intervals for r in i.reasons))
        message = reasons or "nothing was published"
        done["run"]["facets"]["errorMessage"] = _facet(
            "1-0-1/ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON"
        )
        done["outputs"] = []
    judged = dict(_dataset(contract, lake, _version(batch)))
    judged["inputFacets"] = {"dataQualityAssertions": _assertions(batch, catalogue)}
    return (
        _event("START", started_at, run, job, inputs, [output]),
        _event("START", started_at, gate_run, gate, [], []),
        _event("COMPLETE", ended_at, gate_run, gate, [judged], []),
        done,
    )


def record_lineage(
    settings: Settings,
    catalogue: Catalogue,
    intervals: Iterable[IntervalRow],
    results: Iterable[ResultRow],
    started_at: datetime,
) -> int:
    """Append the events of a run's ledger rows; returns how many."""
    events = [
        event
        for batch in batches_of(intervals, results)
        for event in events_of(batch, catalogue, settings.home, started_at, column_sources())
    ]
    append_events(settings.ops / FILE, events)
    return len(events)


def record_run(settings: Settings, catalogue: Catalogue, run_id: str) -> int:
    """Append the events of one run as the ledgers have it; returns how many.

    Of the ledgers by interval only the months of the run's dates are read.
    """
    ledgers = Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)
    mine = {"run_id": (run_id,)}
    runs = ledgers.read(RUN, where=mine)
    periods = _periods(runs)
    intervals = ledgers.read(INTERVAL, periods=periods, where=mine)
    if not intervals:
        return 0
    results = ledgers.read(RESULT, periods=periods, where=mine)
    begins = [r.at - timedelta(seconds=r.seconds) for r in runs]
    begun = min(begins, default=min(i.committed_at for i in intervals))
    return record_lineage(settings, catalogue, intervals, results, begun)


def _periods(runs: Sequence[RunRow]) -> tuple[str, ...] | None:
    """Months that a run's dates span, and ``all``; None (everything) when it had no dates."""
    spans = [r.dates.split("..") for r in runs if r.dates]
    if not spans:
        return None
    first = min(date.fromisoformat(a) for a, _ in spans)
    last = max(date.fromisoformat(b) for _, b in spans)
    days = (first + timedelta(n) for n in range((last - first).days + 1))
    return (period_of("all"), *sorted({period_of(d.isoformat()) for d in days}))


def append_events(path: Path, events: Sequence[Event]) -> None:
    """Append events as JSON lines in one write, durably.

    A line that a killed process left unfinished is closed first, so that it spoils no other.
    """
    if not events:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    body = "".join(json.dumps(e, ensure_ascii=False, sort_keys=True) + "\n" for e in events)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            body = "\n" + body
        data = memoryview(body.encode())
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _event(
    kind: str,
    at: datetime,
    run: Event,
    job: Event,
    inputs: Sequence[Event],
    outputs: Sequence[Event],
) -> Event:
    return {
        "eventType": kind,
        "eventTime": _moment(at),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": run["runId"], "facets": dict(run["facets"])},
        "job": job,
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def _run(batch: Batch, run_id: str, batch_id: str, job: str) -> Event:
    facets = {
        "parent": _facet(
            "1-2-0/ParentRunFacet",
            run={"runId": str(uuid.uuid5(IDS, run_id))},
            job={"namespace": NAMESPACE, "name": "run"},
        )
    }
    days = sorted(date.fromisoformat(i.interval) for i in batch.intervals if i.interval != "all")
    if days:
        facets["nominalTime"] = _facet(
            "1-0-1/NominalTimeRunFacet",
            nominalStartTime=f"{days[0]}T00:00:00+08:00",
            nominalEndTime=f"{days[-1] + timedelta(1)}T00:00:00+08:00",
        )
    return {"runId": str(uuid.uuid5(IDS, f"{batch_id}/{job}")), "facets": facets}


def _job(contract: Contract, name: str) -> Event:
    kind = _facet(
        "2-0-4/JobTypeJobFacet", processingType="BATCH", integration="EXLAKE", jobType="JOB"
    )
    said = _facet("1-1-0/DocumentationJobFacet", description=contract.description)
    return {
        "namespace": NAMESPACE,
        "name": name,
        "facets": {"jobType": kind, "documentation": said},
    }


def _inputs(batch: Batch, catalogue: Catalogue, lake: Path) -> list[Event]:
    """Every product read, once, at its newest pinned version; the pins themselves beside it."""
    pins = [(i.interval, pin) for i in batch.intervals for pin in i.inputs]
    found = []
    for product in sorted({pin.product for _, pin in pins if pin.product in catalogue}):
        mine = [(interval, pin) for interval, pin in pins if pin.product == product]
        version = max((p.version for _, p in mine if p.version is not None), default=None)
        dataset = _dataset(catalogue[product], lake, version)
        dataset["facets"]["exlake_pins"] = {
            "_producer": PRODUCER,
            "_schemaURL": "urn:exlake:facet:pins:1",
            "pins": [
                {
                    "interval": interval,
                    "at": pin.at,
                    "fingerprint": pin.fingerprint,
                    "version": pin.version,
                }
                for interval, pin in mine
            ],
        }
        found.append(dataset)
    return found


def _dataset(contract: Contract, lake: Path, version: int | None) -> Event:
    fields = [
        {
            "name": c.name,
            "type": c.type,
            "description": f"{c.title_zh} ({c.title}): {c.description}",
            "ordinal_position": n,
        }
        for n, c in enumerate(contract.columns, 1)
    ]
    facets: Event = {
        "schema": _facet("1-2-0/SchemaDatasetFacet", fields=fields),
        "dataSource": _facet(
            "1-0-1/DatasourceDatasetFacet", name=NAMESPACE, uri=lake.absolute().as_uri()
        ),
    }
    if version is not None:
        facets["version"] = _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=str(version))
    return {"namespace": NAMESPACE, "name": contract.product, "facets": facets}


def _version(batch: Batch) -> int | None:
    found = [i.delta_version for i in batch.intervals if i.state in WRITTEN]
    return max((v for v in found if v is not None), default=None)


def _measured(output: Event, batch: Batch) -> Event:
    rows = sum(i.accepted for i in batch.intervals if i.state in WRITTEN)
    statistics = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", rowCount=rows)
    return {**output, "outputFacets": {"outputStatistics": statistics}}


def _column_lineage(declared: Mapping[str, Sequence[ColumnSource]]) -> Event:
    fields = {
        column: {
            "inputFields": [
                {"namespace": NAMESPACE, "name": s.product, "field": s.column} for s in sources
            ]
        }
        for column, sources in declared.items()
    }
    return _facet("1-2-0/ColumnLineageDatasetFacet", fields=fields)


def _assertions(batch: Batch, catalogue: Catalogue) -> Event:
    """One assertion per rule that was evaluated, over all intervals of the batch."""
    rules = {r.id: r for r in catalogue[batch.product].rules}
    by_rule: dict[str, list[ResultRow]] = {}
    for result in batch.results:
        if result.outcome in EVALUATED:
            by_rule.setdefault(result.rule_id, []).append(result)
    assertions = []
    for rule_id, results in sorted(by_rule.items()):
        bad = [r for r in results if r.outcome != "passed"]
        shown = (bad or results)[0]
        rule = rules.get(rule_id)
        said: Event = {
            "assertion": shown.kind,
            "success": not bad,
            "name": rule_id,
            "severity": shown.severity,
            "params": {
                "dimension": shown.dimension,
                "failing": sum(r.failing or 0 for r in results),
                "checked": sum(r.checked or 0 for r in results),
                "failed_intervals": [r.interval for r in bad],
            },
        }
        if rule is not None:
            said["description"] = rule.description
            if len(rule.columns) == 1:
                said["column"] = rule.columns[0]
        for name in ("expected", "actual"):
            if (value := getattr(shown, name)) is not None:
                said[name] = value
        assertions.append(said)
    return _facet("1-1-0/DataQualityAssertionsDatasetFacet", assertions=assertions)


def _facet(schema: str, **body: Any) -> Event:
    name = schema.split("/")[1]
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{FACETS}/{schema}.json#/$defs/{name}",
        **body,
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
