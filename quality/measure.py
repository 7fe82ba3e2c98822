"""What is observed of a batch while its files are written: rows, digests, failing rows.

The figures come from one Spark ``Observation`` on the very DataFrame being written, so they cost
no pass of their own. Only rules that one row decides alone (``expr`` checks) can be counted
this way; ``quality.flags.tally`` counts the others over the written files. An observation cannot
group: a rule is counted once for the whole batch, and where it fails in a batch of several
intervals, ``failing_by_interval`` asks the written files which ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from quality.decisions import MOVING, effective
from quality.errors import RowsOutsideIntervalsError
from quality.outcome import Measured

if TYPE_CHECKING:
    from contracts.compile.rules import RowCheck
    from contracts.model import Column as ContractColumn
    from contracts.model import Contract

SUSPECT = "__suspect"
_MASK_BITS = 62
"""Null marks are packed into bigints, whose sign is left alone."""


def digest_sql(contract: Contract) -> str:
    """Spark SQL of one row's digest: xxhash64 over its business columns and their nulls.

    xxhash64 skips nulls, so (null, 'a') and ('a', null) would collide; the packed null marks
    keep them apart. Column order is the contract's, so the digest does not depend on a job's. A
    column that is declared null before a date is not part of the digest there: intervals built
    before it existed keep theirs.
    """
    columns = contract.business_columns
    digest = _digest_of(columns)
    # The oldest date is asked first: before it are the fewest columns.
    since_dates = {c.null_before for c in columns if c.null_before is not None}
    for since in sorted(since_dates, reverse=True):
        then = [c for c in columns if c.null_before is None or c.null_before < since]
        earlier = f"`{contract.interval_column}` < DATE'{since}'"
        digest = f"CASE WHEN {earlier} THEN {_digest_of(then)} ELSE {digest} END"
    return digest


def _digest_of(columns: Sequence[ContractColumn]) -> str:
    names = [f"`{c.name}`" for c in columns]
    masks = [
        " + ".join(
            f"shiftleft(cast(isnull({name}) as bigint), {bit})"
            for bit, name in enumerate(names[start : start + _MASK_BITS])
        )
        for start in range(0, len(names), _MASK_BITS)
    ]
    return f"xxhash64({', '.join([*names, *masks])})"


def observe(
    df: DataFrame,
    contract: Contract,
    checks: Sequence[RowCheck],
    intervals: Sequence[str],
    observation: Observation,
) -> DataFrame:
    """The same rows, measured when they are written, with ``SUSPECT boolean`` beside the columns.

    ``SUSPECT`` is true on rows that break a rule whose failing rows leave the batch, so that a
    writer can keep them apart. Up to about 20 intervals per batch: each one adds three sums. Read
    the figures with ``read_measures(observation.get, ...)`` after the write.
    """
    # Counting here parts the job's generated code from that of the marks: together they are
    # often more than the JVM compiles.
    parted = df.observe("built", F.count(F.lit(1)).alias("rows"))
    marked = _marked(parted, contract, checks, intervals)
    moving = [
        F.col(_mark(n)).isNotNull()
        for n, check in enumerate(_in_row(checks))
        if check.rule.severity in MOVING
    ]
    suspect = reduce(Column.__or__, moving, F.lit(False))
    return marked.observe(observation, *_sums(checks, intervals)).select(
        *df.columns, suspect.alias(SUSPECT)
    )


def unplaced(
    observed: Mapping[str, Any], checks: Sequence[RowCheck], intervals: Sequence[str]
) -> dict[str, int]:
    """Failing rows by rule id, of rules that fail in a batch of several intervals: in which?"""
    if len(intervals) == 1:
        return {}
    counts = {check.rule.id: int(observed[f"f{n}"]) for n, check in enumerate(_in_row(checks))}
    return {rule_id: failing for rule_id, failing in counts.items() if failing}


def failing_by_interval(
    df: DataFrame, contract: Contract, checks: Sequence[RowCheck], intervals: Sequence[str]
) -> dict[str, dict[str, int]]:
    """interval -> rule id -> failing rows (absent: 0), in one pass over the rows."""
    marks = [F.count(_mark(n)).alias(f"f{n}") for n, _ in enumerate(_in_row(checks))]
    rows = _marked(df, contract, checks, intervals).groupBy("__i").agg(*marks).collect()
    return {
        intervals[row["__i"]]: {
            check.rule.id: int(row[f"f{n}"]) for n, check in enumerate(_in_row(checks))
        }
        for row in rows
        if row["__i"] is not None
    }


def read_measures(
    observed: Mapping[str, Any],
    contract: Contract,
    checks: Sequence[RowCheck],
    intervals: Sequence[str],
    placed: Mapping[str, Mapping[str, int]],
) -> dict[str, Measured]:
    """Turn an observation's figures into one ``Measured`` per interval asked for.

    ``placed``: what ``failing_by_interval`` found of the rules that are ``unplaced``; ValueError
    without one of those. Raises RowsOutsideIntervalsError when any row has a null interval or one
    not asked for.
    """
    alone = len(intervals) == 1
    known = {rule_id for counts in placed.values() for rule_id in counts}
    if missing := unplaced(observed, checks, intervals).keys() - known:
        raise ValueError(f"nobody said in which intervals these fail: {sorted(missing)}")
    found: dict[str, Measured] = {}
    for i, interval in enumerate(intervals):
        here = placed.get(interval, {})
        failing = {
            check.rule.id: int(observed[f"f{n}"]) if alone else here.get(check.rule.id, 0)
            for n, check in enumerate(_in_row(checks))
            if effective(check.rule, interval)
        }
        found[interval] = _measured(observed, f"{i}", failing)
    _refuse_outside(contract, int(observed["rows"] or 0), found)
    return found


def measure(
    df: DataFrame, contract: Contract, checks: Sequence[RowCheck], intervals: Sequence[str]
) -> dict[str, Measured]:
    """Measure a DataFrame in a pass of its own (a re-check of accepted files, a stored table)."""
    marks = [F.count(_mark(n)).alias(f"f{n}") for n, _ in enumerate(_in_row(checks))]
    sums = (F.count(F.lit(1)).alias("n"), F.sum("__h").alias("h"), F.sum("__l").alias("l"))
    rows = _marked(df, contract, checks, intervals).groupBy("__i").agg(*sums, *marks).collect()
    by_ordinal = {row["__i"]: row.asDict() for row in rows}
    found: dict[str, Measured] = {}
    for i, interval in enumerate(intervals):
        figures = by_ordinal.get(i, {})
        failing = {
            check.rule.id: int(figures.get(f"f{n}", 0))
            for n, check in enumerate(_in_row(checks))
            if effective(check.rule, interval)
        }
        found[interval] = _measured(figures, "", failing)
    _refuse_outside(contract, sum(row["n"] for row in rows), found)
    return found


def _measured(figures: Mapping[str, Any], suffix: str, failing: dict[str, int]) -> Measured:
    high, low = figures.get(f"h{suffix}"), figures.get(f"l{suffix}")
    digest = 0 if high is None or low is None else int(high) * (1 << 32) + int(low)
    return Measured(rows=int(figures.get(f"n{suffix}") or 0), digest=str(digest), failing=failing)


def _refuse_outside(contract: Contract, total: int, found: Mapping[str, Measured]) -> None:
    outside = total - sum(m.rows for m in found.values())
    if outside:
        raise RowsOutsideIntervalsError(contract.product, outside, tuple(found))


def _in_row(checks: Sequence[RowCheck]) -> list[RowCheck]:
    return [check for check in checks if check.kind == "expr"]


def _mark(number: int) -> str:
    return f"__f{number}"


def _marked(
    df: DataFrame, contract: Contract, checks: Sequence[RowCheck], intervals: Sequence[str]
) -> DataFrame:
    """The rows with what is added up, computed once each in generated code.

    ``__i``: the interval's ordinal, null outside of all; ``__h`` and ``__l``: the digest's halves;
    a mark per rule: the ordinal where the row fails, else null. An observation evaluates its
    aggregates row by row without generated code: over columns that are mostly null they cost
    little.
    """
    ordinal = "0"
    if contract.interval_column is not None:
        whens = " ".join(f"WHEN DATE'{interval}' THEN {i}" for i, interval in enumerate(intervals))
        ordinal = f"CASE `{contract.interval_column}` {whens} END"
    # The halves of the 64-bit hash are summed apart: bigint sums are several times quicker than
    # decimal(38,0) ones, and high * 2**32 + low is exactly the same number.
    return df.selectExpr("*", f"{ordinal} AS __i", f"{digest_sql(contract)} AS __d").selectExpr(
        "*",
        "shiftright(__d, 32) AS __h",
        f"__d & {0xFFFFFFFF}L AS __l",
        *[
            f"CASE WHEN {_effective_sql(check, contract)}({check.failing_sql}) THEN __i END"
            f" AS {_mark(n)}"
            for n, check in enumerate(_in_row(checks))
        ],
    )


def _effective_sql(check: RowCheck, contract: Contract) -> str:
    since = check.rule.effective_from
    if contract.interval_column is None or since.year <= 1990:
        return ""
    return f"`{contract.interval_column}` >= DATE'{since}' AND "


def _sums(checks: Sequence[RowCheck], intervals: Sequence[str]) -> list[Column]:
    columns = [F.count(F.lit(1)).alias("rows")]
    columns += [F.count(_mark(n)).alias(f"f{n}") for n, _ in enumerate(_in_row(checks))]
    for i, _ in enumerate(intervals):
        # One interval needs no condition: what is outside of it has null for its ordinal.
        alone = len(intervals) == 1
        here = F.col("__i") == F.lit(i)
        high, low = F.col("__h"), F.col("__l")
        columns += [
            (F.count("__i") if alone else F.count_if(here)).alias(f"n{i}"),
            F.sum(high if alone else F.when(here, high)).alias(f"h{i}"),
            F.sum(low if alone else F.when(here, low)).alias(f"l{i}"),
        ]
    return columns
