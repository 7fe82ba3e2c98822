"""The command that lists what was told to whom. It does not start Spark and sends nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from exlake.printing import AsJson, listing


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(messages)


def messages(
    limit: Annotated[int, typer.Option(min=1, help="The newest ones shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Messages of changes: what was told, by which channel, and what still waits. Sends none."""
    from dataclasses import asdict

    from exlake.lake import open_lake
    from pipelines.engine.ledgers import MESSAGE

    found = {}
    for row in open_lake().ledgers.read(MESSAGE):
        place = (row.message_id, row.channel)
        if row.event == "queued":
            found[place] = asdict(row) | {"told_at": None}
        elif place in found:
            found[place] |= {"event": row.event, "error": row.error}
            found[place]["told_at"] = row.at if row.event == "sent" else None
    rows = list(reversed(found.values()))[:limit]
    columns = ("at", "event", "channel", "subject", "told_at", "error", "message_id")
    listing(rows, columns, title="Messages", as_json=as_json, empty="Nothing was told yet.")
