"""OpenLineage: what each batch read and wrote, at which versions, and how it was judged.

Events are built from typed ledger rows alone and appended to one file,
``home/ops/openlineage.jsonl``. A batch is one run of job ``<product>``; its judgement is a run
of job ``<product>.gate`` that reads the product, because the standard hangs quality assertions
on inputs. Spec 2-0-2, https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

from __future__ import annotations

import contextlib
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
from pipelines.engine.faults import reach
from pipelines.engine.ledgers import INTERVAL, RESULT, RUN, Ledgers
from pipelines.engine.rows import IntervalRow, ResultRow
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
CURSOR = "openlineage.json"

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
    lake: str,
    started_at: datetime,
    columns: ColumnSources | None = None,
) -> tuple[Event, ...]:
    """START and COMPLETE (or FAIL, when nothing was published) of the batch and of its gate.

    Times are zone-aware; ``lake`` is the URI of what holds the tables.
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


def bring_up_to_date(settings: Settings, catalogue: Catalogue) -> int:
    """Append the events of every batch that the ledgers hold and the file does not; how many.

    Reads what was appended to the ledgers since the last call, so a batch whose run was killed is
    told by the next one. A call that was killed itself after writing is recognised by what stands
    behind the size it began with: nothing is told twice.
    """
    ledgers = Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)
    path = settings.ops / FILE
    after = _cursor(settings.ops)
    intervals = ledgers.read(INTERVAL, after=after["interval"])
    if not intervals:
        return 0
    results = ledgers.read(RESULT, after=after["result"])
    told = _told(path, after["bytes"])
    events = [e for e in _events_of(ledgers, settings, catalogue, intervals, results)
              if (e["run"]["runId"], e["eventType"]) not in told]  # fmt: skip
    append_events(path, events)
    reach("lineage-emitted")
    seen = {
        "interval": max(row.sequence for row in intervals),
        "result": max((row.sequence for row in results), default=after["result"]),
        "bytes": path.stat().st_size if path.exists() else 0,
    }
    draft = settings.ops / f".{CURSOR}.{os.getpid()}"
    draft.write_text(json.dumps(seen), encoding="utf-8")
    draft.replace(settings.ops / CURSOR)
    reach("lineage-noted")
    return len(events)


def _events_of(
    ledgers: Ledgers,
    settings: Settings,
    catalogue: Catalogue,
    intervals: Sequence[IntervalRow],
    results: Sequence[ResultRow],
) -> Iterable[Event]:
    """Events of these rows' batches; a killed run has no row of its own and begins with them."""
    runs = ledgers.read(RUN, where={"run_id": sorted({row.run_id for row in intervals})})
    began = {r.run_id: r.at - timedelta(seconds=r.seconds) for r in runs}
    columns = column_sources()
    lake = settings.storage.root or settings.home.as_uri()
    for batch in batches_of(intervals, results):
        first = min(i.committed_at for i in batch.intervals)
        started = began.get(batch.intervals[0].run_id, first)
        yield from events_of(batch, catalogue, lake, started, columns)


def _cursor(ops: Path) -> dict[str, int]:
    """How far ledgers and file were told; a lost note means: look at everything again."""
    beginning = {"interval": -1, "result": -1, "bytes": 0}
    try:
        body = json.loads((ops / CURSOR).read_text(encoding="utf-8"))
        return {name: int(body[name]) for name in beginning}
    except (OSError, ValueError, KeyError, TypeError):
        return beginning


def _told(path: Path, after: int) -> frozenset[tuple[str, str]]:
    """(run, event type) of the whole lines behind this many bytes of the file."""
    if not path.exists():
        return frozenset()
    with path.open("rb") as file:
        file.seek(after)
        lines = file.read().splitlines()
    found = set()
    for line in lines:
        with contextlib.suppress(ValueError):  # a killed process left it unfinished
            event = json.loads(line)
            found.add((event["run"]["runId"], event["eventType"]))
    return frozenset(found)


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


def _inputs(batch: Batch, catalogue: Catalogue, lake: str) -> list[Event]:
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


def _dataset(contract: Contract, lake: str, version: int | None) -> Event:
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
        "dataSource": _facet("1-0-1/DatasourceDatasetFacet", name=NAMESPACE, uri=lake),
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
