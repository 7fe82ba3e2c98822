"""What is observed of a batch while its files are written: rows, digests, failing rows.

The figures come from one Spark ``Observation`` on the very DataFrame being written, so they cost
no pass of their own. Only rules that one row decides alone (``expr`` checks) can be counted
this way; ``quality.flags.tally`` counts the others over the written files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from quality.decisions import effective
from quality.errors import RowsOutsideIntervalsError
from quality.outcome import Measured

if TYPE_CHECKING:
    from pyspark.sql import Column

    from contracts.compile.rules import RowCheck
    from contracts.model import Column as ContractColumn
    from contracts.model import Contract

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
    """The same DataFrame, measured when it is written: same columns, same rows.

    Failing conditions and the digest are computed once per row in a helper struct that is
    dropped again, then added up per interval. Up to about 20 intervals per batch: each one adds
    a few sums. Read the figures with ``read_measures(observation.get, ...)`` after the write.
    """
    helper = df.withColumn("__m", _row_struct(contract, checks, intervals))
    return helper.observe(observation, *_sums(checks, intervals)).drop("__m")


def read_measures(
    observed: Mapping[str, Any],
    contract: Contract,
    checks: Sequence[RowCheck],
    intervals: Sequence[str],
) -> dict[str, Measured]:
    """Turn an observation's figures into one ``Measured`` per interval asked for.

    Raises RowsOutsideIntervalsError when any row has a null interval or one not asked for.
    """
    total = int(observed["rows"] or 0)
    found: dict[str, Measured] = {}
    in_row = [c for c in checks if c.kind == "expr"]
    for i, interval in enumerate(intervals):
        high, low = observed[f"h{i}"], observed[f"l{i}"]
        digest = 0 if high is None else int(high) * (1 << 32) + int(low)
        failing = {
            check.rule.id: int(observed[f"f{i}_{n}"] or 0)
            for n, check in enumerate(in_row)
            if effective(check.rule, interval)
        }
        found[interval] = Measured(
            rows=int(observed[f"n{i}"] or 0), digest=str(digest), failing=failing
        )
    outside = total - sum(m.rows for m in found.values())
    if outside:
        raise RowsOutsideIntervalsError(contract.product, outside, tuple(intervals))
    return found


def measure(
    df: DataFrame, contract: Contract, checks: Sequence[RowCheck], intervals: Sequence[str]
) -> dict[str, Measured]:
    """Measure a DataFrame in a pass of its own (a re-check of accepted files, a stored table)."""
    helper = df.withColumn("__m", _row_struct(contract, checks, intervals))
    row = helper.agg(*_sums(checks, intervals)).collect()[0]
    return read_measures(row.asDict(), contract, checks, intervals)


def _row_struct(contract: Contract, checks: Sequence[RowCheck], intervals: Sequence[str]) -> Column:
    if contract.interval_column is None:
        ordinal = F.lit(0)
    else:
        ordinal = F.expr(
            f"cast(array_position(array({', '.join(repr(i) for i in intervals)}), "
            f"cast(`{contract.interval_column}` as string)) - 1 as int)"
        )
    digest = F.expr(digest_sql(contract))
    failing = [
        F.expr(str(c.failing_sql)).alias(f"f{n}")
        for n, c in enumerate(c for c in checks if c.kind == "expr")
    ]
    # The halves of the 64-bit hash are summed apart: bigint sums are several times quicker than
    # decimal(38,0) ones, and high * 2**32 + low is exactly the same number.
    return F.struct(
        ordinal.alias("i"),
        F.shiftright(digest, 32).alias("h"),
        digest.bitwiseAND(F.lit(0xFFFFFFFF).cast("bigint")).alias("l"),
        *failing,
    )


def _sums(checks: Sequence[RowCheck], intervals: Sequence[str]) -> list[Column]:
    in_row = [c for c in checks if c.kind == "expr"]
    columns = [F.count(F.lit(1)).alias("rows")]
    for i, interval in enumerate(intervals):
        here = F.col("__m.i") == F.lit(i)
        columns += [
            F.count_if(here).alias(f"n{i}"),
            F.sum(F.when(here, F.col("__m.h"))).alias(f"h{i}"),
            F.sum(F.when(here, F.col("__m.l"))).alias(f"l{i}"),
        ]
        columns += [
            F.count_if(here & F.col(f"__m.f{n}")).alias(f"f{i}_{n}")
            for n, check in enumerate(in_row)
            if effective(check.rule, interval)
        ]
    return columns
