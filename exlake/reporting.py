"""Write a run's quality report below ``reports/quality``: its page, the index, the list of runs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from catalog.pages.render import Written, write_pages
from catalog.trends import trends
from exlake.aside import current_rows
from exlake.steward.board import board_of
from pipelines.engine.decisions import standing
from pipelines.engine.ledgers import DECISION
from quality.report import (
    Held,
    Refusal,
    ReportDocument,
    RunInfo,
    Sample,
    masked,
    render,
    render_index,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.engine.run import Lake, RunSummary

SAMPLES_PER_RULE = 5


def write_report(lake: Lake, summary: RunSummary, command: str) -> Path:
    """Render the run and put the files in place one by one, the index last; return the index."""
    folder = lake.settings.reports / "quality"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    listed = folder / "runs.json"
    earlier = listed.read_text(encoding="utf-8") if listed.exists() else None
    pages = render(document_of(lake, summary, command), earlier)
    for name in sorted(pages, key=lambda path: path == "index.html"):
        _put(folder / name, pages[name])
    return folder / "index.html"


def refresh_index(lake: Lake) -> Path:
    """Write the index with the first screen as it is now, between runs; return it."""
    folder = lake.settings.reports / "quality"
    listed = folder / "runs.json"
    earlier = listed.read_text(encoding="utf-8") if listed.exists() else None
    _put(folder / "index.html", render_index(earlier, board_of(lake)))
    return folder / "index.html"


def refresh_pages(lake: Lake, *, force: bool = False) -> Written:
    """Bring the catalogue's pages up to date, and the report's first screen."""
    refresh_index(lake)
    return write_pages(lake.settings, lake.catalogue, lake.graph, force=force)


def document_of(lake: Lake, summary: RunSummary, command: str) -> ReportDocument:
    """Everything the report shows; sample rows come masked from quarantine."""
    products = {v.product for v in summary.verdicts} | {product for product, _ in summary.held}
    intervals = {v.interval for v in summary.verdicts}
    judged = {v.product for v in summary.verdicts}
    found = trends(lake.ledgers, judged, until=max(intervals - {"all"}, default=None))
    return ReportDocument(
        run=RunInfo(summary.run_id, summary.started_at, summary.ended_at, command),
        contracts={product: lake.catalogue[product] for product in sorted(products)},
        verdicts=summary.verdicts,
        samples=_samples(lake, summary),
        held=tuple(Held(p, h.interval, h.waiting_on, h.because) for p, h in summary.held),
        refusals=_refusals(lake, intervals),
        decisions=tuple(d for d in standing(lake.ledgers.read(DECISION)) if d.product in products),
        trends={(p, rule): trend for p, of in found.items() for rule, trend in of.items()},
        board=board_of(lake),
        unchanged=frozenset(
            (row.product, row.interval)
            for batch in summary.outcomes
            if batch.version is None
            for row in batch.rows
            if row.readable
        ),
    )


def _samples(lake: Lake, summary: RunSummary) -> tuple[Sample, ...]:
    """A few masked rows per product and set of broken rules."""
    from pipelines.engine.ledgers import DELIVERY

    files: dict[str, str] = {}
    taken: dict[tuple[str, str, tuple[str, ...]], int] = {}
    samples: list[Sample] = []
    for verdict in summary.verdicts:
        if not verdict.quarantined and verdict.decision != "block":
            continue
        contract = lake.catalogue[verdict.product]
        for row in current_rows(lake, verdict.product, verdict.interval):
            broken = tuple(json.loads(row["rules"] or "[]"))
            key = (verdict.product, verdict.interval, broken)
            taken[key] = taken.get(key, 0) + 1
            if taken[key] > SAMPLES_PER_RULE:
                continue
            if row["delivery_id"] and not files:
                files = {d.delivery_id: d.file for d in lake.ledgers.read(DELIVERY)}
            samples.append(
                Sample(
                    product=verdict.product,
                    interval=verdict.interval,
                    broken=broken,
                    values=masked(_values(row["row"]), contract),
                    delivery_id=row["delivery_id"],
                    file=files.get(row["delivery_id"] or ""),
                    row_number=row["row_number"],
                )
            )
    return tuple(samples)


def _values(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}


def _refusals(lake: Lake, intervals: set[str]) -> tuple[Refusal, ...]:
    """Refused deliveries of the intervals that were judged."""
    from pipelines.engine.ledgers import DELIVERY

    refused = lake.ledgers.read(DELIVERY, where={"status": ["refused"]})
    found = []
    for d in refused:
        if d.interval in intervals:
            what, _, then = (d.message or "").partition(" Next: ")
            found.append(
                Refusal(
                    d.file, d.dataset, d.interval, d.error_code or "", what, then, d.received_at
                )
            )
    return tuple(found)


def _put(path: Path, text: str) -> None:
    """Write beside, then rename over: a reader never sees half a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
