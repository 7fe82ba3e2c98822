"""Commands of surveillance officers: what a day shows, the alerts, and what is behind one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from exlake.dates import parse_day, parse_range
from exlake.printing import AsJson, document, listing

COLUMNS = (
    "rule_id", "subject_kind", "subject_id", "contract_id", "figure", "threshold",
    "threshold_share", "result", "figure_upper", "missing_rows",
)  # fmt: skip
ALERTS = (
    "trade_date", "alert_id", "nature", "rule_id", "subject_id", "contract_id", "figure",
    "threshold", "earlier_occurrences", "next_measure", "disposition", "changed_since", "notes",
)  # fmt: skip
EVERY = (
    "trade_date", "alert_id", "state", "rule_id", "subject_id", "contract_id", "figure",
    "threshold", "because", "ended_because", "disposition", "notes",
)  # fmt: skip
Alert = Annotated[str, typer.Argument(metavar="ALERT", help="An alert's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, or what was said; kept for good.")]
By = Annotated[str, typer.Option("--by", metavar="PERSON", help="Who did it.")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help='Beijing: "2026-01-05 15:30".')]


def register(app: typer.Typer) -> None:
    """Add ``surveil`` to the application."""
    desk = typer.Typer(
        help="Surveillance: figures, alerts, dispositions, thresholds.", no_args_is_help=True
    )
    desk.command()(day)
    desk.command("list")(list_alerts)
    for command in (explain, note, close, pages, whatif):
        desk.command()(command)
    app.add_typer(desk, name="surveil")


def day(
    date: Annotated[str, typer.Option("--date", metavar="D", help="A trade date.")],
    every: Annotated[bool, typer.Option("--all", help="Figures far from a threshold too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Figures of a trade date: reached, undecided and near their threshold."""
    from exlake import surveil

    try:
        on = parse_day(date)
    except ValueError:
        raise typer.BadParameter(f"{date!r} is no date: write 2026-01-05") from None
    rows = surveil.day(on, near=not every)
    state = surveil.state(on)
    empty = f"Surveillance {on}: nothing reached, near or undecided; the figures are {state}."
    listing(rows, COLUMNS, title=f"Surveillance {on} ({state})", as_json=as_json, empty=empty)


