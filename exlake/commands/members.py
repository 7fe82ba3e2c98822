"""Commands of member supervisors: the league table, one member's numbers with evidence, pages."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exlake.dates import parse_day
from exlake.printing import AsJson, document, listing

if TYPE_CHECKING:
    from datetime import date

    from catalog.members.asking import Desk, Row

LEAGUE = (
    "volume_rank", "member_id", "short_name", "member_type", "size_class", "traded_lots",
    "volume_share", "open_interest_share", "client_equity", "margin_use", "risk_score",
    "risk_parts", "compliance_score", "compliance_parts",
)  # fmt: skip
TAGS = ("tag_id", "name_zh", "name_en", "value", "unit", "percentile", "trend", "peers", "sample")
Day = Annotated[str | None, typer.Option("--date", metavar="D", help="Default: the newest.")]
Audience = Annotated[str, typer.Option("--audience", metavar="A", help="Whose published file.")]


def register(app: typer.Typer) -> None:
    """Add ``members`` to the application."""
    desk = typer.Typer(help="Members: league table, profiles, pages.", no_args_is_help=True)
    desk.command("list")(list_members)
    desk.command()(show)
    desk.command()(pages)
    app.add_typer(desk, name="members")


def _desk(audience: str, day: str | None) -> tuple[Desk, date]:
    from catalog.members.asking import Desk
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    found = Desk(settings, catalogue, audience)
    if day is None:
        return found, found.newest()
    try:
        return found, parse_day(day)
    except ValueError:
        raise typer.BadParameter(f"{day!r} is no date: write 2026-01-05") from None


def _plain(rows: list[Row]) -> list[Row]:
    """Decimals without trailing zeros, for people."""
    from catalog.members.pages import number

    return [{k: number(v) if isinstance(v, Decimal) else v for k, v in r.items()} for r in rows]


def list_members(
    day: Day = None, audience: Audience = "surveillance", as_json: AsJson = False
) -> None:
    """League table of a trade date, the largest member first."""
    desk, on = _desk(audience, day)
    rows = desk.league(on)
    listing(rows if as_json else _plain(rows), LEAGUE, title=f"Members {on}", as_json=as_json)


def show(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="A member number, such as 0003.")],
    day: Day = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="T", help="One tag: formula, queries, answers.")
    ] = None,
    audience: Audience = "surveillance",
    as_json: AsJson = False,
) -> None:
    """One member's profile and tags; with --tag the evidence queries and what they answer now."""
    from contracts.tag_catalogue import load_tags

    desk, on = _desk(audience, day)
    profile, rows = desk.profile(member, on), desk.tags(on, member)
    catalogue = load_tags()
    known = {t.id: t for t in catalogue.tags}
    if tag is not None:
        if tag not in known:
            raise typer.BadParameter(f"no tag {tag!r}; one of: {', '.join(known)}")
        document_or_text(_evidence(desk, known[tag], member, on, rows), as_json=as_json)
        return
    named = [
        r | {"name_zh": known[r["tag_id"]].name_zh, "name_en": known[r["tag_id"]].name_en}
        for r in rows
        if r["tag_id"] in known
    ]
    if as_json:
        document({"profile": profile, "tags": named})
        return
    typer.echo(f"{member} {profile['name_zh'] or ''} {profile['name_en'] or ''} {on}")
    for score in ("risk", "compliance"):
        parts = ", ".join(
            f"{t.id} {profile[t.id.replace('.', '_') + '_z']}" for t in catalogue.parts(score)
        )
        typer.echo(f"{score} score {profile[score + '_score']} = mean of {parts}")
    listing(_plain(named), TAGS, title="Tags", as_json=False)


def _evidence(desk: Desk, tag: Any, member: str, on: date, rows: list[Any]) -> dict[str, Any]:
    from catalog.errors import QueryRefusedError
    from catalog.members import evidence

    [row] = [r for r in rows if r["tag_id"] == tag.id]
    queries = {
        "value": evidence.value_query(tag, member, on),
        "percentile": evidence.percentile_query(tag.id, member, on),
        "trend": evidence.trend_query(tag.id, member, on),
    }
    answers: dict[str, Any] = {}
    for name, sql in queries.items():
        try:
            found = desk.ask(sql)
        except QueryRefusedError:
            answers[name] = f"nothing: it reads what audience {desk.audience} does not get"
            continue
        answers[name] = next(iter(found[0].values())) if found else None
    return {"tag": tag.model_dump(exclude={"value", "per", "evidence"}), "row": row,
            "queries": queries, "answers": answers}  # fmt: skip


def document_or_text(found: dict[str, Any], *, as_json: bool) -> None:
    """The evidence of one tag, as JSON or as text."""
    if as_json:
        document(found)
        return
    tag = found["tag"]
    typer.echo(f"{tag['id']}  {tag['name_zh']}  {tag['name_en']}")
    typer.echo(f"  {tag['formula_zh']}\n  {tag['formula']}")
    for name, sql in found["queries"].items():
        typer.echo(f"\n{name}: {found['row'][name]} (the query now gives {found['answers'][name]})")
        typer.echo(f"  {sql}")


def pages(
    day: Day = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Default: reports/members/DATE.")
    ] = None,
    audience: Audience = "surveillance",
    as_json: AsJson = False,
) -> None:
    """Write the league table and a page per member, to be opened offline."""
    from exlake.member_pages import put_pages

    desk, on = _desk(audience, day)
    written = put_pages(desk, on, to)
    listing([asdict(written)], ("date", "pages", "index"), title="Pages", as_json=as_json)
