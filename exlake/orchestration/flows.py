"""What runs: the functions that the command line and the DAGs both call.

Flows are what contracts name (``flow``). Trade dates are ISO text. Nothing heavy is imported before
a function needs it, because Airflow reads this module each time it reads a DAG file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from contracts.errors import TerminalError
from exlake.orchestration.arrival import deliveries_of
from exlake.orchestration.arrival import land_flow as land_flow

if TYPE_CHECKING:
    from pipelines.engine.maintenance import Care
    from pipelines.engine.run import Event, Lake, RunSummary
    from pipelines.engine.timer import Timer

log = logging.getLogger("exlake.progress")
"""Progress of every flow, one line each: shown by the demo, kept in Airflow's task logs."""
LOOK_BACK = 20
"""Trade dates before a flow's own that it brings up to date too: a correction that arrives days
later needs nobody to remember the date. Older ones are for `exlake backfill`."""
WATCHED_DAYS = 10
"""Calendar days back for which the watch reports: what is older has been seen."""
BAD = frozenset({"blocked", "held", "failed"})


class NoTradeDateGivenError(TerminalError):
    """Raised when a DAG run has neither the parameter nor a partition key, or a bad one."""

    code = "no-trade-date-given"

    def __init__(self, dag_id: str, given: object) -> None:
        self.dag_id = dag_id
        self.given = given
        super().__init__(
            f"the run of DAG {dag_id} names no trade date (it was given {given!r}).",
            next_step='trigger it with the parameter trade_date, such as "2026-01-05".',
        )


class IntervalNotPublishedError(TerminalError):
    """Raised after a build when the gate blocked products of the date, or they are held."""

    code = "interval-not-published"

    def __init__(self, flow: str, trade_date: str, problems: tuple[str, ...]) -> None:
        self.flow = flow
        self.problems = problems
        super().__init__(
            f"not everything of flow {flow} could be published: {'; '.join(problems)}.",
            next_step="read the quality report (reports/quality/index.html) and `exlake status`.",
            interval=trade_date,
        )


class LateProductsError(TerminalError):
    """Raised by the watch when products are past their due time."""

    code = "late-products"

    def __init__(self, late: tuple[str, ...]) -> None:
        self.late = late
        super().__init__(
            f"{len(late)} product interval(s) are past their due time: {'; '.join(late)}.",
            next_step="`exlake status` says what each waits for.",
        )


def exchange_now() -> datetime:
    """The present moment in exchange time."""
    from pipelines.engine.calendar import BEIJING

    return datetime.now(BEIJING)


def parse_trade_date(given: object, dag_id: str) -> str:
    """ISO text of a trade date as a run gives it. Raises NoTradeDateGivenError."""
    try:
        return date.fromisoformat(str(given)).isoformat()
    except ValueError:
        raise NoTradeDateGivenError(dag_id, given) from None


def is_trade_date(trade_date: str) -> bool:
    """True when the exchange trades on that day. Raises DateOutsideCalendarError."""
    from pipelines.engine.calendar import TradingCalendar

    return TradingCalendar.default().is_trade_date(date.fromisoformat(trade_date))


@dataclass(frozen=True)
class Outcome:
    """What became of one interval in a run, as listings show it."""

    product: str
    interval: str
    state: str
    built: int
    accepted: int
    quarantined: int
    reasons: tuple[str, ...]


def run_flow(flow: str, trade_date: str) -> dict[str, Any]:
    """Build, judge and publish the flow's stale intervals of the date and shortly before it.

    Returns counts by state. Raises the error of a batch that broke, after everything else was
    done and recorded: a transient one first, so that a retry comes when one can help.
    """
    from exlake.lake import open_lake

    lake = open_lake()
    day = date.fromisoformat(trade_date)
    since = max(lake.calendar.first_day, lake.calendar.previous(day, LOOK_BACK))
    summary = carry_out(
        lake, flow=flow, dates=(since, day), command=f"flow {flow} {trade_date}", say=log.info
    )
    counts: dict[str, Any] = {"run_id": summary.run_id, "intervals": 0}
    for outcome in outcomes_of(summary):
        counts["intervals"] += 1
        counts[outcome.state] = counts.get(outcome.state, 0) + 1
    return counts


def run_products(
    products: Iterable[str] | None,
    dates: tuple[date, date] | None,
    *,
    force: bool = False,
    on_progress: Callable[[str], None] = log.info,
) -> list[Outcome]:
    """Run any products over any dates (None: all): what `exlake run` does.

    Raises what broke, when all is done.
    """
    from exlake.lake import open_lake
    from exlake.reporting import refresh_pages

    wanted = None if products is None else list(products)
    lake = open_lake()
    try:
        summary = carry_out(
            lake, products=wanted, dates=dates, force=force, command="run", say=on_progress
        )
    finally:
        refresh_pages(lake)
    return outcomes_of(summary)


