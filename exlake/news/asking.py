"""Questions to a published file, each kept with its SQL, and the states of the dates asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from catalog.query import QueryResult
from catalog.states import WORSE, State

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue
    from pipelines.engine.settings import Settings

AUDIENCES = ("analyst", "surveillance")
"""Who may read the news marts."""
PRODUCTS = (
    "silver.news_article",
    "gold.news_mention",
    "gold.news_sentiment_daily",
    "gold.hot_word_daily",
    "gold.news_influence",
)
"""What the pages are made of; the worst of their states is a date's state."""
ABSENT = "absent"
"""State of a trade date of which the file has no news at all."""
Row = dict[str, Any]
Ask = Callable[[str], QueryResult]


@dataclass(frozen=True)
class Evidence:
    """A question and its answer: the SQL as anybody can run it, and its rows."""

    key: str
    title_zh: str
    title_en: str
    sql: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class DayState:
    """What a reader must know of a date: the worst state of its products, and why."""

    trade_date: date
    state: str
    partial: bool
    quarantined: int
    because: str

    @property
    def clean(self) -> bool:
        """True when nothing is missing, rejected or late."""
        return self.state == "published" and not self.partial

    @property
    def there(self) -> bool:
        """True when there are rows to count."""
        return self.state in ("published", "with_quarantine", "flagged")


def asker(settings: Settings, catalogue: Catalogue, audience: str) -> Ask:
    """Ask an audience's file; both raise the errors of ``catalog.query``.

    Every question goes to the publication that was there first: a page whose figures come from
    two publications would not add up.
    """
    from catalog.earlier import kept
    from catalog.query import run_query

    newest = run_query(settings, catalogue, "SELECT 1", audience=audience).publication_id
    pinned = newest if newest in kept(settings, audience) else None
    return lambda sql: run_query(settings, catalogue, sql, audience=audience, publication=pinned)


def ask(asked: Ask, key: str, title_zh: str, title_en: str, sql: str) -> Evidence:
    """Ask and keep the question with its answer."""
    found = asked(sql)
    names = [column.name for column in found.columns]
    rows = tuple(dict(zip(names, row, strict=True)) for row in found.rows)
    return Evidence(key, title_zh, title_en, sql, rows)


def publication(asked: Ask) -> tuple[str, datetime]:
    """Id and moment (UTC) of the publication that is asked."""
    found = asked("SELECT 1")
    return found.publication_id, found.published_at


def day_states(asked: Ask, days: Iterable[date]) -> tuple[DayState, ...]:
    """The state of each trade date, from the file's own ledger of intervals."""
    days = tuple(days)
    if not days:
        return ()
    products = ", ".join(quoted(p) for p in PRODUCTS)
    sql = (
        "SELECT trade_date, product, state, partial, coalesce(quarantined, 0) AS quarantined, "
        "coalesce(waiting_on, '') AS waiting_on, coalesce(incomplete_because, '') AS because "
        f"FROM _meta.interval WHERE product IN ({products}) "
        f"AND trade_date BETWEEN DATE '{days[0]}' AND DATE '{days[-1]}' ORDER BY ALL"
    )
    found: dict[date, list[Row]] = {}
    for row in ask(asked, "states", "", "", sql).rows:
        found.setdefault(row["trade_date"], []).append(row)
    return tuple(_state(day, found.get(day, [])) for day in days)


def _state(day: date, rows: list[Row]) -> DayState:
    there = {row["product"]: row for row in rows}
    if not {"silver.news_article", "gold.news_mention"} & there.keys():
        return DayState(day, ABSENT, False, 0, "")
    worst = max(rows, key=lambda row: _rank(row["state"]))
    missing = [p for p in PRODUCTS if p not in there]
    because = [f"{r['product']}: waiting on {r['waiting_on']}" for r in rows if r["waiting_on"]]
    because += [f"{r['product']}: {r['because']}" for r in rows if r["because"]]
    because += [f"{p} is not there" for p in missing]
    return DayState(
        day,
        "held" if missing and _rank(worst["state"]) < WORSE.index("held") else worst["state"],
        any(row["partial"] for row in rows),
        sum(row["quarantined"] for row in rows),
        "; ".join(dict.fromkeys(because)),
    )


def _rank(state: State | str) -> int:
    return WORSE.index(state) if state in WORSE else -1


def quoted(text: str) -> str:
    """A text as an SQL literal: quotes doubled, nothing else has a meaning inside one."""
    return "'" + text.replace("'", "''") + "'"


def listed(keys: Iterable[str]) -> str:
    """Literals for ``IN (...)``."""
    return ", ".join(quoted(key) for key in keys)


def plain(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows for JSON: decimals as text (exact), dates and times as ISO text."""
    return [
        {
            k: v if v is None or isinstance(v, bool | int | str) else
            v.isoformat() if isinstance(v, date) else str(v)
            for k, v in row.items()
        }
        for row in rows
    ]  # fmt: skip
