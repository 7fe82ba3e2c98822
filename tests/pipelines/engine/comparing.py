"""Two lakes compared: rows lost or doubled, and everything else that must be alike."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from pipelines.engine.ledgers import DELIVERY, INTERVAL, RESULT
from tests.pipelines.engine.small_lake import ALL, SmallLake
from tests.pipelines.engine.watching import seen

BRONZE = ("bronze.client", "bronze.settle", "bronze.order")


def rows_moved(calm: SmallLake, lake: SmallLake) -> tuple[int, int]:
    """Rows of any layer, or in quarantine and counting, that are missing and that are too many."""
    lost = doubled = 0
    for expected, found in zip(_all_rows(calm), _all_rows(lake), strict=True):
        lost += sum((expected - found).values())
        doubled += sum((found - expected).values())
    return lost, doubled


def _all_rows(lake: SmallLake) -> Iterator[Counter[str]]:
    own = ("_received_at", "_landed_at", "batch_id", "run_id", "rejected_at")
    for product in (*BRONZE, *ALL):
        yield Counter(
            repr([(k, v) for k, v in row.items() if k not in own]) for row in lake.rows(product)
        )
    for interval in sorted(lake.lake.state().records.get("silver.order", {})):
        aside = lake.aside(interval=interval)
        yield Counter(repr((r["delivery_id"], r["row_number"], r["state"])) for r in aside)


def differences(calm: SmallLake, lake: SmallLake) -> list[str]:
    """What the ledgers, hashes and the published file say otherwise than undisturbed."""
    found = []
    if calm.hashes() != lake.hashes():
        found.append("hashes differ")
    expected, got = calm.ledger(), lake.ledger()
    found += [f"ledger of {k} differs" for k in sorted(expected.keys() | got.keys())
              if expected.get(k) != got.get(k)]  # fmt: skip
    ledgers = lake.lake.ledgers
    if Counter(d.delivery_id for d in ledgers.read(DELIVERY)) != Counter(
        d.delivery_id for d in calm.lake.ledgers.read(DELIVERY)
    ):
        found.append("deliveries are not recorded once each")
    judged = Counter((r.batch_id, r.interval, r.rule_id, r.run_id) for r in ledgers.read(RESULT))
    if judged and max(judged.values()) > 1:
        found.append("a result is recorded twice")
    found += _lineage(lake)
    published = [{s for s in seen(x.home) if s[0] == "duckdb"} for x in (calm, lake)]
    if published[0] != published[1]:
        found.append("the published file differs")
    return found


def _lineage(lake: SmallLake) -> list[str]:
    """Each batch that the ledger names has its four events, once."""
    batches = {
        (r.batch_id, r.product) for r in lake.lake.ledgers.read(INTERVAL)
        if r.batch_id.startswith(r.run_id) and (r.attempted or r.state == "failed")
    }  # fmt: skip
    path = lake.home / "ops" / "openlineage.jsonl"
    text = path.read_text("utf-8") if path.exists() else ""
    events = [_event(line) for line in text.splitlines()]
    told = Counter(e for e in events if e)
    if len(told) != 4 * len(batches):
        return [f"{len(told)} lineage events for {len(batches)} batches"]
    return ["a lineage event is told twice"] if max(told.values(), default=0) > 1 else []


def _event(line: str) -> tuple[str, str] | None:
    try:
        body = json.loads(line)
    except ValueError:
        return None
    return body["run"]["runId"], body["eventType"]


# --- cases --------------------------------------------------------------------------------------
