"""Commands that answer why: explain and trace. None starts Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exlake.commands.look import HIDDEN, SHOWN_ABOVE, Given
from exlake.printing import AsJson, document, text

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue
    from exlake.tracing import Step

Interval = Annotated[str, typer.Option("--interval", metavar="I", help="A trade date, or all.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(explain)
    app.command()(trace)


def explain(
    product: Given,
    interval: Interval,
    lang: Annotated[str, typer.Option("--lang", help="zh, en or both.")] = "both",
    as_json: AsJson = False,
) -> None:
    """What state an interval is in, since when, who waits, whose turn it is, and the ways out."""
    from exlake.lake import open_lake
    from exlake.steward.explain_text import page
    from exlake.steward.explaining import explain as facts

    if lang not in ("zh", "en", "both"):
        raise typer.BadParameter(f"--lang {lang}: zh, en or both")
    found = facts(open_lake(), product, interval)
    if as_json:
        document(asdict(found))
        return
    pages = []
    if lang in ("zh", "both"):
        pages.append(page(found, "zh"))
    if lang in ("en", "both"):
        pages.append(page(found, "en"))
    typer.echo("\n\n".join(pages))


def trace(
    product: Given,
    interval: Interval,
    key: Annotated[
        list[str],
        typer.Option("--key", metavar="COLUMN=VALUE", help="(Part of) the key."),
    ],
    limit: Annotated[int, typer.Option(min=1, help="Rows shown per product.")] = 3,
    clear: Annotated[bool, typer.Option("--clear", help="Show classified values too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Where a row comes from: its inputs as they were read, down to delivery file and record."""
    from exlake.lake import open_lake
    from exlake.tracing import trace as follow

    wanted = dict(_pair(part) for given in key for part in given.split(","))
    lake = open_lake()
    steps = follow(lake, product, interval, wanted, limit=limit)
    shown = [_shown(step, lake.catalogue, clear) for step in steps]
    if as_json:
        document(shown)
        return
    for line in _lines(shown):
        typer.echo(line)
    if steps[0].rows > 1:
        typer.echo("note: the first row is followed; give more of the key for another.", err=True)


def _pair(given: str) -> tuple[str, str]:
    column, equals, value = given.partition("=")
    if not equals:
        raise typer.BadParameter(f"--key {given}: write COLUMN=VALUE")
    return column.strip(), value.strip()


def _shown(step: Step, catalogue: Catalogue, clear: bool) -> dict[str, Any]:
    """A step as people may see it: values classified above the level shown are hidden."""
    secret = set()
    if not clear:
        name = step.product.split(".", 1)[1]
        near = [step.product, f"bronze.{name}"]
        near += [f"bronze.{o.delivery_id.rsplit('-', 3)[0]}" for o in step.origins]
        secret = {
            c.name
            for each in near
            if each in catalogue
            for c in catalogue[each].columns
            if c.classification > SHOWN_ABOVE
        }

    def masked(row: Mapping[str, Any]) -> dict[str, Any]:
        return {k: HIDDEN if k in secret and v is not None else v for k, v in row.items()}

    found = asdict(step)
    found["shown"] = [masked(row) for row in step.shown]
    for origin in found["origins"]:
        origin["original"] = masked(origin["original"])
    return found


def _lines(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        pad = "  " * step["depth"]
        by = f" by {', '.join(step['linked_by'])}" if step["depth"] else ""
        more = "" if step["rows"] <= len(step["shown"]) else f", {len(step['shown'])} shown"
        yield (
            f"{pad}{step['product']} {step['interval']} (version {step['version']}){by}: "
            f"{step['rows']} rows{more}"
        )
        for number, row in enumerate(step["shown"]):
            values = {k: v for k, v in row.items() if not k.startswith("_") and v is not None}
            yield f"{pad}  " + "  ".join(f"{k}={text(v)}" for k, v in values.items())
            if number < len(step["origins"]):
                o = step["origins"][number]
                yield f"{pad}    = record {o['row_number']} of {o['file']} ({o['delivery_id']})"
                yield f"{pad}      {' '.join(f'{k}={v}' for k, v in o['original'].items())}"
