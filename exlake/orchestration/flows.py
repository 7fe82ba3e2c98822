"""What runs: the functions that the command line and the DAGs both call.

Flows are what contracts name (``flow``): reference, trading_day, external, marts. Trade
dates are ISO text. Nothing heavy is imported before a function needs it, because
Airflow reads this module each time it reads a DAG file.
"""

from __future__ import annotations

import logging
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from contracts.errors import TerminalError, TransientError

if TYPE_CHECKING:
    from pipelines.engine.settings import Settings

log = logging.getLogger("exlake.progress")


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


class DeliveryAwaitedError(TransientError):
    """Raised when nothing of a flow has been delivered for a trade date yet."""

    code = "delivery-awaited"

    def __init__(self, flow: str, trade_date: str, systems: tuple[str, ...]) -> None:
        self.flow = flow
        self.systems = systems
        super().__init__(
            f"nothing of flow {flow} has been delivered yet (awaited from {', '.join(systems)}).",
            next_step="wait for the retry, or ask the sender.",
            interval=trade_date,
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


def _settings() -> Settings:
    from pipelines.engine.settings import load_settings

    return load_settings()


def land_flow(flow: str, trade_date: str) -> dict[str, Any]:
    """Land what the flow's systems delivered for the date: counts of landed, known, refused."""
    raise NotImplementedError


def run_flow(flow: str, trade_date: str) -> dict[str, Any]:
    """Build, judge and publish the flow's stale intervals of the date."""
    raise NotImplementedError


def confirm(flow: str, trade_date: str) -> None:
    """Raise IntervalNotPublishedError when products of the flow are blocked or held."""
    raise NotImplementedError


def publish_marts(trade_date: str) -> dict[str, Any]:
    """Bring every audience's DuckDB file up to date."""
    raise NotImplementedError


def watch(now: datetime | None = None) -> list[dict[str, Any]]:
    """Raise LateProductsError when a product is past its due time, else return an empty list."""
    raise NotImplementedError


async def marts_are_late(**context: Any) -> None:
    """Airflow's deadline callback: say in the log that the marts missed their deadline."""
    log.error("The marts missed their deadline; see `exlake status`. %s", sorted(context))
