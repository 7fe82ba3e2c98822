"""Rules run as DuckDB runs them (the engine behind small batches), on rows written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
import sqlglot

from contracts.catalogue import Catalogue, load_catalogue
from contracts.compile.suite import Suite, suite
from contracts.model import Contract
from quality.reconciliation import reconcile_duckdb
from quality.relations import arrow_type, bind, connect

DAY, BEFORE = date(2026, 1, 6), date(2026, 1, 5)
Row = dict[str, Any]
World = dict[str, list[Row]]
"""Rows by product, or ``before <product>`` for the trade date before ``DAY``."""


@cache
def catalogue() -> Catalogue:
    return load_catalogue()


def table(contract: Contract, rows: list[Row]) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for column in contract.columns:
        type_ = arrow_type(column.type)
        values = [row.get(column.name) for row in rows]
        if pa.types.is_decimal(type_):
            values = [None if v is None else Decimal(str(v)) for v in values]
        columns[column.name] = pa.array(values, type_)
    return pa.table(columns)


@cache
def duck(sql: str) -> str:
    return sqlglot.transpile(sql, read="spark", write="duckdb")[0]


@cache
def compiled(product: str) -> Suite:
    return suite(catalogue()[product], catalogue())


def broken(product: str, given: Mapping[str, list[Row]], only: str | None = None) -> set[str]:
    """Ids of the product's rules (or of ``only`` one) that fail on the world's day."""
    contract = catalogue()[product]
    batch = table(contract, given[product])
    views: dict[str, Any] = {}
    for read in {read for rule in contract.rules for read in rule.reads}:
        of, how = catalogue()[read.product], "before " if read.how == "previous" else ""
        views[read.product] = table(of, given.get(how + read.product, []))
        if how:
            days = pa.array([DAY] * views[read.product].num_rows, pa.date32())
            views[read.product] = views[read.product].append_column("_for_interval", days)
    found = set()
    with connect() as connection:
        bind(connection, {"batch": batch, **views})
        for e in compiled(product).expectations:
            if e.helper_sql is None or only not in (None, e.rule_id):
                continue
            sql = duck(e.helper_sql)
            if e.helper_kind == "column":
                good = e.kwargs["max_value"]
                sql = f"SELECT 1 FROM (SELECT {sql} AS h FROM batch) WHERE h <> {good}"
            if connection.execute(sql).fetchone() is not None:
                found.add(e.rule_id)
    interval = DAY.isoformat() if contract.interval_column else "all"
    for rule in contract.rules:
        if rule.kind == "reconcile" and only in (None, rule.id):
            result = reconcile_duckdb(rule, contract, batch, views, [interval])
            if result[interval].outcome == "failed":
                found.add(rule.id)
    return found


def put(product: str, place: int, **fields: Any) -> Callable[[World], object]:
    """Damage: other values in one row."""
    return lambda w: w[product][place].update(fields)


def drop(product: str, place: int) -> Callable[[World], object]:
    """Damage: one row is lost."""
    return lambda w: w[product].pop(place)
