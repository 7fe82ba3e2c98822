"""Commands of the news desk: the report of a word and the brief of a date."""

from __future__ import annotations

from datetime import date as Date
from pathlib import Path
from typing import Annotated

import typer

from exlake.dates import parse_day, parse_range
from exlake.printing import AsJson, document

Audience = Annotated[
    str, typer.Option("--audience", metavar="A", help="Whose file is asked: analyst, surveillance.")
]


def register(app: typer.Typer) -> None:
    """Add ``news`` to the application."""
    desk = typer.Typer(help="News: the report of a word, the daily brief.", no_args_is_help=True)
    desk.command()(report)
    desk.command()(brief)
    app.add_typer(desk, name="news")


def report(
    word: Annotated[str, typer.Option("--word", metavar="W", help="A word, name, id or code.")],
    dates: Annotated[str, typer.Option("--dates", metavar="A..B", help="Trade dates.")],
    audience: Audience = "analyst",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Default: reports/news.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Frequency and influence of a word over time, its sources, stories and articles, as a page.

    Exit 1 when no article mentions it, or when figures are not whole.
    """
    from exlake.news import desk
    from exlake.news.report import as_data

    first, last = parse_range(dates)
    found = desk.report(word, first, last, audience)
    if as_json:
        document(as_data(found))
    else:
        path = desk.put_report(found, to)
        for line in desk.report_lines(found):
            typer.echo(line)
        typer.echo(f"page: {path}")
    if found.never or found.incomplete:
        raise typer.Exit(1)


def brief(
    date: Annotated[str, typer.Option("--date", metavar="D", help="A trade date.")],
    audience: Audience = "analyst",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Default: reports/news.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The brief of a trade date, from the published marts, as a page.

    Exit 1 when the date's figures are not whole or not there.
    """
    from exlake.news import desk
    from exlake.news.brief import as_data

    found = desk.brief(_day(date), audience)
    if as_json:
        document(as_data(found))
    else:
        path = desk.put_brief(found, to)
        for line in desk.brief_lines(found):
            typer.echo(line)
        typer.echo(f"page: {path}")
    if not found.state.clean:
        raise typer.Exit(1)


def _day(text: str) -> Date:
    try:
        return parse_day(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: write 2026-01-05") from None
