"""Commands for contracts: list, lint, compile, diff, new. None of them starts Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exlake.commands.look import Product
from exlake.printing import AsJson, document, listing

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue

ROOT = Path(__file__).resolve().parents[2]
FORMS = ("schema", "rules", "suite", "duckdb", "markdown")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    contracts = typer.Typer(help="What each table promises.", no_args_is_help=True)
    contracts.command("list")(list_)
    contracts.command("lint")(lint)
    contracts.command("compile")(compile_)
    contracts.command("diff")(diff)
    app.add_typer(contracts, name="contracts")
    app.command()(new)


def list_(as_json: AsJson = False) -> None:
    """Every product with its flow, owner and version."""
    from exlake.lake import open_catalogue

    _, catalogue = open_catalogue()
    contracts = catalogue.contracts.values()
    rows = [
        {"product": c.product, "title": c.title, "title_zh": c.title_zh, "version": c.version,
         "flow": c.flow, "owner": c.owner, "steward": c.steward, "rules": len(c.rules),
         "columns": len(c.columns)}
        for c in contracts
    ]  # fmt: skip
    columns = ("product", "title_zh", "title", "version", "flow", "owner", "columns", "rules")
    listing(rows, columns, title="Contracts", as_json=as_json)


def lint(as_json: AsJson = False) -> None:
    """Check every contract against the official schema and our policy. Exit 1 if any finding."""
    from dataclasses import asdict

    from contracts.lint import lint as check
    from pipelines.engine.settings import load_settings

    found = check(load_settings().contracts_dir)
    columns = ("file", "line", "path", "message", "mend")
    listing(
        [asdict(f) for f in found], columns, title="Contract findings", as_json=as_json,
        empty="Every contract is in order.",
    )  # fmt: skip
    if found:
        raise typer.Exit(1)


def compile_(
    product: Product = None,
    form: Annotated[
        str, typer.Option("--as", help="With --product: schema, rules, suite, duckdb or markdown.")
    ] = "markdown",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a suite has drifted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write every suite below quality/suites; or print what one contract compiles to."""
    from contracts.compile.written import drift, write_suites
    from exlake.lake import open_catalogue

    _, catalogue = open_catalogue()
    if product:
        typer.echo(_compiled(catalogue, product, form))
        return
    touched = drift(catalogue) if check else write_suites(catalogue)
    done = "differs" if check else "written or removed"
    listing(
        [{"suite": f"quality/suites/{name}", "state": done} for name in touched],
        ("suite", "state"), title="Suites", as_json=as_json, empty="Every suite is up to date.",
    )  # fmt: skip
    if check and touched:
        raise typer.Exit(1)


def _compiled(catalogue: Catalogue, product: str, form: str) -> str:
    from contracts.compile.duckdb import ddl
    from contracts.compile.markdown import page
    from contracts.compile.rules import row_checks
    from contracts.compile.spark import schema_json
    from contracts.compile.suite import suite_json

    contract = catalogue[product]
    if form == "schema":
        return json.dumps(json.loads(schema_json(contract)), indent=2)
    if form == "rules":
        checks = row_checks(contract, catalogue)
        return "\n".join(f"{c.rule.id} [{c.kind}]: {c.failing_sql or ''}" for c in checks)
    if form == "suite":
        return suite_json(contract, catalogue)
    if form == "duckdb":
        return ddl(contract, contract.layer)
    if form == "markdown":
        return page(contract, catalogue)
    raise typer.BadParameter(f"--as {form}: one of {', '.join(FORMS)}")


def diff(
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="A commit, branch or tag.")
    ] = "HEAD",
    as_json: AsJson = False,
) -> None:
    """Classify what changed since a git revision. Exit 1 on an unannounced breaking change."""
    from dataclasses import asdict

    from contracts.catalogue import HOME, load_catalogue
    from contracts.diff import at_revision, changes, refusals

    before, after = at_revision(revision, HOME), load_catalogue()
    found = changes(before, after)
    refused = refusals(found, before, after)
    if as_json:
        document({"changes": [asdict(c) for c in found], "refused": [asdict(f) for f in refused]})
    else:
        listing(
            [asdict(c) for c in found], ("product", "kind", "what", "before", "after"),
            title=f"Changes since {revision}", as_json=False, empty="No contract has changed.",
        )  # fmt: skip
        for each in refused:
            typer.echo(f"refused: {each}", err=True)
    if refused:
        raise typer.Exit(1)


def new(
    product: Annotated[str, typer.Argument(metavar="silver.NAME")],
    sample: Annotated[Path, typer.Option("--from", help="A CSV, JSON Lines or Parquet sample.")],
    area: Annotated[str, typer.Option(help="The folder of the job; it decides the flow.")] = (
        "external"
    ),
    as_json: AsJson = False,
) -> None:
    """Draft contracts, job, test and suite from a sample; what is undecided is marked TODO."""
    from contracts.draft import draft, write_draft
    from exlake.lake import open_catalogue

    _, catalogue = open_catalogue()
    drafted = draft(product, sample, catalogue.standards, area=area)
    written = write_draft(drafted, ROOT)
    if as_json:
        document(list(written))
        return
    for path in written:
        typer.echo(f"wrote {path}")
    typer.echo(
        "Next: decide every TODO, then exlake contracts lint, exlake contracts compile, and "
        "python -m pipelines.engine.versions --write (docs/adding-a-product.md)."
    )
