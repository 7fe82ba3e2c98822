"""Which rows break which rules: marks on a Spark DataFrame, or only their number.

Everything is judged *per interval*, so that a verdict cannot depend on which intervals happen
to be built together. A rule that is not yet effective on a row's interval never marks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from quality.decisions import MOVING, row_decisions, waiver_fault
from quality.outcome import EVERY_INTERVAL, Decision
from quality.sets import failing_keys, interval_text, missing_keys, unique_order

if TYPE_CHECKING:
    from pyspark.sql import Column

    from contracts.compile.rules import RowCheck
    from contracts.model import Rule

BROKEN = "_broken"
REJECTED = "_rejected"
_SOME = "some interval"


def flag(
    df: DataFrame,
    checks: Sequence[RowCheck],
    views: Mapping[str, DataFrame],
    key: Sequence[str],
    interval_column: str | None,
    *,
    decisions: Sequence[Decision] = (),
    product: str = "",
) -> DataFrame:
    """Add ``_broken array<string>`` (every rule a row breaks) and ``_rejected boolean``.

    ``_broken`` holds rule ids of every severity, ``unit:<rule id>`` on rows that must move
    because a row of their unit moves, and ``decision:<id>`` on rows a steward rejected.
    ``_rejected`` is true when the row leaves the batch: it breaks an ``error`` or ``critical``
    rule that is neither waived for the interval nor released for the row, or moves with such a
    row, or was rejected. Later rows of a duplicate key fail, ordered by ``_delivery_id`` and
    ``_row_number`` where the product has them. ``views`` are the rules' inputs by product name.
    """
    marked = df
    broken: list[tuple[Rule, Column]] = []
    helpers: list[str] = []
    for number, check in enumerate(checks):
        name = f"__f{number}"
        if check.kind == "expr":
            failing = F.expr(str(check.failing_sql))
        else:
            marked = _mark_set(marked, df, check, views, key, interval_column, name)
            helpers.append(name)
            failing = F.coalesce(F.col(name), F.lit(False))
        broken.append((check.rule, failing & effective_condition(check.rule, interval_column)))
    marked = marked.withColumn(
        "__broken", _ids([(rule.id, failing) for rule, failing in broken])
    ).drop(*helpers)
    marked = _with_row_decisions(marked, decisions, product)
    moving = [rule for rule, _ in broken if rule.severity in MOVING]
    moves = _ids(
        [
            (
                rule.id,
                F.array_contains("__broken", rule.id)
                & ~_waived(rule, decisions, product, interval_column)
                & ~F.arrays_overlap("__released", F.array(F.lit(rule.id), F.lit("*"))),
            )
            for rule in moving
        ]
    )
    marked = marked.withColumn("__moves", F.concat(moves, F.col("__decided")))
    marked = _with_unit_movers(marked, moving, interval_column)
    return marked.withColumns(
        {
            BROKEN: F.concat("__broken", "__decided", "__with_unit"),
            REJECTED: (F.size("__moves") > 0) | (F.size("__with_unit") > 0),
        }
    ).drop("__broken", "__released", "__decided", "__moves", "__with_unit")


def tally(
    df: DataFrame,
    checks: Sequence[RowCheck],
    views: Mapping[str, DataFrame],
    key: Sequence[str],
    interval_column: str | None,
    *,
    expr: bool = False,
) -> dict[str, dict[str, int]]:
    """Count failing rows per interval and rule without marking rows: one Spark action.

    A second action counts ``rows`` rules exactly, when the first found any failing key of them.

    Returns ``{interval: {rule id: failing}}``; a pair that is absent counts 0. Rules that one
    row decides alone (``expr``) are left out unless ``expr`` is set: the write observed them.
    """
    parts: list[DataFrame] = []
    in_row: list[tuple[Rule, Column]] = []
    for check in checks:
        rule = check.rule
        frame = df.where(effective_condition(rule, interval_column))
        if check.kind == "expr":
            in_row.append(
                (rule, F.expr(str(check.failing_sql)) & effective_condition(rule, interval_column))
            )
        elif check.kind == "rows":
            # Is there any failing key at all? Usually not, and then no join is needed.
            some = failing_keys(frame, rule, views, key, interval_column, distinct=False).limit(1)
            parts.append(_part(some.select(F.lit(_SOME).alias("interval")), rule, F.lit(1)))
        else:
            counts = _count_set(frame, check, views, key, interval_column)
            parts.append(_part(counts, rule, F.col("failing")))
    if expr and in_row:
        exploded = df.select(
            interval_text(interval_column).alias("interval"),
            F.explode(_ids([(rule.id, failing) for rule, failing in in_row])).alias("rule"),
        )
        parts.append(exploded.groupBy("interval", "rule").agg(F.count("*").alias("failing")))
    found = _collect(parts)
    suspects = found.pop(_SOME, {})
    again = []
    for check in checks:
        if check.rule.id in suspects:
            frame = df.where(effective_condition(check.rule, interval_column))
            counts = _count_set(frame, check, views, key, interval_column)
            again.append(_part(counts, check.rule, F.col("failing")))
    for interval, counted in _collect(again).items():
        found.setdefault(interval, {}).update(counted)
    return found


def _part(counts: DataFrame, rule: Rule, failing: Column) -> DataFrame:
    return counts.select(
        "interval", F.lit(rule.id).alias("rule"), failing.cast("bigint").alias("failing")
    )


def _collect(parts: Sequence[DataFrame]) -> dict[str, dict[str, int]]:
    """Run counts of several rules as one action."""
    found: dict[str, dict[str, int]] = {}
    if parts:
        for row in reduce(DataFrame.unionByName, parts).collect():
            if row["failing"]:
                found.setdefault(row["interval"], {})[row["rule"]] = int(row["failing"])
    return found


def broken_counts(
    flagged: DataFrame, interval_column: str | None, *, accepted_only: bool = False
) -> dict[str, dict[str, int]]:
    """Count marks per interval and id over flagged rows (one action).

    ``accepted_only`` counts marks on rows that stay: releases, waived rules and warnings.
    """
    frame = flagged.where(~F.col(REJECTED)) if accepted_only else flagged
    rows = (
        frame.select(
            interval_text(interval_column).alias("interval"), F.explode(BROKEN).alias("id")
        )
        .groupBy("interval", "id")
        .count()
        .collect()
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["interval"], {})[row["id"]] = int(row["count"])
    return found


def effective_condition(rule: Rule, interval_column: str | None) -> Column:
    """True on rows whose interval the rule already covers (a null interval counts as covered)."""
    if interval_column is None or rule.effective_from.year <= 1990:
        return F.lit(True)
    return F.coalesce(F.col(interval_column) >= F.lit(rule.effective_from), F.lit(True))


def _ids(pairs: Sequence[tuple[str, Column]]) -> Column:
    if not pairs:
        return F.expr("cast(array() as array<string>)")
    return F.filter(
        F.array(*[F.when(condition, F.lit(name)) for name, condition in pairs]),
        lambda item: item.isNotNull(),
    )


def _mark_set(
    marked: DataFrame,
    df: DataFrame,
    check: RowCheck,
    views: Mapping[str, DataFrame],
    key: Sequence[str],
    interval_column: str | None,
    name: str,
) -> DataFrame:
    rule = check.rule
    if check.kind == "unique":
        present = reduce(lambda a, b: a & b, [F.col(c).isNotNull() for c in rule.columns])
        rank = F.row_number().over(unique_order(df.columns, rule.columns, interval_column))
        return marked.withColumn(name, present & (rank > 1))
    if check.kind == "reference":
        bad = missing_keys(df, rule, views, interval_column)
        columns: Sequence[str] = [c for c in bad.columns if c != "failing"]
    else:
        bad = failing_keys(df, rule, views, key, interval_column)
        columns = bad.columns
    return _left_mark(marked, bad.select(*columns), columns, name)


def _left_mark(df: DataFrame, keys: DataFrame, columns: Sequence[str], name: str) -> DataFrame:
    """Left join on distinct keys, null-safe; ``name`` is true where a key was found."""
    found = keys.select(
        *[F.col(c).alias(f"__k{i}") for i, c in enumerate(columns)], F.lit(True).alias(name)
    )
    on = reduce(
        lambda a, b: a & b,
        [df[c].eqNullSafe(found[f"__k{i}"]) for i, c in enumerate(columns)],
    )
    return df.join(found, on, "left").drop(*[f"__k{i}" for i in range(len(columns))])


def _count_set(
    df: DataFrame,
    check: RowCheck,
    views: Mapping[str, DataFrame],
    key: Sequence[str],
    interval_column: str | None,
) -> DataFrame:
    rule = check.rule
    text = interval_text(interval_column).alias("interval")
    if check.kind == "unique":
        present = reduce(lambda a, b: a & b, [F.col(c).isNotNull() for c in rule.columns])
        # By the interval as it is: its text would be made, hashed and sent for every row.
        dated = [c for c in (interval_column,) if c is not None and c not in rule.columns]
        groups = df.where(present).groupBy(*rule.columns, *dated).count().where("count > 1")
        return groups.groupBy(text).agg(F.sum(F.col("count") - 1).alias("failing"))
    if check.kind == "reference":
        bad = missing_keys(df, rule, views, interval_column)
        return bad.groupBy(text).agg(F.sum("failing").alias("failing"))
    bad = failing_keys(df, rule, views, key, interval_column)
    hit = _left_mark(df, bad, bad.columns, "__hit").where("__hit")
    return hit.groupBy(text).agg(F.count("*").alias("failing"))


def _waived(
    rule: Rule, decisions: Sequence[Decision], product: str, interval_column: str | None
) -> Column:
    condition = F.lit(False)
    for d in decisions:
        if d.kind != "waiver" or d.product != product or d.rule_id != rule.id:
            continue
        if waiver_fault(d) is not None:
            continue
        if interval_column is None:
            condition = condition | F.lit(d.interval in ("all", EVERY_INTERVAL))
            continue
        reach = F.col(interval_column) <= F.lit(d.expires)
        if d.interval != EVERY_INTERVAL:
            reach = reach & (interval_text(interval_column) == F.lit(d.interval))
        condition = condition | F.coalesce(reach, F.lit(False))
    return condition


def _with_row_decisions(df: DataFrame, decisions: Sequence[Decision], product: str) -> DataFrame:
    """Add ``__released`` (rule ids, ``*`` for any) and ``__decided`` (``decision:<id>``)."""
    marked = df
    for kind, name in (("release", "__released"), ("rejection", "__decided")):
        none = F.expr("cast(array() as array<string>)")
        found = row_decisions(decisions, product, kind)
        if not found or "_delivery_id" not in df.columns:
            marked = marked.withColumn(name, none)
            continue
        items = [
            F.struct(
                F.lit(d.delivery_id).alias("d"),
                F.lit(d.row_number).cast("bigint").alias("n"),
                F.lit(
                    (d.rule_id or "*") if kind == "release" else f"decision:{d.decision_id}"
                ).alias("w"),
            )
            for d in found
        ]
        table = (
            df.sparkSession.range(1)
            .select(F.explode(F.array(*items)).alias("x"))
            .select("x.*")
            .groupBy(F.col("d").alias("__d"), F.col("n").alias("__n"))
            .agg(F.array_sort(F.collect_set("w")).alias(name))
        )
        on = (F.col("_delivery_id") == F.col("__d")) & (F.col("_row_number") == F.col("__n"))
        marked = (
            marked.join(F.broadcast(table), on, "left")
            .withColumn(name, F.coalesce(F.col(name), none))
            .drop("__d", "__n")
        )
    return marked


def _with_unit_movers(
    df: DataFrame, moving: Sequence[Rule], interval_column: str | None
) -> DataFrame:
    """Add ``__with_unit``: ``unit:<id>`` for each id by which another row of the unit moves."""
    none = F.expr("cast(array() as array<string>)")
    units: dict[tuple[str, ...], list[str]] = {}
    for rule in moving:
        if rule.unit:
            units.setdefault(rule.unit, []).append(rule.id)
    marked = df.withColumn("__with_unit", none)
    for unit, ids in sorted(units.items()):
        columns = [*unit, *([interval_column] if interval_column not in (None, *unit) else [])]
        names = [str(c) for c in columns]
        mine = F.filter(F.col("__moves"), _of_unit(ids))
        bad = (
            df.select(*names, F.explode(mine).alias("id"))
            .groupBy(*[F.col(c).alias(f"__k{i}") for i, c in enumerate(names)])
            .agg(F.array_sort(F.collect_set("id")).alias("__ids"))
        )
        on = reduce(
            lambda a, b: a & b,
            [marked[c].eqNullSafe(bad[f"__k{i}"]) for i, c in enumerate(names)],
        )
        others = F.transform(
            F.array_except(F.coalesce(F.col("__ids"), none), F.col("__moves")),
            lambda item: F.concat(F.lit("unit:"), item),
        )
        marked = (
            marked.join(bad, on, "left")
            .withColumn("__with_unit", F.array_union("__with_unit", others))
            .drop("__ids", *[f"__k{i}" for i in range(len(names))])
        )
    return marked


def _of_unit(ids: Sequence[str]) -> Callable[[Column], Column]:
    """Choose the ids by which a unit moves: its rules', and a steward's rejections."""
    return lambda item: item.isin(list(ids)) | item.startswith("decision:")
