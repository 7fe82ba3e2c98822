"""Commands that only look: plan, status, history, hash, quarantine. None of them starts Spark."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exlake.commands.serve import Overwrite, To, written
from exlake.dates import Dates, optional_range
from exlake.printing import AsJson, document, listing

if TYPE_CHECKING:
    from contracts.model import Contract
    from pipelines.engine.plan import Plan

Product = Annotated[
    str | None, typer.Option("--product", metavar="P", help="One product, such as silver.trade.")
]
Products = Annotated[
    list[str] | None,
    typer.Option("--product", metavar="P", help="A product, such as silver.trade; repeatable."),
]
Given = Annotated[str, typer.Argument(metavar="P", help="A product, such as silver.trade.")]
GOOD = frozenset({"published", "with_quarantine", "no_trading_day"})
SHOWN_ABOVE = 2
"""Values classified above this level are hidden in what the terminal shows."""
HIDDEN = "•••"
SHOWN_ROWS = 20


def register(app: typer.Typer) -> typer.Typer:
    """Add the commands to the application; returns ``quarantine``, for more."""
    app.command()(plan)
    app.command()(status)
    app.command()(history)
    app.command("hash")(hash_)
    shelf = typer.Typer(help="Rows the gate put aside.", no_args_is_help=True)
    shelf.command("list")(quarantine_list)
    shelf.command("show")(quarantine_show)
    app.add_typer(shelf, name="quarantine")
    return shelf


def plan(product: Products = None, dates: Dates = None, as_json: AsJson = False) -> None:
    """What will run, what may run, and why; writes nothing."""
    from exlake.lake import open_lake

    lake = open_lake()
    found = lake.plan(lake.request(products=product or None, dates=optional_range(dates)))
    if as_json:
        document(found.to_json())
        return
    show_plan(found)


def show_plan(found: Plan) -> None:
    """Print a plan: one line per interval that is touched, held or waits."""
    rows = [row for stage in found for row in _plan_rows(stage)]
    changes = [
        {"product": c.product, "change": c.kind, "column": c.column, "stored": c.stored,
         "promised": c.promised, "then": c.how}
        for stage in found for c in stage.schema_changes
    ]  # fmt: skip
    listing(
        rows, ("product", "interval", "what", "why"), title="Plan", as_json=False,
        empty="Everything is up to date: nothing will run.",
    )  # fmt: skip
    if changes:
        columns = ("product", "change", "column", "stored", "promised", "then")
        listing(changes, columns, title="Schema changes", as_json=False)


def _plan_rows(stage: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def add(interval: str, what: str, why: str) -> None:
        rows.append({"product": stage.product, "interval": interval, "what": what, "why": why})

    for what, planned in (
        ("will run", stage.will_run), ("may run", stage.may_run), ("judge again", stage.judge_again)
    ):  # fmt: skip
        for each in planned:
            add(each.interval, what, "; ".join(f"{r.why}: {r.detail}" for r in each.reasons))
    for held in stage.held:
        add(held.interval, "held", f"waiting on {held.waiting_on}: {held.because}")
    for waiting in stage.waiting:
        add(waiting.interval, "waits", f"for {', '.join(waiting.missing)}")
    for ended in stage.ended:
        add(ended, "not built", "the product has ended (endsOn); its successor takes over")
    return rows


def status(product: Products = None, dates: Dates = None, as_json: AsJson = False) -> None:
    """Per product and interval: state, rows, version, when, and how late. Exit 1 if any is bad."""
    from dataclasses import asdict

    from catalog.status import status as states_of
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    found = states_of(settings, catalogue, products=product or None, dates=optional_range(dates))
    because = [r.waiting_on or "; ".join(r.reasons) or r.inherited_from for r in found]
    rows = [asdict(r) | {"because": why} for r, why in zip(found, because, strict=True)]
    columns = ("product", "interval", "state", "rows_in", "accepted", "quarantined",
               "delta_version", "age", "late_by", "partial", "because")  # fmt: skip
    listing(
        rows, columns, title=f"Status of {settings.home}", as_json=as_json,
        empty="Nothing has been built here yet. Next: make demo, or exlake land and exlake run.",
    )  # fmt: skip
    if any(r.state not in GOOD for r in found):
        raise typer.Exit(1)


def history(product: Given, as_json: AsJson = False) -> None:
    """Every batch of a product, newest first: what was decided, when, by which run."""
    from dataclasses import asdict

    from exlake.lake import open_lake
    from pipelines.engine.ledgers import DELIVERY, INTERVAL

    lake = open_lake()
    contract = lake.catalogue[product]
    columns: tuple[str, ...]
    if contract.layer == "bronze":
        deliveries = lake.ledgers.read(DELIVERY, where={"dataset": [contract.name]})
        rows = [asdict(d) for d in reversed(deliveries)]
        columns = ("interval", "sequence", "mode", "status", "rows", "received_at", "file",
                   "error_code", "delivery_id")  # fmt: skip
    else:
        found = lake.ledgers.read(INTERVAL, where={"product": [product]})
        rows = [asdict(r) | {"at": r.committed_at, "rows_in": r.built} for r in reversed(found)]
        columns = ("interval", "state", "rows_in", "accepted", "quarantined", "delta_version", "at",
                   "job_version", "contract_version", "run_id", "reasons")  # fmt: skip
    listing(rows, columns, title=f"History of {product}", as_json=as_json)


def hash_(
    product: Given,
    interval: Annotated[
        str | None, typer.Option("--interval", metavar="I", help="One interval; default: each.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The portable hash (rows and sums of md5 halves), equal from Spark, DuckDB and delta-rs."""
    from dataclasses import asdict

    from catalog.hashes import interval_hashes, product_hash
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    found = [product_hash(settings, catalogue, product, interval)]
    if interval is None:
        found += [h for h in interval_hashes(settings, catalogue, product) if h.interval]
    rows = [asdict(each) for each in found]
    columns = ("product", "interval", "rows", "version", "hash")
    listing(rows, columns, title=f"Portable hash of {product}", as_json=as_json)


