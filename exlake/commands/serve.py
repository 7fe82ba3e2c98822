"""Commands that serve readers: publish and sql."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from exlake.printing import AsJson, document, listing

Audience = Annotated[str | None, typer.Option("--audience", metavar="A", help="One audience.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(publish)
    app.command()(sql)


def publish(
    audience: Audience = None,
    force: Annotated[bool, typer.Option("--force", help="Rebuild the whole file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring every audience's DuckDB file (or one) up to date with the lake."""
    from dataclasses import asdict

    from catalog.publish import publish as bring_up_to_date
    from exlake.lake import open_lake

    lake = open_lake()
    say = None if as_json else lambda line: typer.echo(line, err=True)
    found = bring_up_to_date(
        lake.settings, lake.catalogue, audience, force=force, on_progress=say
    )
    columns = ("audience", "outcome", "bytes", "seconds", "path")
    listing([asdict(p) for p in found], columns, title="Published", as_json=as_json)


def sql(
    query: Annotated[str, typer.Argument(help="SQL, answered from a published file.")],
    audience: Annotated[str, typer.Option("--audience", metavar="A")] = "analyst",
    as_json: AsJson = False,
) -> None:
    """Ask the published file of an audience. It is read-only and reaches no other file.

    The audience is taken on trust: who may read its file is the operating system's to decide.
    """
    import duckdb

    from catalog.audience import pick
    from exlake.errors import QueryError
    from exlake.lake import open_lake

    lake = open_lake()
    name = pick(lake.catalogue.audiences, audience).name
    path = lake.settings.publish / f"{name}.duckdb"
    if not path.exists():
        raise QueryError(f"{path} is not there", "run `exlake publish` first")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("SET enable_external_access=false; SET lock_configuration=true")
            result = connection.execute(query)
            columns = [d[0] for d in result.description or []]
            rows: list[dict[str, Any]] = [
                dict(zip(columns, row, strict=True)) for row in result.fetchall()
            ]
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        raise QueryError(first, "`exlake sql 'SHOW ALL TABLES'` lists what is there") from None
    if as_json:
        document(rows)
    else:
        listing(rows, columns, title="", as_json=False, empty="No rows.")
