"""What is in quarantine now: rows of the batch that each interval's ledger row names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.engine.rows import READABLE

if TYPE_CHECKING:
    from pipelines.engine.run import Lake


def current_rows(lake: Lake, product: str, interval: str | None = None) -> list[dict[str, Any]]:
    """Quarantined and blocked rows of a product that count, in order of interval and line.

    Rows of batches that a later one replaced, or that were never committed, don't count.
    """
    from pipelines.engine.ledgers import INTERVAL
    from pipelines.engine.tables import exists

    place = lake.settings.storage.quarantine(product)
    if not exists(place):
        return []
    batches: dict[str, set[str]] = {}
    for row in lake.ledgers.read(INTERVAL, where={"product": [product]}):
        if row.state in READABLE or row.state == "blocked":
            batches[row.interval] = {row.batch_id}
    wanted = [interval] if interval else sorted(batches)
    rows: list[dict[str, Any]] = (
        place.rows([("interval", "in", wanted)]).to_pylist() if wanted else []
    )
    counting = [r for r in rows if r["batch_id"] in batches.get(r["interval"], ())]
    return sorted(
        counting, key=lambda r: (r["interval"], r["delivery_id"] or "", r["row_number"] or 0)
    )


def counted(
    lake: Lake, chosen: Sequence[str] | None, span: tuple[date, date] | None
) -> list[dict[str, Any]]:
    """Rows put aside per product, interval, state and rule; a row counts once for each rule."""
    products = sorted(set(chosen or lake.catalogue.contracts))
    found: Counter[tuple[str, str, str, str]] = Counter()
    for each in products:
        lake.catalogue[each]
        for row in current_rows(lake, each):
            if span and not _within(row["interval"], span):
                continue
            for rule in json.loads(row["rules"] or "[]"):
                found[each, row["interval"], row["state"], rule] += 1
    return [
        {"product": p, "interval": i, "state": s, "rule": r, "rows": n}
        for (p, i, s, r), n in sorted(found.items())
    ]


def _within(interval: str, span: tuple[date, date]) -> bool:
    return interval == "all" or span[0].isoformat() <= interval <= span[1].isoformat()
