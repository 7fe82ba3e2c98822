"""Questions to a published file: read-only, sealed from files and network, with typed results."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.audience import pick
from catalog.earlier import edition_path
from catalog.errors import NotPublishedError, QueryRefusedError
from catalog.publish import published_path
from catalog.refusals import BATCH_ROWS, first_line, interrupted, next_step, own_error
from catalog.snapshot import literal
from contracts.catalogue import Catalogue
from pipelines.engine.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

SEALED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}
ATTACHED_SEARCH = "SET search_path = 'scratch.main,mart.gold,mart.silver,mart._meta'"
"""Beside ``attach_sql``: ``gold.x`` is the mart's, and a new table goes into ``scratch``."""


@dataclass(frozen=True)
class ResultColumn:
    """A column of an answer: name and DuckDB type."""

    name: str
    type: str


@dataclass(frozen=True)
class Touched:
    """A product the query reads, and its intervals that are not simply published, by state."""

    product: str
    not_clean: dict[str, int]
    partial: int

    def __str__(self) -> str:
        states = [f"{n} {state}" for state, n in sorted(self.not_clean.items())]
        partial = [f"{self.partial} partial"] if self.partial else []
        return f"{self.product} has intervals that are not clean: {', '.join(states + partial)}"

    @property
    def clean(self) -> bool:
        """True when nothing has to be said."""
        return not self.not_clean and not self.partial


