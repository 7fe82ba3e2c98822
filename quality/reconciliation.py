"""Reconciliation: two totals that have to be the same, and the keys that make them differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quality.errors import RuleInputMissingError, RuleSqlError
from quality.results import declare, result
from quality.sets import view_name

if TYPE_CHECKING:
    from contracts.model import Contract, Rule
    from quality.outcome import RuleResult
    from quality.relations import Relation

EVIDENCE = 20
"""Keys kept as evidence of a failed reconciliation: those that contribute most."""

_NUMBER = "decimal(38,6)"


@dataclass(frozen=True)
class Compared:
    """One interval's comparison; ``worst`` are ``(key, expected, actual, difference)``."""

    checked: int
    failing: int
    expected: Decimal
    actual: Decimal
    worst: tuple[tuple[dict[str, str | None], str | None, str | None, str], ...]


def reconcile_spark(
    rule: Rule,
    contract: Contract,
    batch: Any,
    views: Mapping[str, Any],
    intervals: Sequence[str],
) -> dict[str, RuleResult]:
    """Run a reconcile rule on Spark DataFrames; ``batch`` is what will be published."""
    from quality.sets import pick_view, run_sql

    bound = {view_name(r.product): pick_view(views, r.product, rule.id) for r in rule.reads}
    base = run_sql(batch, {"batch": batch, **bound}, str(rule.sql))
    sql = comparison_sql(rule, contract, tuple(base.columns), "compared")
    rows = run_sql(base, {"compared": base}, sql).collect()
    found = _collected([r.asDict() for r in rows], contract, tuple(base.columns))
    return _results(rule, contract, found, intervals)


def reconcile_duckdb(
    rule: Rule,
    contract: Contract,
    batch: Relation,
    views: Mapping[str, Relation],
    intervals: Sequence[str],
) -> dict[str, RuleResult]:
    """Run a reconcile rule in DuckDB over files or Arrow: milliseconds for small batches.

    ``batch``: an Arrow table (``quality.relations.read_batch`` reads the accepted files).
    """
    import sqlglot

    from quality.relations import bind, connect

    given = {view_name(v) for v in views}
    for read in rule.reads:
        if view_name(read.product) not in given:
            raise RuleInputMissingError(rule.id, view_name(read.product), contract.product)
    with connect() as connection:
        bind(connection, {"batch": batch, **views})
        body = sqlglot.transpile(str(rule.sql).strip().rstrip(";"), read="spark", write="duckdb")[0]
        connection.execute(f"CREATE TEMP VIEW compared AS {body}")
        described = connection.execute("DESCRIBE compared").fetchall()
        columns = tuple(str(row[0]) for row in described)
        sql = comparison_sql(rule, contract, columns, "compared")
        cursor = connection.execute(sqlglot.transpile(sql, read="spark", write="duckdb")[0])
        names = [d[0] for d in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return _results(rule, contract, _collected(rows, contract, columns), intervals)


def comparison_sql(rule: Rule, contract: Contract, columns: tuple[str, ...], relation: str) -> str:
    """Spark SQL over a rule's own rows: totals per interval, and its worst keys.

    A side that is null where the other is not fails, whatever the tolerance; both null agree.
    """
    interval = contract.interval_column
    needed = [c for c in (interval, "expected", "actual") if c is not None]
    absent = [c for c in needed if c not in columns]
    if absent:
        problem = f"its result lacks {', '.join(absent)}"
        raise RuleSqlError(rule.id, problem, contract.product)
    name = f"cast(`{interval}` as string)" if interval else "'all'"
    keys = [f"`{c}`" for c in columns if c not in needed]
    order = ", ".join(["failing DESC", "abs(difference) DESC", *keys])
    expected = f"cast(expected as {_NUMBER})"
    actual = f"cast(actual as {_NUMBER})"
    return f"""
        SELECT * FROM (
          SELECT *, row_number() OVER (PARTITION BY of_interval ORDER BY {order}) AS place,
            count(*) OVER (PARTITION BY of_interval) AS n_checked,
            sum(failing) OVER (PARTITION BY of_interval) AS n_failing,
            sum(coalesce(left_side, 0)) OVER (PARTITION BY of_interval) AS sum_expected,
            sum(coalesce(right_side, 0)) OVER (PARTITION BY of_interval) AS sum_actual
          FROM (
            SELECT *, CASE WHEN (left_side IS NULL) <> (right_side IS NULL)
                OR abs(difference) > {Decimal(rule.tolerance_abs)} THEN 1 ELSE 0 END AS failing
            FROM (
              SELECT {", ".join([f"{name} AS of_interval", *keys])},
                {expected} AS left_side, {actual} AS right_side,
                coalesce({actual}, 0) - coalesce({expected}, 0) AS difference
              FROM {relation}
            ) AS sides
          ) AS marked
        ) AS ranked WHERE place = 1 OR (failing = 1 AND place <= {EVIDENCE})
    """


def number(value: Decimal | None) -> str | None:
    """Plain decimal text without trailing zeros: ``Decimal('12.500000')`` -> ``'12.5'``."""
    if value is None:
        return None
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _collected(
    rows: Iterable[Mapping[str, Any]], contract: Contract, columns: tuple[str, ...]
) -> dict[str, Compared]:
    own = {contract.interval_column, "expected", "actual"}
    keys = [c for c in columns if c not in own]
    found: dict[str, Compared] = {}
    for row in sorted(rows, key=lambda r: (str(r["of_interval"]), r["place"])):
        interval = str(row["of_interval"])
        worst = found[interval].worst if interval in found else ()
        if row["failing"]:
            key = {k: None if row[k] is None else str(row[k]) for k in keys}
            sides = (number(row["left_side"]), number(row["right_side"]))
            worst += ((key, *sides, str(number(row["difference"]))),)
        found[interval] = Compared(
            int(row["n_checked"]),
            int(row["n_failing"]),
            Decimal(row["sum_expected"]),
            Decimal(row["sum_actual"]),
            worst,
        )
    return found


def _results(
    rule: Rule, contract: Contract, found: Mapping[str, Compared], intervals: Sequence[str]
) -> dict[str, RuleResult]:
    answers: dict[str, RuleResult] = {}
    for interval in intervals:
        c = found.get(interval)
        if c is None:
            why = "nothing to compare on this interval"
            answers[interval] = declare(contract, rule, interval, "not_applicable", why)
            continue
        difference = number(c.actual - c.expected)
        message = ""
        if c.failing:
            message = (
                f"{c.failing} of {c.checked} keys differ; expected {number(c.expected)}, "
                f"actual {number(c.actual)}, difference {difference}"
            )
        answers[interval] = result(
            contract,
            rule,
            interval,
            "failed" if c.failing else "passed",
            message,
            failing=c.failing,
            checked=c.checked,
            expected=number(c.expected),
            actual=number(c.actual),
            difference=difference,
            evidence=_evidence(c) if c.failing else None,
        )
    return answers


def _evidence(compared: Compared) -> str:
    return json.dumps(
        [
            {"key": key, "expected": left, "actual": right, "difference": difference}
            for key, left, right, difference in compared.worst
        ],
        ensure_ascii=False,
    )
