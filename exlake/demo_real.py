"""`make demo-real`: real files through the same DAGs, contracts and gate, in their own lake."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import TerminalError
from exlake import stage
from exlake.reporting import refresh_pages
from exlake.summary import show, summarise

if TYPE_CHECKING:
    from rich.console import Console

    from contracts.catalogue import Catalogue
    from exlake.inbox import Found
    from pipelines.engine.run import Lake

FLOWS = ("reference", "trading_day", "external")


class NoRealDataError(TerminalError):
    """Raised when a folder holds no file that any contract recognises."""

    code = "no-real-data"

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"{data} holds no file that a bronze contract recognises.",
            next_step="give a folder with some of the real files: make demo-real DATA=folder.",
        )


def run_demo_real(data: Path) -> None:
    """Drive the DAGs over every interval that the folder's files name, and show the outcome.

    The lake is ``<EXLAKE_HOME>-real`` (./lake-real). Files are read where they are; what the
    contracts know and the folder lacks is listed.
    """
    from exlake.inbox import recognised, unlanded
    from exlake.lake import open_catalogue, open_lake

    began = time.monotonic()
    settings, catalogue = open_catalogue()
    found = list(recognised(data, settings, catalogue)) if data.exists() else []
    if not found:
        raise NoRealDataError(data)
    # The DAGs' tasks read the settings themselves: this process's environment is how they learn.
    os.environ["EXLAKE_HOME"] = str(settings.home.with_name(settings.home.name + "-real"))
    # A few small days: compiling less is quicker than compiling well.
    os.environ.setdefault("EXLAKE_JVM_COMPILER", "quick")
    os.environ["EXLAKE_INBOX_DIR"] = str(data.absolute())
    lake = open_lake()
    console = stage.terminal()
    _show_found(found, catalogue, console)
    runs = runs_for(found, lake)
    if unlanded(lake.settings, catalogue) or not _settled(lake) or not _driven(lake, runs):
        outcomes = stage.perform(lake.settings, runs, console)
        if all(outcome.carried_out for outcome in outcomes):
            _note(lake, runs)
    else:
        console.print("Nothing is new: no DAG was run and no JVM started.", highlight=False)
    refresh_pages(lake)
    show(summarise(lake), console)
    _show_ties(lake, console)
    _show_agreements(lake, console)
    console.print(f"\ndone in {time.monotonic() - began:.0f} s", highlight=False)


def runs_for(found: list[Found], lake: Lake) -> list[tuple[str, str]]:
    """The DAG runs that carry the found files: each flow for its own dates, then marts, publish.

    Dates without trading are left to their neighbours: landing takes everything that is there.
    """
    from datetime import date

    runs: list[tuple[str, str]] = []
    every: set[str] = set()
    for flow in FLOWS:
        named = {f.interval for f in found if f.flow == flow and f.interval}
        days = sorted(d for d in named if lake.calendar.is_trade_date(date.fromisoformat(d)))
        runs += [(flow, day) for day in days]
        every.update(days if flow != "reference" else ())
    runs += [("marts", day) for day in sorted(every)]
    if every:
        runs.append(("publish", max(every)))
    return runs


def _settled(lake: Lake) -> bool:
    return lake.plan(lake.request()).idle


def _marker(lake: Lake) -> Path:
    return lake.settings.home / "demo-real.txt"


def _driven(lake: Lake, runs: list[tuple[str, str]]) -> bool:
    """True when these very runs were carried out before."""
    marker = _marker(lake)
    return marker.exists() and marker.read_text() == repr(runs)


def _note(lake: Lake, runs: list[tuple[str, str]]) -> None:
    _marker(lake).write_text(repr(runs))


def _show_found(found: list[Found], catalogue: Catalogue, console: Console) -> None:
    """List recognised files per format, and the formats of real files that are not there."""
    counted = Counter((f.dataset, f.format) for f in found)
    console.print("[bold]Found[/]")
    for (dataset, form), number in sorted(counted.items()):
        console.print(f"  {number:>3}  {dataset} ({form})", highlight=False)
    missing = [
        f"{contract.name} ({form.name})"
        for contract in catalogue.layer("bronze")
        for form in contract.formats
        if (contract.name, form.name) not in counted
    ]
    if missing:
        console.print(f"[bold]Not there[/]  {', '.join(missing)}\n", highlight=False)


def _show_ties(lake: Lake, console: Console) -> None:
    """How totals tie to the sources: each kind of published total beside what the lake holds."""
    from rich.table import Table

    from pipelines.external.ties import ties

    found = ties(lake.settings)
    if not found:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", title="Totals against sources")
    for column in ("product", "interval", "total"):
        table.add_column(column)
    for column in ("figures", "equal", "published", "counted"):
        table.add_column(column, justify="right")
    for tie in found:
        table.add_row(
            tie.product,
            tie.interval,
            tie.what,
            str(tie.lists),
            str(tie.ties) if tie.holds else f"[bold red]{tie.ties}[/]",
            f"{tie.published:,.0f}",
            f"{tie.counted:,.0f}",
        )
    console.print(table)
    console.print("Excerpts publish totals of rows they leave out: nothing there to tie.")


def _show_agreements(lake: Lake, console: Console) -> None:
    """Facts that two independent sources tell: how many were compared, how many are equal."""
    from rich.table import Table

    from pipelines.external.agreements import agreements

    found = agreements(lake.settings)
    if not found:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", title="Two sources of one fact")
    table.add_column("fact, and who tells it")
    for column in ("first", "last"):
        table.add_column(column)
    for column in ("compared", "equal"):
        table.add_column(column, justify="right")
    for a in found:
        equal = f"{a.equal:,}" if a.equal == a.compared else f"[bold red]{a.equal:,}[/]"
        table.add_row(a.what, a.first, a.last, f"{a.compared:,}", equal)
    console.print(table)
    console.print("What differs: gold.source_disagreement, with both values and deliveries.")