@dataclass(frozen=True)
class QueryResult:
    """An answer, with the publication it comes from.

    ``truncated``: there were more rows than ``limit``. Times in rows are UTC.
    """

    columns: tuple[ResultColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    publication_id: str
    published_at: datetime
    touched: tuple[Touched, ...]
    seconds: float


def open_published(path: Path, audience: str) -> DuckDBPyConnection:
    """A read-only connection that reaches nothing but this file.

    Raises NotPublishedError when there is no file. DuckDB keeps one database per path in a
    process: close a connection before expecting the next publication's rows from a new one.
    """
    import duckdb

    if not path.exists():
        raise NotPublishedError(audience, path)
    try:
        connection = duckdb.connect(str(path), read_only=True, config=SEALED)
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        raise QueryRefusedError(
            audience,
            f"{path.name} cannot be opened: {first_line(error)}",
            "close other connections to it in this process; if it is damaged, "
            "`exlake publish --force` builds it again.",
        ) from None
    return connection


def attach_sql(path: Path, scratch: Path | None) -> tuple[str, ...]:
    """Statements for a fresh in-memory DuckDB: the file as ``mart``, read-only, and ``scratch``.

    ``scratch`` is the user's own database file (made when it is not there) or in memory. Nothing
    is fetched from outside.
    """
    own = literal(str(scratch)) if scratch else "':memory:'"
    return (
        "SET autoinstall_known_extensions = false",
        "SET TimeZone = 'UTC'",
        f"ATTACH {literal(str(path))} AS mart (READ_ONLY)",
        f"ATTACH {own} AS scratch",
    )


def run_query(
    settings: Settings,
    catalogue: Catalogue,
    sql: str,
    *,
    audience: str = "analyst",
    publication: str | None = None,
    limit: int | None = None,
    parameters: Sequence[Any] = (),
    timeout_seconds: float | None = None,
) -> QueryResult:
    """Answer one statement from an audience's file.

    ``limit`` bounds the rows fetched; ``publication`` asks an earlier file by its id. Raises
    UnknownAudienceError, NotPublishedError, UnknownPublicationError, or QueryRefusedError with
    what to do (a mistyped table or column gets near names).
    """
    pick(catalogue.audiences, audience)
    path = published_path(settings, audience)
    if publication is not None:
        path = edition_path(settings, audience, publication)
    connection = open_published(path, audience)
    try:
        return _answer(connection, audience, sql, limit, parameters, timeout_seconds)
    finally:
        connection.close()


@dataclass(frozen=True)
class Stream:
    """An answer to be read once, batch by batch, with where it comes from."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    publication_id: str
    published_at: datetime
    touched: tuple[Touched, ...]


@contextmanager
def stream_query(
    settings: Settings,
    catalogue: Catalogue,
    sql: str,
    *,
    audience: str = "analyst",
    publication: str | None = None,
) -> Iterator[Stream]:
    """As ``run_query``, for answers of any size; reading the batches raises the same errors."""
    import duckdb

    pick(catalogue.audiences, audience)
    path = published_path(settings, audience)
    if publication is not None:
        path = edition_path(settings, audience, publication)
    connection = open_published(path, audience)
    try:
        # What goes with the rows is asked first: another question would end the stream.
        publication_id, published_at = _publication(connection)
        touched = _touched(connection, sql)
        try:
            _one_statement(connection, audience, sql)
            reader = connection.execute(sql).to_arrow_reader(BATCH_ROWS)
            batches = _batches(connection, reader, sql, audience)
            yield Stream(reader.schema, batches, publication_id, published_at, touched)
        except duckdb.Error as error:
            raise _refused(connection, audience, sql, error) from None
    finally:
        connection.close()


def _refused(
    connection: DuckDBPyConnection,
    audience: str,
    sql: str,
    error: Exception,
    parameters: Sequence[Any] = (),
) -> QueryRefusedError:
    told = own_error(connection, sql, error, parameters)
    return QueryRefusedError(audience, first_line(told), next_step(connection, told, sql))


def _batches(
    connection: DuckDBPyConnection, reader: pa.RecordBatchReader, sql: str, audience: str
) -> Iterator[pa.RecordBatch]:
    """The batches of an answer; what fails on the way is a refusal, not Arrow's own error."""
    import pyarrow as pa

    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            raise _refused(connection, audience, sql, error) from None
        yield batch


def _one_statement(connection: DuckDBPyConnection, audience: str, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryRefusedError(
            audience, f"{len(statements)} statements were given", "give exactly one."
        )


def _answer(
    connection: DuckDBPyConnection,
    audience: str,
    sql: str,
    limit: int | None,
    parameters: Sequence[Any],
    timeout_seconds: float | None,
) -> QueryResult:
    import duckdb

    began = time.monotonic()
    timer = threading.Timer(timeout_seconds, connection.interrupt) if timeout_seconds else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        _one_statement(connection, audience, sql)
        cursor = connection.execute(sql, list(parameters) or None)
        found = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
        columns = tuple(ResultColumn(d[0], str(d[1])) for d in cursor.description or ())
    except duckdb.Error as error:
        late = timeout_seconds is not None and time.monotonic() - began >= timeout_seconds
        if late and interrupted(error):
            raise QueryRefusedError(
                audience,
                f"the query took longer than {timeout_seconds:g} s",
                "filter by trade_date or by key columns, or allow more time.",
            ) from None
        raise _refused(connection, audience, sql, error, parameters) from None
    finally:
        if timer:
            timer.cancel()
    truncated = limit is not None and len(found) > limit
    publication_id, published_at = _publication(connection)
    return QueryResult(
        columns=columns,
        rows=tuple(found[:limit] if truncated else found),
        truncated=truncated,
        publication_id=publication_id,
        published_at=published_at,
        touched=_touched(connection, sql),
        seconds=time.monotonic() - began,
    )


def _publication(connection: DuckDBPyConnection) -> tuple[str, datetime]:
    row = connection.execute(
        "SELECT publication_id, published_at FROM _meta.publication"
    ).fetchone()
    assert row is not None
    return str(row[0]), row[1]


def _touched(connection: DuckDBPyConnection, sql: str) -> tuple[Touched, ...]:
    """Products the statement names, with the states a reader must know of."""
    import duckdb

    try:
        names = connection.get_table_names(sql, qualified=True)
    except duckdb.Error:  # statements without tables, such as DESCRIBE
        return ()
    # DuckDB answers with aliases and the database: ``analyst.silver.trade AS t``.
    bare = (n.split(" AS ")[0].replace('"', "") for n in names)
    products = sorted({".".join(n.split(".")[-2:]) for n in bare})
    found = []
    for product in products:
        rows = connection.execute(
            "SELECT state, count(*), count(*) FILTER (WHERE partial) FROM _meta.interval "
            "WHERE product = ? AND state <> 'no_trading_day' GROUP BY state ORDER BY state",
            [product],
        ).fetchall()
        if rows:
            bad = {str(s): int(n) for s, n, _ in rows if s != "published"}
            found.append(Touched(product, bad, sum(int(p) for *_, p in rows)))
    return tuple(found)
