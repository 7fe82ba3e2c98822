"""From delivered text to typed columns, counting what could not be read.

Bronze keeps every value as delivered text. ``conform`` casts by the contract: a value that is
there but cannot be read becomes NULL and its column's name is listed in ``_unparsed``, so that the
contract's ``parsed`` rule rejects the row instead of losing the value silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.model import Contract

UNPARSED = "_unparsed"
LINEAGE = ("_delivery_id", "_row_number")
BEIJING = "Asia/Shanghai"


def typed_sql(text: str, sql_type: str) -> str:
    """Return Spark SQL that casts delivered ``text`` (a string expression) to ``sql_type``.

    Unreadable text gives NULL, never an error (ANSI mode would raise). Dates: YYYYMMDD or
    YYYY-MM-DD. Timestamps without an offset are Beijing time; the result is UTC. Decimals with
    more digits than the scale holds are unreadable rather than rounded.

    >>> typed_sql("x", "string")
    'nullif(trim(x), \\'\\')'
    """
    return _typed(_value(text), sql_type)


def _value(text: str) -> str:
    return f"nullif(trim({text}), '')"


def _typed(value: str, sql_type: str) -> str:
    """The cast of ``value``: trimmed text, or NULL where nothing was given."""
    if sql_type == "string":
        return value
    if sql_type == "date":
        return (
            f"CASE length({value}) WHEN 8 THEN try_to_date({value}, 'yyyyMMdd')"
            f" WHEN 10 THEN try_cast({value} AS DATE) END"
        )
    if sql_type == "timestamp":
        # Only what may end in an offset is asked by pattern, which costs as much as the cast.
        sign = f"substring({value}, -6, 2)"
        may = f"endswith({value}, 'Z') OR instr({sign}, '+') > 0 OR instr({sign}, '-') > 0"
        return (
            f"CASE WHEN ({may}) AND {value} RLIKE '(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$'"
            f" THEN try_cast({value} AS TIMESTAMP)"
            f" ELSE to_utc_timestamp(try_cast({value} AS TIMESTAMP), '{BEIJING}') END"
        )
    if sql_type == "boolean":
        return (
            f"CASE WHEN upper({value}) IN ('1', 'Y', 'TRUE') THEN true"
            f" WHEN upper({value}) IN ('0', 'N', 'FALSE') THEN false END"
        )
    if sized := re.match(r"decimal\((\d+),\s*(\d+)\)", sql_type):
        precision, scale = int(sized[1]), int(sized[2])
        # As many decimals as fit beside the type's whole digits: none is rounded away unseen.
        wide = f"try_cast({value} AS decimal(38,{38 - (precision - scale)}))"
        cast = f"try_cast({wide} AS {sql_type})"
        # Of short plain text, which is nearly all, nothing can be: it is read once.
        plain = (
            f"instr({value}, '.') > 0 AND length({value}) - instr({value}, '.') <= {scale}"
            f" AND instr({value}, 'e') = 0 AND instr({value}, 'E') = 0"
        )
        return (
            f"CASE WHEN {plain} THEN try_cast({value} AS {sql_type})"
            f" WHEN {cast} = {wide} THEN {cast} END"
        )
    return f"try_cast({value} AS {sql_type})"


def conform(
    df: DataFrame, contract: Contract, expressions: Mapping[str, str] | None = None
) -> DataFrame:
    """Return ``df`` with exactly the contract's columns, typed, plus ``_unparsed``.

    ``expressions``: column -> Spark SQL over ``df`` for columns that are not delivered under their
    own name; a *string* result is cast like delivered text, any other type is kept as it is and
    must be the contract's. Delivered columns are text.
    """
    given = dict(expressions or {})
    staged = df.selectExpr("*", *[f"({sql}) AS `__{name}`" for name, sql in given.items()])
    types = dict(staged.dtypes)
    # Three steps, each over columns of the one before: written as one, every text would be trimmed
    # as often as it is named, in a method too large for the JVM to compile.
    trimmed: list[str] = []
    select: list[str] = []
    unparsed: dict[str, str] = {}
    for column in contract.columns:
        name = column.name
        if name == UNPARSED:
            continue
        source = f"__{name}" if name in given else name
        if column.technical:
            trimmed.append(f"`{source}` AS `{name}`")
            select.append(f"`{name}`")
        elif source not in types:
            select.append(f"CAST(NULL AS {column.type}) AS `{name}`")
        elif types[source] != "string":
            trimmed.append(f"CAST(`{source}` AS {column.type}) AS `{name}`")
            select.append(f"`{name}`")
        else:
            text = f"__text_{name}"
            trimmed.append(f"{_value(f'`{source}`')} AS `{text}`")
            select.append(f"{_typed(f'`{text}`', column.type)} AS `{name}`")
            if column.type != "string":
                unparsed[name] = text
    names = [f"`{column.name}`" for column in contract.columns if column.name != UNPARSED]
    staged = staged.selectExpr(*trimmed)
    if not any(column.name == UNPARSED for column in contract.columns):
        return staged.selectExpr(*select).selectExpr(*names)
    listed = "NULL"
    if unparsed:
        lost = [f"(`{name}` IS NULL AND `{text}` IS NOT NULL)" for name, text in unparsed.items()]
        each = [f"CASE WHEN {c} THEN '{n}' END" for c, n in zip(lost, unparsed, strict=True)]
        # The text is put together for the few rows that need one.
        listed = f"CASE WHEN {' OR '.join(lost)} THEN concat_ws(',', {', '.join(each)}) END"
    return (
        staged.selectExpr(*select, *[f"`{text}`" for text in unparsed.values()])
        .selectExpr(*names, f"CAST({listed} AS STRING) AS `{UNPARSED}`")
        .select(*[column.name for column in contract.columns])
    )


def as_of_join(
    df: DataFrame,
    dimension: DataFrame,
    on: Sequence[str],
    date_column: str,
    columns: Mapping[str, str] | Sequence[str],
) -> DataFrame:
    """Left-join the dimension rows that were valid on each row's date.

    ``dimension``: currently known rows with ``valid_from`` (inclusive) and ``valid_to`` (exclusive,
    NULL: open). ``columns``: names to take, or dimension name -> new name. At most one dimension
    row is valid per key and date, so no row is doubled.
    """
    from pyspark.sql import functions as F

    names = columns if isinstance(columns, Mapping) else {name: name for name in columns}
    right = dimension.select(
        *[F.col(name).alias(f"__k_{name}") for name in on],
        F.col("valid_from").alias("__from"),
        F.col("valid_to").alias("__to"),
        *[F.col(name).alias(f"__v_{new}") for name, new in names.items()],
    )
    condition = (F.col(date_column) >= F.col("__from")) & (
        F.col("__to").isNull() | (F.col(date_column) < F.col("__to"))
    )
    for name in on:
        condition = condition & (F.col(name) == F.col(f"__k_{name}"))
    joined = df.join(right, condition, "left")
    return joined.select(*df.columns, *[F.col(f"__v_{new}").alias(new) for new in names.values()])
