"""Commands for contracts: list, lint, compile, diff, new. None of them starts Spark."""

from __future__ import annotations

import typer

from exlake.printing import AsJson, listing


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    contracts = typer.Typer(help="What each table promises.", no_args_is_help=True)
    contracts.command("list")(list_)
    app.add_typer(contracts, name="contracts")


def list_(as_json: AsJson = False) -> None:
    """Every product with its flow, owner and version."""
    from exlake.lake import open_lake

    contracts = open_lake().catalogue.contracts.values()
    rows = [
        {"product": c.product, "title": c.title, "title_zh": c.title_zh, "version": c.version,
         "flow": c.flow, "owner": c.owner, "steward": c.steward, "rules": len(c.rules),
         "columns": len(c.columns)}
        for c in contracts
    ]  # fmt: skip
    columns = ("product", "title_zh", "title", "version", "flow", "owner", "columns", "rules")
    listing(rows, columns, title="Contracts", as_json=as_json)
