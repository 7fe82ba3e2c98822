"""Commands that record stewards' decisions. None starts Spark; the next run applies them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exlake.printing import AsJson, listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlake.steward.deciding import Act
    from exlake.steward.wishes import Wish
    from pipelines.engine.rows import DecisionRow

Given = Annotated[str, typer.Argument(metavar="P", help="A product, such as silver.trade.")]
Product = Annotated[str, typer.Option("--product", metavar="P", help="A product.")]
Interval = Annotated[str, typer.Option("--interval", metavar="I", help="A trade date, or all.")]
Rows = Annotated[
    list[str] | None,
    typer.Option("--row", "--rows", metavar="DELIVERY:LINE", help="A row; may be repeated."),
]
Rule = Annotated[
    str | None, typer.Option("--rule", metavar="R", help="This rule; without --row: all its rows.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="PERSON", help="Default: the system's user.")
]
COLUMNS = (
    "decision_id", "state", "kind", "product", "interval", "rule", "row", "change", "reason", "by",
    "approved_by", "until",
)  # fmt: skip


def register(app: typer.Typer, shelf: typer.Typer) -> None:
    """Add the commands to the application and to ``quarantine``."""
    shelf.command()(repair)
    shelf.command()(release)
    shelf.command()(reject)
    app.command()(waive)
    book = typer.Typer(help="What stewards decided.", no_args_is_help=True)
    book.command("list")(decisions_list)
    book.command()(record)
    book.command()(approve)
    book.command()(revoke)
    app.add_typer(book, name="decisions")


def repair(
    product: Given,
    interval: Interval,
    row: Annotated[list[str], typer.Option("--row", metavar="DELIVERY:LINE", help="The row.")],
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="COLUMN=VALUE", help="Repeatable; no value: empty."),
    ],
    reason: Reason,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Patch quarantined rows; the delivered row is kept, and the patched one is judged again."""
    from exlake.steward.wishes import Wish

    changes = [_change(text) for text in set_]
    _record(
        [
            Wish("patch", product, interval, reason, each, column=column, value=value)
            for each in _split(row)
            for column, value in changes
        ],
        by,
        as_json,
    )


def release(
    product: Given,
    interval: Interval,
    reason: Reason,
    row: Rows = None,
    rule: Rule = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let quarantined rows pass although they break a rule: a waiver on named rows."""
    _record(_of_rows("release", product, interval, reason, row, rule), by, as_json)


def reject(
    product: Given,
    interval: Interval,
    reason: Reason,
    row: Rows = None,
    rule: Rule = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Keep rows out for good, whether they break a rule or not."""
    _record(_of_rows("rejection", product, interval, reason, row, rule), by, as_json)


def waive(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id.")],
    product: Product,
    interval: Annotated[
        str, typer.Option("--interval", metavar="I", help="A trade date, a range A..B, or all.")
    ],
    reason: Reason,
    until: Annotated[str, typer.Option("--until", metavar="D", help="Last trade date it holds.")],
    row: Rows = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Accept a rule's failures on an interval; it is evaluated all the same, and says waived."""
    from exlake.steward.wishes import Wish

    if row:
        wishes = _of_rows("release", product, interval, reason, row, rule, until)
    else:
        wishes = [
            Wish("waiver", product, each, reason, rule=rule, until=until)
            for each in _days(interval)
        ]
    _record(wishes, by, as_json)


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON, one decision each.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Record every decision of a file in one act; a single wrong one stops them all."""
    from exlake.steward.wishes import wishes_of

    _record(wishes_of(file), by, as_json)


def approve(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Decisions, or whole acts.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Second what another person asked for; from then on it counts."""
    from exlake.lake import open_lake
    from exlake.steward import standing

    _show(standing.approve(open_lake(), ids, _act(by)), as_json)


def revoke(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Decisions, or whole acts.")],
    reason: Reason,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Take decisions back; the record of them stays."""
    from exlake.lake import open_lake
    from exlake.steward import standing

    _show(standing.revoke(open_lake(), ids, reason, _act(by)), as_json)


def decisions_list(
    product: Annotated[str | None, typer.Option("--product", metavar="P")] = None,
    interval: Annotated[str | None, typer.Option("--interval", metavar="I")] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Only what waits.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Revoked ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What stewards decided, who approved it, and whether a run has applied it yet."""
    from exlake.lake import open_lake
    from exlake.steward.standing import listed

    rows = listed(
        open_lake(), product=product, interval=interval, revoked=everything, pending=pending
    )
    listing(rows, (*COLUMNS, "applied"), title="Decisions", as_json=as_json, empty="No decisions.")


def _of_rows(
    kind: str, product: str, interval: str, reason: str, rows: list[str] | None, rule: str | None,
    until: str | None = None,
) -> list[Wish]:  # fmt: skip
    from exlake.steward.wishes import Wish

    named: Sequence[str | None] = _split(rows) if rows else [None]
    return [Wish(kind, product, interval, reason, each, rule, until=until) for each in named]


def _split(rows: Sequence[str]) -> list[str]:
    return [part.strip() for text in rows for part in text.split(",") if part.strip()]


def _change(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"--set {text}: write COLUMN=VALUE")
    return column.strip(), value.strip()


def _days(interval: str) -> list[str]:
    """The trade dates of a range, or the one interval."""
    if ".." not in interval:
        return [interval]
    from exlake.dates import parse_range
    from pipelines.engine.calendar import TradingCalendar

    return [d.isoformat() for d in TradingCalendar.default().between(*parse_range(interval))]


def _act(by: str | None) -> Act:
    import getpass
    from datetime import UTC, datetime

    from exlake.steward.deciding import Act

    user = getpass.getuser()
    return Act((by or user).strip() or user, user, datetime.now(UTC))


def _record(wishes: Sequence[Wish], by: str | None, as_json: bool) -> None:
    from exlake.lake import open_lake
    from exlake.steward import deciding

    _show(deciding.record(open_lake(), wishes, _act(by)), as_json)


def _show(decisions: Sequence[DecisionRow], as_json: bool) -> None:
    """Print what was recorded, and whose turn it is now."""
    from exlake.steward.standing import described

    rows: list[dict[str, Any]] = [described(d) for d in decisions]
    listing(rows, COLUMNS, title="Recorded", as_json=as_json)
    if as_json:
        return
    acts = sorted({d.decision_id.rpartition(".")[0] for d in decisions if d.pending})
    for act in acts:
        typer.echo(f"next: another person runs `exlake decisions approve {act}`")
    for place in sorted({(d.product, d.interval or "all") for d in decisions if not d.pending}):
        dates = "" if place[1] == "all" else f" --dates {place[1]}"
        typer.echo(f"next: `exlake run --product {place[0]}{dates}`, or wait for the next run")
