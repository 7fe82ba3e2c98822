"""Helper columns for rules over keys, by pandas over dictionary codes.

DuckDB counts the same rules in the written files (``quality.keys``). Great Expectations judges a
small batch's helper columns; were DuckDB to make them too, both counts would share its faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from quality.relations import Relation, as_dataset
from quality.sets import as_of_column, read_of

if TYPE_CHECKING:
    from contracts.model import Contract, Rule

FIRST, AGAIN = 1.0, 2.0
FOUND, MISSING = 0.0, 1.0


def repeats(table: pa.Table, rule: Rule, interval_column: str | None) -> Any:
    """``AGAIN`` on rows after the first of their key, else ``FIRST``; NaN where a key is null."""
    by = list(dict.fromkeys([*rule.columns, *([interval_column] if interval_column else [])]))
    marks = np.full(table.num_rows, np.nan)
    if not set(rule.columns) <= set(table.column_names):
        return marks  # a column newer than the files is null in every row
    present = _present(table, rule.columns)
    codes = pd.DataFrame({c: _codes(table.column(c))[present] for c in by})
    marks[present] = np.where(codes.duplicated(), AGAIN, FIRST)
    return marks


def dangling(table: pa.Table, rule: Rule, contract: Contract, target: Relation) -> Any:
    """``MISSING`` on rows that refer to what ``target`` lacks (or lacks on their date).

    The meaning is ``quality.sets.missing_keys``'s: a null in any referring column passes.
    """
    marks = np.full(table.num_rows, FOUND)
    if not set(rule.columns) <= set(table.column_names):
        return marks
    read, interval = read_of(rule), contract.interval_column
    pairs = list(zip(rule.columns, rule.to_columns, strict=True))
    rows = as_dataset(target)
    known = rows.schema.names
    if read.how == "same" and interval in known and interval not in rule.columns:
        pairs.append((str(interval), str(interval)))
    on_date = as_of_column(table.column_names, interval) if read.how == "as_of" else None
    span = ["valid_from", "valid_to"] if on_date is not None and "valid_from" in known else []
    other = rows.to_table(columns=[*dict.fromkeys(b for _, b in pairs), *span])
    keys, there = pd.DataFrame(index=range(table.num_rows)), pd.DataFrame()
    for position, (a, b) in enumerate(pairs):
        left, right = _common(table.column(a), other.column(b))
        codes = _codes(pa.chunked_array([*left.chunks, *right.chunks], type=left.type))
        keys[position], there[position] = codes[: len(left)], codes[len(left) :]
    by = list(range(len(pairs)))
    if span:
        keys["on"] = _days(table.column(str(on_date)))
        there["from"] = _days(other.column("valid_from"))
        there["to"] = _days(other.column("valid_to"))
        there["to"] = there["to"].fillna(np.inf)
    asked = keys[_present(table, rule.columns)]
    distinct = asked.drop_duplicates()
    found = distinct.reset_index(names="row").merge(there.drop_duplicates(), on=by)
    if span:
        found = found[(found["from"] <= found["on"]) & (found["on"] < found["to"])]
    # Every row's key by number: the distinct ones that were found say which rows are.
    numbers = asked.groupby(list(asked.columns), dropna=False, sort=False).ngroup()
    lost = ~numbers.isin(numbers.loc[found["row"].unique()])
    marks[asked.index[lost.to_numpy()]] = MISSING
    return marks


def _present(table: pa.Table, columns: Sequence[str]) -> Any:
    valid = [table.column(c).is_valid().to_numpy() for c in columns]
    return np.logical_and.reduce(valid)


def _codes(column: pa.ChunkedArray) -> Any:
    """A number for each value, the same for equal ones; -1 for null."""
    encoded: Any = column.combine_chunks().dictionary_encode()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)


def _common(a: pa.ChunkedArray, b: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Both columns in a type that holds the values of either, so that equal ones look equal."""
    if a.type == b.type:
        return a, b
    if pa.types.is_decimal(a.type) and pa.types.is_decimal(b.type):
        wide: pa.DataType = pa.decimal128(38, max(a.type.scale, b.type.scale))
    elif pa.types.is_integer(a.type) and pa.types.is_integer(b.type):
        wide = pa.int64()
    elif pa.types.is_timestamp(a.type) and pa.types.is_timestamp(b.type):
        wide = pa.timestamp("us", tz="UTC")
    else:
        wide = a.type
    return a.cast(wide), b.cast(wide)


def _days(column: pa.ChunkedArray) -> Any:
    """Days since 1970 of dates; NaN for null, which no comparison finds."""
    days = column.cast(pa.date32()).cast(pa.int32()).cast(pa.float64())
    return days.fill_null(np.nan).to_numpy()
