"""Where a number comes from: from a published row down to delivery files and lines, by DuckDB.

A row is followed into the inputs its batch read, at the Delta versions it read, by the key columns
that both sides have. That is what the rows *share*, not a proof of what the job did with them:
jobs are code. Where several rows fit, the first of them is followed. From a silver row on,
delivery and line are exact: the row carries them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.snapshot import literal, quote, scan_sql
from contracts.errors import TerminalError
from pipelines.engine.ledgers import DELIVERY
from pipelines.engine.tables import exists, interval_column_of, open_table

if TYPE_CHECKING:
    from contracts.model import Contract
    from pipelines.engine.delivery import Delivery
    from pipelines.engine.run import Lake

LINEAGE = ("_delivery_id", "_row_number")
DATED = frozenset({"trade_date", "valid_from", "known_from"})
"""Key columns that never link two products by themselves: the interval is matched apart."""
DEEPEST = 8


class TraceKeyError(TerminalError):
    """Raised when a trace starts at no row: an unknown column, or a key that no row has."""

    code = "trace-key"

    def __init__(self, product: str, interval: str, what: str, columns: Sequence[str]) -> None:
        super().__init__(
            what,
            product=product,
            interval=interval,
            next_step=f"Give --key with columns of the key: {', '.join(columns)}.",
        )


@dataclass(frozen=True)
class Origin:
    """The delivered record behind a row: file, record number in it, and the text as delivered."""

    delivery_id: str
    row_number: int
    file: str | None
    sha256: str | None
    path: str | None
    original: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """Rows of one product that a row above goes back to; ``rows`` is their full number.

    ``shown`` holds the first of them (all columns), ``origins`` their delivered records.
    """

    depth: int
    product: str
    interval: str
    version: int
    linked_by: tuple[str, ...]
    rows: int
    shown: tuple[Mapping[str, Any], ...]
    origins: tuple[Origin, ...]


def trace(
    lake: Lake, product: str, interval: str, key: Mapping[str, str], *, limit: int = 3
) -> tuple[Step, ...]:
    """Follow the rows with this (part of a) key; the first step is the product itself.

    Raises UnknownProductError or TraceKeyError.
    """
    import duckdb

    contract = lake.catalogue[product]
    for column in key:
        if column not in {c.name for c in contract.business_columns}:
            raise TraceKeyError(product, interval, f"there is no column {column!r}.", contract.key)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        lake.settings.storage.open_to(connection)
        return _Trace(lake, connection, limit).follow(product, interval, key)


class _Trace:
    def __init__(self, lake: Lake, connection: Any, limit: int) -> None:
        self.lake, self.connection, self.limit = lake, connection, limit
        self.state = lake.state()
        self.deliveries: dict[str, Delivery] = {
            d.delivery_id: d for d in lake.ledgers.read(DELIVERY)
        }
        self.steps: list[Step] = []
        self.seen: set[tuple[str, str]] = set()

    def follow(self, product: str, interval: str, key: Mapping[str, str]) -> tuple[Step, ...]:
        record = self.state.record(product, interval)
        version = record.published.delta_version if record and record.published else None
        self._step(0, product, interval, version, key)
        if not self.steps or not self.steps[0].rows:
            said = ", ".join(f"{k}={v}" for k, v in key.items())
            contract = self.lake.catalogue[product]
            raise TraceKeyError(product, interval, f"no published row has {said}.", contract.key)
        return tuple(self.steps)

    def _step(
        self, depth: int, product: str, interval: str, version: int | None, key: Mapping[str, str]
    ) -> None:
        contract = self.lake.catalogue[product]
        if depth > DEEPEST or (product, interval) in self.seen:
            return
        if not exists(self.lake.settings.table(product)):
            return
        self.seen.add((product, interval))
        found = self._rows(contract, interval, version, key)
        if found is None:
            return
        at, count, rows = found
        has_lineage = all(row.get(LINEAGE[0]) for row in rows) and bool(rows)
        origins = self._origins(contract, interval, rows) if has_lineage else ()
        self.steps.append(
            Step(depth, product, interval, at, tuple(key), count, tuple(rows), origins)
        )
        if not rows or contract.layer == "bronze":
            return
        record = self.state.record(product, interval)
        pins = record.published.inputs if record and record.published else ()
        for pin in pins:
            source = self.lake.catalogue.contracts.get(pin.product)
            if source is None or (source.layer == "bronze" and has_lineage):
                continue
            shared = _shared(contract, source, rows[0])
            if shared:
                self._step(
                    depth + 1, pin.product, _interval_of(pin.at, source), pin.version, shared
                )

    def _rows(
        self, contract: Contract, interval: str, version: int | None, key: Mapping[str, str]
    ) -> tuple[int, int, list[dict[str, Any]]] | None:
        column = interval_column_of(contract)
        try:
            table = open_table(self.lake.settings.storage, contract.product, column, version)
        except Exception:  # a version that vacuum took: what is there now is the nearest
            table = open_table(self.lake.settings.storage, contract.product, column)
        dated = column is not None and interval not in ("all", "history", "latest")
        files = table.of({interval}) if dated else table.files
        scan = scan_sql(files, contract)
        where = " AND ".join(f"CAST({quote(c)} AS VARCHAR) = {literal(v)}" for c, v in key.items())
        order = ", ".join(quote(c) for c in contract.key)
        query = f"FROM {scan} WHERE {where or 'true'}"  # names quoted, values literal
        (count,) = self.connection.execute(f"SELECT count(*) {query}").fetchone()
        cursor = self.connection.execute(f"SELECT * {query} ORDER BY {order} LIMIT {self.limit}")
        names = [d[0] for d in cursor.description]
        rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
        return table.version, int(count), rows

    def _origins(
        self, contract: Contract, interval: str, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[Origin, ...]:
        found = []
        for row in rows:
            delivery_id, number = str(row[LINEAGE[0]]), int(row[LINEAGE[1]])
            delivery = self.deliveries.get(delivery_id)
            original: Mapping[str, Any] = row
            if contract.layer != "bronze":
                original = self._delivered(delivery, delivery_id, number)
            found.append(
                Origin(
                    delivery_id,
                    number,
                    delivery.file if delivery else None,
                    delivery.sha256 if delivery else None,
                    delivery.path if delivery else None,
                    {k: v for k, v in original.items() if not k.startswith("_")},
                )
            )
        return tuple(found)

    def _delivered(
        self, delivery: Delivery | None, delivery_id: str, number: int
    ) -> Mapping[str, Any]:
        if delivery is None or delivery.product not in self.lake.catalogue:
            return {}
        contract = self.lake.catalogue[delivery.product]
        table = open_table(self.lake.settings.storage, contract.product, "_interval")
        scan = scan_sql(table.of({delivery.interval}), contract)
        cursor = self.connection.execute(
            f"FROM {scan} WHERE _delivery_id = ? AND _row_number = ?", [delivery_id, number]
        )
        values = cursor.fetchone()
        names = [d[0] for d in cursor.description]
        return dict(zip(names, values, strict=True)) if values else {}


def _shared(contract: Contract, source: Contract, row: Mapping[str, Any]) -> dict[str, str]:
    """Key columns of either side that both have: how rows of two products belong together."""
    there = {c.name for c in source.business_columns}
    mine = {c.name for c in contract.business_columns}
    names = [c for c in (*contract.key, *source.key) if c in there and c in mine and c not in DATED]
    return {c: str(row[c]) for c in dict.fromkeys(names) if row.get(c) is not None}


def _interval_of(at: str, source: Contract) -> str:
    """A pin's interval; how a dimension was read (``as_of`` ...) means its one interval."""
    if at in ("as_of", "latest", "history"):
        return "all" if source.layer != "bronze" else at
    return at
