"""Appending deliveries to bronze tables with delta-rs, exactly once, without a JVM.

A commit's own metadata carries the full records of the deliveries in it. It is the authority: what
a killed run appended but did not record is found there and recorded later (``unrecorded``).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from contracts.model import Contract
from pipelines.engine.delivery import Delivery
from pipelines.sources.shape import ROW_NUMBER

if TYPE_CHECKING:
    from pipelines.engine.place import Place

METADATA = "exlake.deliveries"
CONFIGURATION = {
    "delta.dataSkippingStatsColumns": "_delivery_id,_row_number",
    "delta.checkpointInterval": "10",
}
"""Bronze text is read by delivery only: statistics of other columns would cost and never help.
With delta-rs's own hundred commits between checkpoints each day would open the table dearer."""


@dataclass(frozen=True)
class Landed:
    """A landed copy that waits to be appended; ``batches`` reads it (again) as text columns."""

    delivery: Delivery
    contract: Contract
    batches: Callable[[], Iterator[pa.RecordBatch]]
    rows: int


def bronze_schema(contract: Contract) -> pa.Schema:
    """Business columns as text, then delivery, ordinal, receipt time (UTC) and interval."""
    fields = [pa.field(c.name, pa.string()) for c in contract.business_columns]
    return pa.schema(
        [
            *fields,
            pa.field("_delivery_id", pa.string()),
            pa.field(ROW_NUMBER, pa.int64()),
            pa.field("_received_at", pa.timestamp("us", tz="UTC")),
            pa.field("_interval", pa.date32()),
        ]
    )


def append(table: Place, contract: Contract, landed: Sequence[Landed]) -> int | None:
    """Append all of ``landed`` in one commit; return its version, None when there are no rows.

    If reading any of them fails, nothing is committed. The caller holds the table's lock.
    """
    filled = [item for item in landed if item.rows]
    if not filled:
        return None
    from deltalake import CommitProperties, write_deltalake

    schema = bronze_schema(contract)
    reader = pa.RecordBatchReader.from_batches(schema, _rows(filled, schema))
    table.prepare()
    there = table.version() >= 0
    write_deltalake(
        table.uri,
        reader,
        storage_options=table.options,
        mode="append",
        schema_mode="merge" if there else None,  # a new generation may add columns
        partition_by=["_interval"],
        configuration=None if there else CONFIGURATION,
        commit_properties=CommitProperties(custom_metadata={METADATA: _encode(filled)}),
    )
    return table.version()


def unrecorded(table: Place, after: int, known: Collection[str]) -> list[Delivery]:
    """Deliveries appended in versions above ``after`` whose ids are not in ``known``."""
    if table.version() < 0:
        return []
    found = []
    log = table.delta()
    for commit in log.history(max(1, log.version() - after)):
        text = commit.get(METADATA)
        if text and int(commit["version"]) > after:
            found += [d for d in decode(text) if d.delivery_id not in known]
    return sorted(found, key=lambda d: (d.received_at, d.delivery_id))


def decode(text: str) -> list[Delivery]:
    """The delivery records that a commit's metadata holds."""
    return [_delivery(body) for body in json.loads(text)]


def _encode(landed: Sequence[Landed]) -> str:
    bodies = [dataclasses.asdict(item.delivery) for item in landed]
    return json.dumps(bodies, default=_iso, ensure_ascii=False, separators=(",", ":"))


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"not a field of a delivery: {value!r}")


def _delivery(body: dict[str, Any]) -> Delivery:
    for name in ("generated_at", "received_at"):
        if body[name] is not None:
            body[name] = datetime.fromisoformat(body[name])
    return Delivery(**body)


def _rows(landed: Sequence[Landed], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for item in landed:
        d = item.delivery
        stamps = (d.delivery_id, None, d.received_at, date.fromisoformat(d.interval))
        for batch in item.batches():
            arrays = []
            for field in schema:
                if field.name in batch.schema.names:
                    arrays.append(batch.column(field.name))
                    continue
                value = stamps[("_delivery_id", "", "_received_at", "_interval").index(field.name)]
                arrays.append(pa.repeat(pa.scalar(value, field.type), batch.num_rows))
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