def quarantine_list(product: Products = None, dates: Dates = None, as_json: AsJson = False) -> None:
    """How many rows are put aside, per product, interval and rule."""
    from exlake.aside import counted
    from exlake.lake import open_lake

    rows = counted(open_lake(), product, optional_range(dates))
    columns = ("product", "interval", "state", "rule", "rows")
    listing(rows, columns, title="Quarantine", as_json=as_json, empty="Quarantine is empty.")


def quarantine_show(
    product: Given,
    interval: Annotated[str | None, typer.Option("--interval", metavar="I")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Rows at most; default 20, with --to all.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Show classified values too.")] = False,
    to: To = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """The rows themselves: rules broken, delivery, line number, original row (masked)."""
    from exlake.aside import current_rows
    from exlake.lake import open_lake

    lake = open_lake()
    contract = lake.catalogue[product]
    if limit is None and to is None:
        limit = SHOWN_ROWS
    rows = current_rows(lake, product, interval)[:limit]
    secret = set() if clear else _classified(contract, lake.catalogue.contracts)
    for row in rows:
        for column in ("row", "original", "row_key"):
            row[column] = _masked(row[column], secret)
        row["rules"] = json.loads(row["rules"] or "[]")
    if to is not None:
        from exlake.exporting import export_quarantine

        written(export_quarantine(lake, product, interval, rows, clear, to, overwrite), as_json)
        return
    columns = ("interval", "state", "rules", "delivery_id", "row_number", "original")
    listing(rows, columns, title=f"Quarantine of {product}", as_json=as_json)


def _classified(contract: Contract, contracts: Any) -> set[str]:
    """Names of columns above the level shown, of the product and of its bronze."""
    both = [contract, contracts.get(f"bronze.{contract.name}", contract)]
    return {c.name for each in both for c in each.columns if c.classification > SHOWN_ABOVE}


def _masked(text: str | None, secret: set[str]) -> str | None:
    if not text or not secret:
        return text
    row = json.loads(text)
    shown = {k: HIDDEN if k in secret and v is not None else v for k, v in row.items()}
    return json.dumps(shown, ensure_ascii=False)