def list_alerts(
    dates: Annotated[
        str, typer.Option("--dates", metavar="A..B", help="Trade dates, both included.")
    ] = "1990-01-01..2100-01-01",
    every: Annotated[
        bool, typer.Option("--all", help="Also what a correction changed or withdrew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first, with what was done about them."""
    from exlake import surveil

    first, last = parse_range(dates)
    if every:
        rows = surveil.every_alert(first, last)
        listing(rows, EVERY, title="Alerts, past states too", as_json=as_json)
    else:
        listing(surveil.alerts(first, last), ALERTS, title="Alerts", as_json=as_json)


def explain(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="An alert's id.")],
    as_json: AsJson = False,
) -> None:
    """One alert: rule text, exemptions considered, and the orders and trades behind it."""
    from exlake import surveil

    found = surveil.explain(alert)
    if found["alert"] is not None:
        table, in_all, rows = surveil.beside(found["alert"], surveil.SHOWN)
        found |= {"beside_table": table, "beside_in_all": in_all, "beside": rows}
    if as_json:
        document(found)
        return
    if found["alert"] is None:
        typer.echo(f"{found['history'][-1]['explanation_en']}\nWithdrawn.")
        _life(found)
        return
    row, rule = found["alert"], found["rule"]
    for line in (
        row["explanation_zh"], row["explanation_en"], "",
        f"Rule {rule['rule_id']} version {rule['version']}, from {rule['effective_from']}:",
        f"  {rule['text_zh']}", f"  {rule['text']}", f"  Counting: {rule['counting']}",
        f"  Source [{rule['source']['confidence']}]: {rule['source']['text']}",
        f"Exemptions considered: {', '.join(rule['exemptions']) or 'none'}",
        f"Next measure: {row['next_measure_zh']} / {row['next_measure']}",
        f"Earlier days: {row['earlier_occurrences']} in {row['window_days']} trade dates", "",
    ):  # fmt: skip
        typer.echo(line)
    listing(found["exemptions"], ("exemption", "exempt_figure"), title="Left out", as_json=False)
    title = f"What the subject did ({len(found['acts'])} of {found['acts_in_all']})"
    listing(found["acts"], _shown(found["acts"]), title=title, as_json=False)
    beside, in_all = found["beside"], found["beside_in_all"]
    title = f"Beside it, {found['beside_table']} ({len(beside)} of {in_all})"
    shown = [name for name in _shown(beside) if name != "exempt"]
    listing(beside, shown, title=title, as_json=False)
    _life(found)


def _shown(acts: list[dict[str, Any]]) -> list[str]:
    """The columns of orders, trades or positions that an officer reads."""
    keep = (
        "event_time", "trade_time", "order_id", "trade_id", "client_id", "side", "offset",
        "position_side", "hedge_flag", "order_type", "event_type", "price", "lots", "exempt",
    )  # fmt: skip
    return [name for name in keep if acts and name in acts[0]]


def _life(found: dict[str, Any]) -> None:
    """What became of an alert, and what was done about it."""
    told = ("at", "event", "figure", "threshold", "because")
    listing(found["history"], told, title="History (UTC)", as_json=False)
    done = ("at", "kind", "person", "reason", "entered_by")
    listing(found["dispositions"], done, title="Dispositions (UTC)", as_json=False)


def note(alert: Alert, reason: Reason, by: By, at: At, as_json: AsJson = False) -> None:
    """Write a remark on an alert; it stays open."""
    _dispose(alert, "note", reason, by, at, as_json)


def close(
    alert: Alert,
    as_: Annotated[str, typer.Option("--as", help="no_action, phoned, watch_list or escalated.")],
    reason: Reason,
    by: By,
    at: At,
    as_json: AsJson = False,
) -> None:
    """Close an alert with what was done; closing again adds to it, nothing is overwritten."""
    from exlake.surveillance.dispositions import CLOSINGS

    if as_ not in CLOSINGS:
        raise typer.BadParameter(f"{as_!r} is not one of {', '.join(CLOSINGS)}")
    _dispose(alert, as_, reason, by, at, as_json)


def _dispose(alert: str, kind: str, reason: str, by: str, at: str, as_json: bool) -> None:
    import getpass
    from datetime import UTC, datetime

    from exlake.lake import open_catalogue
    from exlake.surveillance.dispositions import dispose
    from exlake.surveillance.pages import refresh
    from pipelines.engine.calendar import BEIJING
    from pipelines.engine.ledgers import Ledgers

    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        raise typer.BadParameter(f'{at!r} is no time: write "2026-01-05 15:30"') from None
    settings, _ = open_catalogue()
    row = dispose(
        Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds),
        alert,
        kind,
        reason=reason,
        person=by,
        entered_by=getpass.getuser(),
        at=when if when.tzinfo else when.replace(tzinfo=BEIJING),
        now=datetime.now(UTC),
    )
    refresh(settings, row.interval)
    done = ("alert_id", "kind", "at", "person", "reason", "entered_by")
    listing([vars(row)], done, title="Recorded (UTC)", as_json=as_json)


def pages(
    dates: Annotated[str, typer.Option("--dates", metavar="A..B", help="Trade dates.")],
    as_json: AsJson = False,
) -> None:
    """Write the offline pages of trade dates and their alerts."""
    from exlake.lake import open_catalogue
    from exlake.surveillance.pages import write_pages
    from pipelines.engine.calendar import TradingCalendar

    settings, _ = open_catalogue()
    written = write_pages(settings, TradingCalendar.default().between(*parse_range(dates)))
    listing([{"page": str(p)} for p in written], ("page",), title="Written", as_json=as_json)


def whatif(
    rule: Annotated[str, typer.Option("--rule", metavar="R", help="Such as SHFE.self_trade.")],
    threshold: Annotated[int, typer.Option("--threshold", min=1, help="The other threshold.")],
    dates: Annotated[str, typer.Option("--dates", metavar="A..B", help="Trade dates.")],
    as_json: AsJson = False,
) -> None:
    """Findings of past days under another threshold, from the published figures."""
    from exlake import surveil

    first, last = parse_range(dates)
    rows = surveil.what_if(rule, threshold, first, last)
    columns = ("trade_date", "now", "then", "added", "dropped")
    listing(rows, columns, title=f"{rule} at {threshold}", as_json=as_json)
