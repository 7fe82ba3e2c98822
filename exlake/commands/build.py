"""Commands that move data: simulate, fetch, land, run, backfill, judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exlake.commands.look import Given, Products, show_plan
from exlake.dates import Dates, optional_range, parse_day, parse_range
from exlake.printing import AsJson, document, listing

if TYPE_CHECKING:
    from exlake.orchestration.flows import Outcome

Wanted = Annotated[str, typer.Option("--dates", metavar="A..B", help="Trade dates, both included.")]
DELIVERY = (
    "dataset", "interval", "sequence", "mode", "status", "rows", "file", "error_code", "message",
)  # fmt: skip
BAD = frozenset({"blocked", "held", "failed"})


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (simulate, fetch, land, run, backfill, judge):
        app.command()(command)


def simulate(
    dates: Wanted,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    scale: Annotated[str, typer.Option(help="tiny, small, medium or exchange.")] = "small",
    dirty: Annotated[
        str | None, typer.Option(help="Rate of dirty deliveries (0..1), 'demo' or 'all'.")
    ] = None,
    market_data: Annotated[
        Path | None, typer.Option(help="A folder of real prices to trade inside.")
    ] = None,
    file_format: Annotated[
        str, typer.Option("--format", help="csv or parquet: how tables are delivered.")
    ] = "csv",
    as_json: AsJson = False,
) -> None:
    """Let the simulated exchange deliver some trade dates into the inbox."""
    from dataclasses import asdict

    from pipelines.engine.calendar import TradingCalendar
    from pipelines.engine.settings import load_settings
    from pipelines.simulation.world import simulate as deliver

    rows: list[dict[str, Any]] = []

    def show(day: Any) -> None:
        rows.append(asdict(day))
        if not as_json:
            typer.echo(f"{day.trade_date}: {day.order_events:,} order events, {day.trades:,} "
                       f"trades, {day.files} files in {day.seconds:.1f} s")  # fmt: skip

    deliver(
        load_settings().inbox,
        TradingCalendar.default().between(*parse_range(dates)),
        seed,
        scale,
        market_data=market_data,
        dirty=_rate(dirty),
        file_format=file_format,
        on_progress=show,
    )
    if as_json:
        document(rows)


def _rate(dirty: str | None) -> float | str | None:
    try:
        return None if dirty is None else float(dirty)
    except ValueError:
        return dirty


def fetch(
    dates: Wanted,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="A dataset or system; default: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the exchanges' addresses for trade dates, and land what is new. Exit 1 if any refused."""
    from dataclasses import asdict

    from exlake.lake import open_catalogue
    from pipelines.engine.calendar import TradingCalendar
    from pipelines.sources.fetching import fetch as ask

    settings, catalogue = open_catalogue()
    days = TradingCalendar.default().between(*parse_range(dates))
    found = ask(settings, catalogue, days, source)
    rows = [asdict(d) for d in found.deliveries]
    listing(rows, DELIVERY, title="Fetched", as_json=as_json, empty="Nothing new came.")
    for url in found.missing:
        typer.echo(f"not there yet: {url}", err=True)
    if found.problems:
        first, *others = sorted(found.problems, key=lambda p: not p.transient)
        for problem in others:
            typer.echo(str(problem), err=True)
        raise first
    if any(d.status == "refused" for d in found.deliveries):
        raise typer.Exit(1)


def land(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="A system or dataset; default: all.")
    ] = None,
    day: Annotated[str | None, typer.Option("--date", metavar="D", help="One interval.")] = None,
    from_path: Annotated[
        Path | None, typer.Option("--from", help="A folder or file; default: the inbox.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy, check and record what was delivered, and append it to bronze. Exit 1 if any refused."""
    from dataclasses import asdict

    from exlake.lake import open_catalogue
    from pipelines.sources.landing import land as receive

    try:
        interval = parse_day(day) if day else None
    except ValueError:
        raise typer.BadParameter(f"{day!r} is no date: write 2026-01-05") from None
    settings, catalogue = open_catalogue()
    found = receive(settings, catalogue, source, interval, from_path)
    listing(
        [asdict(d) for d in found], DELIVERY, title="Deliveries", as_json=as_json,
        empty="Nothing new was delivered.",
    )  # fmt: skip
    if any(d.status == "refused" for d in found):
        raise typer.Exit(1)


def run(
    product: Products = None,
    dates: Dates = None,
    force: Annotated[bool, typer.Option("--force", help="Rebuild fresh intervals too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build, judge and publish what is stale. Exit 1 if anything is blocked or held."""
    from exlake.orchestration.flows import run_products

    _report(
        run_products(
            product or None,
            optional_range(dates),
            force=force,
            on_progress=_quiet if as_json else _say,
        ),
        as_json,
    )


def backfill(
    product: Given,
    dates: Wanted,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what is blocked, held or broken, again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Plan one product over a range, ask, then run it, oldest first; what became of each interval.

    Interrupt it once and it stops after the batch at work; the same command goes on from there.
    """
    from exlake.lake import open_lake
    from exlake.orchestration.backfilling import carry_out_backfill, plan_backfill, stopping
    from exlake.orchestration.flows import raise_broken

    found = plan_backfill(open_lake(), product, parse_range(dates), failed=failed)
    if not as_json:
        show_plan(found.plan)
    if found.plan.idle:
        if as_json:
            document([])
        return
    if not yes and not typer.confirm("Run this?"):
        raise typer.Exit(1)
    say = _quiet if as_json else _say
    with stopping(say) as stop:
        outcomes, summary = carry_out_backfill(found, say, stop)
    _listed(outcomes, "Backfill", as_json)
    raise_broken(summary)
    if summary.stopped or any(o.state in BAD for o in outcomes):
        raise typer.Exit(1)


def judge(product: Given, dates: Wanted, as_json: AsJson = False) -> None:
    """Build and judge with the working tree, publish nothing. Exit 1 if anything would fail."""
    from exlake.orchestration.flows import judge_product

    rows = judge_product(product, parse_range(dates), _quiet if as_json else _say)
    columns = ("interval", "rule", "severity", "outcome", "failing", "checked", "was", "change",
               "message")  # fmt: skip
    listing(rows, columns, title=f"Judgement of {product}", as_json=as_json)
    if any(r["outcome"] in ("failed", "not_evaluated") for r in rows):
        raise typer.Exit(1)


def _report(outcomes: list[Outcome], as_json: bool) -> None:
    _listed(outcomes, "Run", as_json)
    if any(o.state in BAD for o in outcomes):
        raise typer.Exit(1)


def _listed(outcomes: list[Outcome], title: str, as_json: bool) -> None:
    from dataclasses import asdict

    columns = ("product", "interval", "state", "built", "accepted", "quarantined", "reasons")
    listing(
        [asdict(o) for o in outcomes], columns, title=title, as_json=as_json,
        empty="Everything is up to date: nothing ran.",
    )  # fmt: skip


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _quiet(line: str) -> None:
    """Progress has no place in JSON output."""