def carry_out(
    lake: Lake, *, command: str, say: Callable[[str], None], **request: Any
) -> RunSummary:
    """As ``carry_on``; raises what broke, transient errors first, when all is done."""
    summary = carry_on(lake, command=command, say=say, **request)
    raise_broken(summary)
    return summary


def carry_on(
    lake: Lake,
    *,
    command: str,
    say: Callable[[str], None],
    of: int = 0,
    timer: Timer | None = None,
    **request: Any,
) -> RunSummary:
    """Run; report, lineage, alerts' history, messages. ``of``: intervals to count in progress;
    ``timer`` is told where the seconds go."""
    from catalog import lineage
    from exlake.messages.outbox import tell_changes
    from exlake.reporting import write_report
    from exlake.surveillance.history import record_alerts
    from pipelines.engine.run import run
    from pipelines.engine.timer import Timer

    done = 0

    def tell(event: Event) -> None:
        nonlocal done
        done += len(event.intervals) if event.kind in ("end", "failed") else 0
        say(f"[{done}/{of}] {sentence(event)}" if of else sentence(event))

    timer = timer or Timer()
    with timer.phase("run"):
        summary = run(lake.settings, command=command, lake=lake, on_progress=tell, **request)
    # From the ledgers, not from this run: what a killed run could not tell is told now.
    with timer.phase("lineage"):
        lineage.bring_up_to_date(lake.settings, lake.catalogue)
    if not summary.idle or summary.held:
        touched = {interval for _, interval in summary.touched}
        with timer.phase("report"):
            write_report(lake, summary, command)
        with timer.phase("messages"):
            tell_changes(lake, touched)
        with timer.phase("alerts"):
            record_alerts(lake, touched)
    return summary


def raise_broken(summary: RunSummary) -> None:
    """Raise the error of a batch that broke, a transient one first; nothing when none did."""
    broken = sorted(summary.failures, key=lambda failure: not failure.transient)
    if broken:
        raise broken[0].error


def sentence(event: Event) -> str:
    """An engine's event as one line of progress."""
    if event.kind == "session":
        from pipelines.engine.session import session_started

        return "Spark is up already" if session_started() else "starting Spark"
    span = event.intervals[0] if event.intervals else ""
    if len(event.intervals) > 1:
        span = f"{span}..{event.intervals[-1]}"
    if event.kind == "begin":
        return f"building {event.product} {span}"
    if event.kind == "end":
        return f"{event.product} {span}: {event.detail} ({event.seconds:.1f} s)"
    if event.kind == "split":
        return f"{event.product} {span}: broke, tried again in halves: {event.detail}"
    return f"{event.product} {span}: {event.kind} {event.detail}"


def outcomes_of(summary: RunSummary) -> list[Outcome]:
    """The newest row of every interval a run touched, held ones too."""
    found = {
        (row.product, row.interval): Outcome(
            product=row.product,
            interval=row.interval,
            state=row.state,
            built=row.built,
            accepted=row.accepted,
            quarantined=row.quarantined,
            reasons=row.reasons,
        )
        for batch in summary.outcomes
        for row in batch.rows
    }
    for product, held in summary.held:
        found[product, held.interval] = Outcome(
            product, held.interval, "held", 0, 0, 0, (f"waiting on {held.waiting_on}",)
        )
    return [found[key] for key in sorted(found)]


def confirm(flow: str, trade_date: str) -> None:
    """Raise IntervalNotPublishedError when a product of the flow is blocked, held, broken, or
    its only deliveries of the date were refused."""
    from exlake.lake import open_lake
    from pipelines.engine.ledgers import period_of

    lake = open_lake()
    mine = set(lake.graph.flow(flow))
    rows = lake.ledgers.latest_intervals(periods=[period_of(trade_date), "all"])
    problems = [
        f"{row.product} {row.state}: {row.waiting_on or '; '.join(row.reasons) or 'see the report'}"
        for row in rows
        if row.product in mine and row.interval in (trade_date, "all") and row.state in BAD
    ]
    found = deliveries_of(lake.settings, lake.catalogue, flow, trade_date)
    landed = {d.dataset for d in found if d.status == "landed"}
    problems += [
        f"{d.dataset} refused ({d.error_code}): {d.file}"
        for d in found
        if d.status == "refused" and d.dataset not in landed
    ]
    if problems:
        raise IntervalNotPublishedError(flow, trade_date, tuple(problems))


