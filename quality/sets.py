"""Rules that one row cannot decide alone, as small Spark DataFrames of failing keys.

Each is written over distinct keys first, so that the joins stay small next to the batch.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from quality.errors import RuleInputMissingError, RuleSqlError

if TYPE_CHECKING:
    from pyspark.sql import Column, WindowSpec

    from contracts.model import Read, Rule


def interval_text(interval_column: str | None) -> Column:
    """The interval's name of a row: an ISO date, or ``all``."""
    if interval_column is None:
        return F.lit("all")
    return F.col(interval_column).cast("string")


def view_name(product: str) -> str:
    """The name a product has in a rule's SQL: ``silver.trade`` -> ``silver_trade``."""
    return product.replace(".", "_")


def pick_view(views: Mapping[str, DataFrame], product: str, rule_id: str) -> DataFrame:
    """The rule's input by product name; RuleInputMissingError when it was not handed over."""
    for name in (product, view_name(product)):
        if name in views:
            return views[name]
    raise RuleInputMissingError(rule_id, view_name(product))


def unique_order(
    all_columns: Sequence[str], columns: Sequence[str], interval_column: str | None
) -> WindowSpec:
    """The order among rows of one key: delivery, line, then every other column (stable)."""
    lineage = [c for c in ("_delivery_id", "_row_number") if c in all_columns]
    rest = [c for c in all_columns if c not in {*lineage, *columns}]
    # The interval last: rows are sorted by what tells them apart first.
    by = [F.col(c) for c in columns if c != interval_column]
    if interval_column is not None:
        by.append(F.col(interval_column))
    order = [F.col(c).asc_nulls_first() for c in (*lineage, *rest)] or [F.lit(0)]
    return Window.partitionBy(*by).orderBy(*order)


def missing_keys(
    df: DataFrame, rule: Rule, views: Mapping[str, DataFrame], interval_column: str | None
) -> DataFrame:
    """Distinct referring values that are not to be found, with how many rows hold each.

    Columns: the interval column (if any), the rule's columns, ``failing``. A null in any
    referring column passes. ``as_of`` inputs must be valid on the row's interval (or, in a
    product without intervals, on its ``valid_from``); ``same`` inputs must be of the same
    interval when they carry the interval column.
    """
    target = pick_view(views, str(rule.to_product), rule.id)
    read = read_of(rule)
    present = reduce(lambda a, b: a & b, [F.col(c).isNotNull() for c in rule.columns])
    on_date = as_of_column(df.columns, interval_column) if read.how == "as_of" else None
    wanted = list(dict.fromkeys([*filter(None, (interval_column, on_date)), *rule.columns]))
    keys = df.where(present).groupBy(*wanted).agg(F.count("*").alias("failing"))
    pairs = list(zip(rule.columns, rule.to_columns, strict=True))
    if (
        read.how == "same"
        and interval_column is not None
        and interval_column in target.columns
        and interval_column not in rule.columns
    ):
        pairs.append((interval_column, interval_column))
    ranged = on_date is not None and "valid_from" in target.columns
    names = list(dict.fromkeys(to for _, to in pairs))
    if ranged:
        names += [c for c in ("valid_from", "valid_to") if c not in names]
    # Dimension histories are small: de-duplicating them costs less than a wider join.
    other = target.select(*[F.col(c).alias(f"__to_{c}") for c in names]).distinct()
    on = reduce(lambda a, b: a & b, [keys[a] == other[f"__to_{b}"] for a, b in pairs])
    if ranged:
        end = other["__to_valid_to"]
        on = on & (other["__to_valid_from"] <= keys[str(on_date)])
        on = on & (end.isNull() | (keys[str(on_date)] < end))
    lost = keys.join(other, on, "left_anti")
    if on_date is not None and on_date != interval_column and on_date not in rule.columns:
        # Marking rows joins on every column kept here, so the date must stay among them.
        return lost.select(*wanted, "failing")
    return lost


def failing_keys(
    df: DataFrame,
    rule: Rule,
    views: Mapping[str, DataFrame],
    key: Sequence[str],
    interval_column: str | None,
    *,
    distinct: bool = True,
) -> DataFrame:
    """Distinct keys that a ``rows`` rule's SELECT returns.

    The SQL sees ``batch`` and its ``reads`` as ``layer_name``. Its result must hold the whole
    key; the interval column, when returned as well, is matched too. The views have unique names
    in the session and are dropped at once, so threads may share a session.
    """
    bound = {"batch": df}
    for read in rule.reads:
        bound[view_name(read.product)] = pick_view(views, read.product, rule.id)
    found = run_sql(df, bound, str(rule.sql))
    columns = [*key]
    if interval_column is not None and interval_column in found.columns:
        columns += [c for c in (interval_column,) if c not in columns]
    absent = [c for c in columns if c not in found.columns]
    if absent:
        raise RuleSqlError(rule.id, f"its result lacks the key columns {', '.join(absent)}")
    keys = found.select(*columns)
    return keys.distinct() if distinct else keys


def run_sql(df: DataFrame, bound: Mapping[str, DataFrame], sql: str) -> DataFrame:
    """Run a SELECT over named frames without leaving names behind in the session."""
    spark = df.sparkSession
    names = {name: f"exlake_{uuid.uuid4().hex}" for name in bound}
    for name, frame in bound.items():
        frame.createOrReplaceTempView(names[name])
    try:
        heads = ", ".join(f"{name} AS (SELECT * FROM {real})" for name, real in names.items())
        result = spark.sql(f"WITH {heads} SELECT * FROM ({sql.strip().rstrip(';')})")
        # Analysis is eager: once the schema is known the names are no longer needed.
        _ = result.schema
        return result
    finally:
        for real in names.values():
            spark.catalog.dropTempView(real)


def read_of(rule: Rule) -> Read:
    """How a reference reads what it refers to; the same interval where it does not say."""
    from contracts.model import Read

    for read in rule.reads:
        if read.product == rule.to_product:
            return read
    return Read(product=str(rule.to_product))


def as_of_column(columns: Sequence[str], interval_column: str | None) -> str | None:
    """The column with the date on which an ``as_of`` input must be valid; None without one."""
    if interval_column is not None:
        return interval_column
    return "valid_from" if "valid_from" in columns else None
