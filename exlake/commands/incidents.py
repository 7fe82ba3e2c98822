"""The command that lists incidents: open ones, or every one. It does not start Spark."""

from __future__ import annotations

from typing import Annotated

import typer

from exlake.commands.look import Product
from exlake.printing import AsJson, listing


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(incidents)


def incidents(
    product: Product = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Failure cycles of rules (warning or worse), worst first. Exit 1 if any is open."""
    from exlake.lake import open_lake
    from exlake.steward.incidents import listed

    lake = open_lake()
    if product:
        _ = lake.catalogue[product]
    rows = listed(lake, product=product, closed=everything)
    columns = ("incident_id", "state", "severity", "product", "rule", "since", "intervals",
               "failing", "owner", "message")  # fmt: skip
    listing(rows, columns, title="Incidents", as_json=as_json, empty="No open incident.")
    if any(row["state"] == "open" for row in rows):
        raise typer.Exit(1)