def publish_marts(trade_date: str) -> dict[str, Any]:
    """Bring every audience's DuckDB file up to date; the outcome per audience."""
    from catalog.publish import publish
    from exlake.lake import open_catalogue

    settings, catalogue = open_catalogue()
    found = publish(settings, catalogue, on_progress=log.debug, run_id=f"publish-{trade_date}")
    for each in found:
        log.info("%s %s: %s", each.outcome, each.audience, each.path)
    return {each.audience: each.outcome for each in found}


def write_brief(trade_date: str) -> str:
    """Write the brief of a date from the analysts' file; the page's path."""
    from exlake.news import desk

    found = desk.brief(date.fromisoformat(trade_date))
    path = str(desk.put_brief(found))
    log.info("brief %s: %s (%s)", trade_date, path, found.state.state)
    return path


def surveillance_pages(trade_date: str) -> dict[str, Any]:
    """Record what became of alerts and write the pages."""
    from exlake.surveillance.daily import write_daily

    return write_daily(date.fromisoformat(trade_date), LOOK_BACK)


def member_pages(trade_date: str) -> str:
    """Write the league table and the members' pages of a date; the table's path, empty when no
    profile of the date is published (``confirm`` says why)."""
    from catalog.members.asking import Desk, UnknownMemberError
    from exlake.lake import open_catalogue
    from exlake.member_pages import put_pages

    try:
        written = put_pages(Desk(*open_catalogue()), date.fromisoformat(trade_date))
    except UnknownMemberError as error:
        log.info("%s", error)
        return ""
    log.info("members %s: %d pages, %s", trade_date, written.pages, written.index)
    return str(written.index)


def judge_product(
    product: str, dates: tuple[date, date], on_progress: Callable[[str], None] = log.info
) -> list[dict[str, Any]]:
    """Build and judge intervals with the working tree, publish nothing.

    One dict per interval and rule with the outcome now, the recorded one (``was``) and what
    changes. Needs Spark.
    """
    from exlake.judging import judge

    return judge(product, dates, on_progress)


def maintain_tables(products: Iterable[str] | None = None, *, dry_run: bool = False) -> list[Care]:
    """Retire, compact, vacuum and sweep the tables of some products (None: all).

    What was done, or with ``dry_run`` what is needed. Raises UnknownProductError, LockHeldError
    (transient).
    """
    from exlake.lake import open_lake
    from pipelines.engine.maintenance import maintain, plan_care
    from pipelines.engine.retention import Retention, first_kept

    lake = open_lake()
    settings, catalogue = lake.settings, lake.catalogue
    named = [c.product for c in catalogue.contracts.values()] if products is None else products
    chosen = [catalogue[product].product for product in named]
    today = exchange_now().date()
    kept = first_kept(lake.ledgers)
    retention = Retention(catalogue.contracts, lake.graph, lake.state(), today, kept)
    if dry_run:
        return plan_care(settings, chosen, retention)

    def say(care: Care) -> None:
        log.info("%s: %d intervals past their retention removed, %d intervals merged, %d expired "
                 "and %d orphaned files removed", care.table, len(care.retired),
                 len(care.compact), care.expired, care.orphans)  # fmt: skip

    return maintain(settings, chosen, say, retention)


def watch(now: datetime | None = None) -> list[dict[str, Any]]:
    """Compare what contracts promise with what the ledgers show, by the calendar alone.

    Writes the pages, tells what changed, what is late and, once a day, the digest.
    Returns an empty list; raises LateProductsError with one line per product interval of the
    last days that is past its due time and late, blocked, held or broken.
    """
    from catalog.status import status
    from exlake.lake import open_lake
    from exlake.messages.outbox import tell_watch
    from exlake.reporting import refresh_pages

    lake = open_lake()
    settings, catalogue = lake.settings, lake.catalogue
    moment = now or datetime.now(UTC)
    today = moment.astimezone(exchange_now().tzinfo).date()
    span = (today - timedelta(days=WATCHED_DAYS), today)
    late = [
        row
        for row in status(settings, catalogue, dates=span, now=moment)
        if row.own_state in BAD | {"late"} and row.due_at is not None and row.due_at < moment
    ]
    for row in late:
        log.warning("%s %s: %s", row.product, row.interval, row.own_state)
    refresh_pages(lake)
    tell_watch(lake, [(r.product, r.interval) for r in late if r.own_state == "late"], moment)
    if late:
        raise LateProductsError(tuple(f"{r.product} {r.interval} {r.own_state}" for r in late))
    return []


async def marts_are_late(**context: Any) -> None:
    """Airflow's deadline callback: say in the log that the marts missed their deadline."""
    log.error("The marts missed their deadline; see `exlake status`. %s", sorted(context))
