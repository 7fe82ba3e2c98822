"""Commands that serve readers: publish and sql."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exlake.printing import AsJson, document, listing, plain

if TYPE_CHECKING:
    from catalog.export.writing import Exported
    from catalog.query import QueryResult

Audience = Annotated[str | None, typer.Option("--audience", metavar="A", help="One audience.")]

To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Write everything to FILE.xlsx, .csv or .parquet."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="With --to: replace a file that is there.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(publish)
    app.command()(sql)
    app.command("open")(open_)
    app.command()(publications)
    app.command()(changes)
    app.command()(exports)


def publish(
    audience: Audience = None,
    force: Annotated[bool, typer.Option("--force", help="Rebuild the whole file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring every audience's DuckDB file (or one) up to date with the lake."""
    from catalog.publish import publish as bring_up_to_date
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    say = None if as_json else lambda line: typer.echo(line, err=True)
    found = bring_up_to_date(settings, catalogue, audience, force=force, on_progress=say)
    columns = ("audience", "outcome", "bytes", "seconds", "path")
    listing([asdict(p) for p in found], columns, title="Published", as_json=as_json)


def sql(
    query: Annotated[str, typer.Argument(help="SQL, answered from a published file.")],
    audience: Annotated[str, typer.Option("--audience", metavar="A")] = "analyst",
    publication: Annotated[
        str | None, typer.Option("--publication", metavar="ID", help="An earlier publication.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown at most.")] = 1000,
    to: To = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Ask the published file of an audience. It is read-only and reaches no other file.

    --to writes the whole answer to a file, with where it comes from, and logs who took it.
    The audience is taken on trust: who may read its file is the operating system's to decide.
    """
    if to is not None:
        from exlake.exporting import export_query

        written(export_query(query, audience, publication, to, overwrite), as_json)
        return
    from catalog.query import run_query
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    result = run_query(
        settings, catalogue, query, audience=audience, publication=publication, limit=limit
    )
    names = [column.name for column in result.columns]
    rows = [dict(zip(names, row, strict=True)) for row in result.rows]
    if as_json:
        document(
            {
                "rows": rows,
                "truncated": result.truncated,
                "publication_id": result.publication_id,
                "touched": [asdict(t) for t in result.touched],
            }
        )
        return
    listing(rows, names, title="", as_json=False, empty="No rows.")
    for line in warnings(result):
        typer.echo(line, err=True)


def open_(
    audience: Annotated[str, typer.Option("--audience", metavar="A")] = "analyst",
    publication: Annotated[
        str | None, typer.Option("--publication", metavar="ID", help="An earlier publication.")
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option("--scratch", metavar="FILE", help="Your own database; default: in memory."),
    ] = None,
) -> None:
    """A SQL shell: the mart read-only beside a database of your own."""
    from catalog.audience import pick
    from catalog.earlier import edition_path
    from catalog.publish import published_path
    from exlake.lake import open_catalogue
    from exlake.shell import Place, start

    settings, catalogue = open_catalogue()
    file = published_path(settings, pick(catalogue.audiences, audience).name)
    if publication is not None:
        file = edition_path(settings, audience, publication)
    if scratch is not None and scratch.resolve().is_relative_to(settings.home.resolve()):
        raise typer.BadParameter("your own database lies outside the lake", param_hint="--scratch")
    raise typer.Exit(start(Place(audience, file, scratch)))


def written(export: Exported, as_json: bool) -> None:
    """Say what was written, and where it differs from the answer."""
    if as_json:
        document(asdict(export))
        return
    typer.echo(f"{export.rows:,} rows written to {export.file}")
    for note in export.notes:
        typer.echo(f"note: {note}", err=True)


def exports(as_json: AsJson = False) -> None:
    """Every answer that was exported: who, when, what, from which publication."""
    from exlake.lake import open_lake
    from pipelines.engine.ledgers import EXPORT

    rows = [asdict(row) for row in reversed(open_lake().ledgers.read(EXPORT))]
    columns = ("at", "person", "audience", "rows", "file", "publication_id", "query")
    listing(rows, columns, title="Exports", as_json=as_json, empty="Nothing was exported yet.")


def publications(audience: Audience = None, as_json: AsJson = False) -> None:
    """Publications that can still be asked, by id: `exlake sql --publication ID`."""
    from catalog.audience import pick
    from catalog.earlier import folder, kept
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    chosen = [pick(catalogue.audiences, audience).name] if audience else list(catalogue.audiences)
    rows = [
        {"audience": name, "publication_id": each,
         "bytes": (folder(settings, name) / f"{each}.duckdb").stat().st_size}
        for name in chosen
        for each in reversed(kept(settings, name))
    ]  # fmt: skip
    listing(rows, ("audience", "publication_id", "bytes"), title="Publications", as_json=as_json,
            empty="Nothing is published yet. Next: exlake publish.")  # fmt: skip


def changes(
    since: Annotated[
        str, typer.Option("--since", metavar="D", help="Published on this date (Beijing) or later.")
    ],
    audience: Annotated[str, typer.Option("--audience", metavar="A")] = "analyst",
    product: Annotated[str | None, typer.Option("--product", metavar="P")] = None,
    as_json: AsJson = False,
) -> None:
    """Published intervals that were restated: why, how many rows, and totals before and after."""
    from catalog.restated import restated
    from exlake.dates import parse_day
    from exlake.lake import open_catalogue

    try:
        day = parse_day(since)
    except ValueError:
        raise typer.BadParameter(f"{since!r} is no date: write 2026-01-05") from None
    settings, catalogue = open_catalogue()
    rows = []
    for change in restated(settings, catalogue, audience, day, product):
        row = asdict(change)
        what = row.pop("difference")
        totals = what.pop("totals")
        row |= what | {"totals": totals, "trade_date": change.trade_date}
        if not as_json:
            row["cause"] = "\n".join(str(cause) for cause in change.causes)
            moved = [t for t in change.difference.totals if t.before != t.after]
            row["totals"] = "\n".join(
                f"{t.column} {plain(t.before)} -> {plain(t.after)}" for t in moved
            )
        rows.append(row)
    columns = ("published_at", "product", "interval", "added", "removed", "changed", "cause",
               "totals", "publication_before")  # fmt: skip
    listing(rows, columns, title="Changes", as_json=as_json,
            empty=f"Nothing that was published has changed since {day}.")  # fmt: skip


def warnings(result: QueryResult) -> list[str]:
    """What a reader must know about an answer: rows left out, intervals that are not clean."""
    lines = ["(more rows were left out: raise --limit)"] if result.truncated else []
    lines += [f"note: {each}" for each in result.touched if not each.clean]
    return lines
