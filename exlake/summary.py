"""What a demonstration ends with: what became of every delivery and product, and where it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.engine.run import Lake
    from pipelines.engine.settings import Settings

EXAMPLES: dict[str, str] = {
    "The busiest contracts of each day, with the official settlement price": (
        "SELECT trade_date, contract_id, volume_lots, turnover, settlement_price, vwap_price "
        "FROM gold.market_daily "
        "QUALIFY row_number() OVER (PARTITION BY trade_date ORDER BY volume_lots DESC) <= 3 "
        "ORDER BY trade_date, volume_lots DESC"
    ),
    "Clients that cancel most of what they order, beside what their member trades": (
        "SELECT c.trade_date, c.client_id, c.contract_id, c.new_orders, c.cancels, "
        "c.order_to_trade_ratio, m.traded_lots AS member_lots FROM gold.client_day c "
        "JOIN gold.member_day m USING (trade_date, member_id) WHERE c.new_orders >= 20 "
        "ORDER BY c.cancels * 1.0 / c.new_orders DESC, c.new_orders DESC LIMIT 10"
    ),
    "How open interest moved from the day before, commodity by commodity": (
        "SELECT trade_date, commodity_id, sum(open_interest_lots) AS lots, "
        "sum(open_interest_lots) - lag(sum(open_interest_lots)) OVER "
        "(PARTITION BY commodity_id ORDER BY trade_date) AS change "
        "FROM gold.market_daily GROUP BY trade_date, commodity_id "
        "ORDER BY abs(change) DESC NULLS LAST LIMIT 10"
    ),
}
"""Question -> SQL that a person can paste; a test runs each of them."""


@dataclass(frozen=True)
class ProductLine:
    """One built product: rows over its intervals, and how many intervals are in which state."""

    product: str
    intervals: int
    built: int
    accepted: int
    quarantined: int
    blocked: int
    held: int
    failed: int


@dataclass(frozen=True)
class LandedLine:
    """One dataset: deliveries and rows that landed, deliveries that were refused."""

    dataset: str
    landed: int
    rows: int
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """Everything the closing page shows."""

    landed: tuple[LandedLine, ...]
    products: tuple[ProductLine, ...]
    reasons: tuple[str, ...]
    """Why intervals are blocked, held or broken."""
    places: tuple[tuple[str, Path], ...]
    """What to open, by name: the lake, each kind of page that was written, each audience's file."""


def summarise(lake: Lake, dates: Collection[str] | None = None) -> Summary:
    """Read the ledgers (no Spark); ``dates`` keeps these intervals and ``all``."""
    from pipelines.engine.ledgers import DELIVERY

    wanted = None if dates is None else {*dates, "all"}
    deliveries = defaultdict(list)
    for d in lake.ledgers.read(DELIVERY):
        if wanted is None or d.interval in wanted:
            deliveries[d.dataset].append(d)
    landed = tuple(
        LandedLine(
            dataset=dataset,
            landed=sum(d.status == "landed" for d in group),
            rows=sum(d.rows or 0 for d in group if d.status == "landed"),
            refused=tuple(f"{d.file}: {d.error_code}" for d in group if d.status == "refused"),
        )
        for dataset, group in sorted(deliveries.items())
    )
    rows = [
        row
        for row in lake.ledgers.latest_intervals()
        if (wanted is None or row.interval in wanted) and row.product in lake.graph.nodes
    ]
    by_product = defaultdict(list)
    for row in rows:
        by_product[row.product].append(row)
    products = tuple(
        ProductLine(
            product=product,
            intervals=len(by_product[product]),
            built=sum(r.built for r in by_product[product]),
            accepted=sum(r.accepted for r in by_product[product] if r.state != "blocked"),
            quarantined=sum(r.quarantined for r in by_product[product]),
            blocked=sum(r.state == "blocked" for r in by_product[product]),
            held=sum(r.state == "held" for r in by_product[product]),
            failed=sum(r.state == "failed" for r in by_product[product]),
        )
        for product in lake.graph.built
        if product in by_product
    )
    reasons = tuple(
        f"{r.product} {r.interval} {r.state}: "
        + (f"waiting on {r.waiting_on}" if r.waiting_on else "; ".join(r.reasons))
        for r in rows
        if r.state in ("blocked", "held", "failed")
    )
    return Summary(landed, products, reasons, _places(lake.settings))


def _places(settings: Settings) -> tuple[tuple[str, Path], ...]:
    newest = {
        name: max(settings.reports.glob(pattern), default=None)
        for name, pattern in (
            ("report", "quality/index.html"),
            ("catalogue", "catalog/index.html"),
            ("news brief", "news/brief-*.html"),
            ("alerts", "surveillance/index.html"),
            ("members", "members/*/index.html"),
        )
    }
    pages = ((name, path) for name, path in newest.items() if path is not None)
    files = ((path.stem, path) for path in sorted(settings.publish.glob("*.duckdb")))
    return (("lake", settings.home), *pages, *files)


def show(summary: Summary, console: Console) -> None:
    """Print the closing page."""
    from rich.table import Table

    files = sum(line.landed for line in summary.landed)
    rows = sum(line.rows for line in summary.landed)
    console.print(f"\n[bold]Landed[/] {files} deliveries, {rows:,} rows")
    for line in summary.landed:
        for refused in line.refused:
            console.print(f"  refused  {line.dataset}: {refused}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("product")
    for column in ("intervals", "rows in", "accepted", "quarantined", "blocked", "held", "failed"):
        table.add_column(column, justify="right")
    for p in summary.products:
        figures = (p.intervals, p.built, p.accepted, p.quarantined, p.blocked, p.held, p.failed)
        table.add_row(p.product, *(f"{n:,}" if n else "-" for n in figures))
    console.print(table)
    for reason in summary.reasons:
        console.print(f"  {reason}", highlight=False, soft_wrap=True)
    console.print("\n[bold]Where things are[/]")
    for name, path in summary.places:
        console.print(f"  {name:<12} {path}", highlight=False, soft_wrap=True)
    published = any(path.suffix == ".duckdb" for _, path in summary.places)
    if published and any(p.product.startswith("gold.") for p in summary.products):
        console.print("\n[bold]Three questions to begin with[/]")
        for question, sql in EXAMPLES.items():
            console.print(f"  # {question}", highlight=False, soft_wrap=True)
            console.print(f'  .venv/bin/exlake sql "{sql}"', highlight=False, soft_wrap=True)
