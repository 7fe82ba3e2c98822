"""Commands of surveillance officers: what a day shows, the alerts, and what is behind one."""

from __future__ import annotations

from typing import Annotated

import typer

from exlake.dates import parse_day, parse_range
from exlake.printing import AsJson, document, listing

COLUMNS = (
    "rule_id", "subject_kind", "subject_id", "contract_id", "figure", "threshold",
    "threshold_share", "result", "figure_upper", "missing_rows",
)  # fmt: skip
ALERTS = (
    "trade_date", "alert_id", "rule_id", "subject_id", "contract_id", "figure", "threshold",
    "earlier_occurrences", "next_measure",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add ``surveil`` to the application."""
    desk = typer.Typer(help="Surveillance: figures, alerts, thresholds.", no_args_is_help=True)
    desk.command()(day)
    desk.command("list")(list_alerts)
    desk.command()(explain)
    desk.command()(whatif)
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
    listing(rows, COLUMNS, title=f"Surveillance {on}", as_json=as_json)


def list_alerts(
    dates: Annotated[
        str, typer.Option("--dates", metavar="A..B", help="Trade dates, both included.")
    ] = "1990-01-01..2100-01-01",
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first."""
    from exlake import surveil

    first, last = parse_range(dates)
    listing(surveil.alerts(first, last), ALERTS, title="Alerts", as_json=as_json)


def explain(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="An alert's id.")],
    as_json: AsJson = False,
) -> None:
    """One alert: rule text, exemptions considered, and the orders and trades behind it."""
    from exlake import surveil

    found = surveil.explain(alert)
    if as_json:
        document(found)
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
    acts = found["acts"]
    names = [n for n in acts[0] if not n.startswith("_")] if acts else []
    keep = (
        "event_time", "trade_time", "order_id", "trade_id", "client_id", "side", "offset",
        "position_side", "hedge_flag", "order_type", "event_type", "price", "lots", "exempt",
    )  # fmt: skip
    title = f"What the subject did ({len(acts)} of {found['acts_in_all']})"
    listing(acts, [n for n in keep if n in names], title=title, as_json=False)


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
