"""The command that writes the pages of the catalogue and the report's first screen anew."""

from __future__ import annotations

from typing import Annotated

import typer

from exlake.printing import AsJson, document


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(pages)


def pages(
    force: Annotated[bool, typer.Option("--force", help="Write unchanged pages too.")] = False,
    as_json: AsJson = False,
) -> None:
    """A page per product, the index with search, standards coverage, and the first screen now."""
    from exlake.lake import open_lake
    from exlake.reporting import refresh_pages

    done = refresh_pages(open_lake(), force=force)
    if as_json:
        document(
            {"folder": done.folder, "written": done.written, "pages": done.pages,
             "report": done.folder.parent / "quality" / "index.html"}
        )  # fmt: skip
        return
    typer.echo(f"{done.folder / 'index.html'}: {done.written} of {done.pages} pages written")
    typer.echo(f"{done.folder.parent / 'quality' / 'index.html'}: the first screen")
