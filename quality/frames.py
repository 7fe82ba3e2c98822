"""The pandas frame that Great Expectations judges: only needed columns, values kept exact.

Numbers, dates and times become numbers that keep order and equality: integers as they are,
decimals as their unscaled integer (12.3400 -> 123400), as float64 only where that is exact
enough to compare with the bound. Helper columns over the same rows are computed by DuckDB, those
of rules over keys by pandas (``frame_keys``), as DuckDB counts these in the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from quality.frame_keys import dangling, repeats
from quality.gx import Stock, short
from quality.relations import Relation, bind, connect
from quality.sets import view_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contracts.compile.suite import Expectation, Suite
    from contracts.model import Contract, Rule

EXACT = 2**53
"""Below it float64 holds every integer; bounds must stay below it once scaled."""


@dataclass(frozen=True)
class Prepared:
    """A frame, the stock expectations to run on it, and what could not be prepared."""

    frame: Any
    stocks: tuple[Stock, ...]
    errors: Mapping[str, str]


def prepare(
    table: pa.Table, contract: Contract, suite: Suite, views: Mapping[str, Relation]
) -> Prepared:
    """Build the frame for the pandas engine; a helper that fails is an error of its rule."""
    stocks, errors = stock_expectations(suite, contract, scaled=True)
    columns: dict[str, Any] = {}
    natives = {str(s.kwargs["column"]) for s in stocks} & set(table.column_names)
    types = {c.name: c.type for c in contract.columns}
    for name in sorted(natives):
        columns[name] = encode(table.column(name), types[name])
    helped = [e for e in suite.expectations if e.helper_sql is not None]
    errors |= _missing_views(helped, contract, views)
    rules = {r.id: r for r in contract.rules}
    asked: list[Expectation] = []
    for e in helped:
        rule = rules.get(e.rule_id)
        if rule is None or rule.kind not in ("unique", "reference"):
            asked.append(e)
        elif e.rule_id not in errors:
            try:
                columns[str(e.kwargs["column"])] = _keyed(table, rule, contract, views)
            except Exception as problem:
                errors[e.rule_id] = short(problem)
    if asked:
        columns |= _by_duckdb(table, asked, views, errors)
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
    return Prepared(frame, tuple(s for s in stocks if s.rule_id not in errors), errors)


def _keyed(table: pa.Table, rule: Rule, contract: Contract, views: Mapping[str, Relation]) -> Any:
    if rule.kind == "unique":
        return repeats(table, rule, contract.interval_column)
    product = str(rule.to_product)
    target = views[product] if product in views else views[view_name(product)]
    return dangling(table, rule, contract, target)


def _by_duckdb(
    table: pa.Table,
    asked: Sequence[Expectation],
    views: Mapping[str, Relation],
    errors: dict[str, str],
) -> dict[str, Any]:
    """Helper columns by name; what fails is added to ``errors``, by rule."""
    columns: dict[str, Any] = {}
    with connect() as connection:
        numbered = table.append_column("__rid", pa.array(np.arange(table.num_rows)))
        connection.register("batch", numbered)
        bind(connection, views)
        for e in asked:
            if e.rule_id in errors:
                continue
            try:
                columns[str(e.kwargs["column"])] = _helper(connection, e, table.num_rows)
            except Exception as problem:
                errors[e.rule_id] = short(problem)
    return columns


def stock_expectations(
    suite: Suite, contract: Contract, *, scaled: bool
) -> tuple[list[Stock], dict[str, str]]:
    """The suite's expectations with bounds fit for the frame (``scaled``: unscaled decimals).

    A bound so large that float64 (in which both engines of Great Expectations compare) cannot
    tell it from its neighbours is an error, never an approximation.
    """
    types = {c.name: c.type for c in contract.columns}
    stocks: list[Stock] = []
    errors: dict[str, str] = {}
    for e in suite.expectations:
        kwargs = dict(e.kwargs)
        kind = types.get(str(kwargs.get("column", "")), "")
        factor = 10 ** scale_of(kind)
        for bound in ("min_value", "max_value"):
            value = kwargs.get(bound)
            if e.helper_sql is not None or value is None:
                continue
            if abs(value) * factor >= EXACT:
                errors[e.rule_id] = f"{bound} {value} is too large to compare exactly"
            kwargs[bound] = value * factor if scaled else value
        stocks.append(Stock(e.rule_id, e.type, kwargs))
    return [s for s in stocks if s.rule_id not in errors], errors


def scale_of(type_: str) -> int:
    """The digits after the point of a contract's type (0 unless it is a decimal)."""
    return int(type_[8:-1].split(",")[1]) if type_.startswith("decimal") else 0


def encode(column: pa.ChunkedArray, type_: str) -> Any:
    """A column as pandas sees it best: float64 or int64 for numbers, objects for text."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_decimal(array.type):
        return _unscaled(array.cast(pa.decimal128(38, scale_of(type_))))
    if pa.types.is_integer(array.type):
        wide = array.cast(pa.int64())
        if not wide.null_count:
            return wide.to_numpy(zero_copy_only=False)
        return wide.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        # Only null checks reach these natively.
        return np.where(array.is_null().to_numpy(zero_copy_only=False), np.nan, 0.0)
    return array.to_pandas().to_numpy(dtype=object, na_value=None)


def _unscaled(array: pa.Array) -> Any:
    """Unscaled decimal values as float64 (NaN for null), saturated far beyond any bound."""
    words = np.frombuffer(array.buffers()[1], dtype="<i8").reshape(-1, 2)
    words = words[array.offset : array.offset + len(array)]
    low, high = words[:, 0], words[:, 1]
    fits = high == (low >> 63)
    values = np.where(fits, low, np.where(high < 0, -(2**62), 2**62)).astype("float64")
    return np.where(array.is_null().to_numpy(zero_copy_only=False), np.nan, values)


def _missing_views(
    helped: Iterable[Expectation], contract: Contract, views: Mapping[str, Relation]
) -> dict[str, str]:
    given = {view_name(v) for v in views}
    rules = {r.id: r for r in contract.rules}
    found: dict[str, str] = {}
    for e in helped:
        rule = rules.get(e.rule_id)
        if rule is None:
            continue
        wanted = {view_name(r.product) for r in rule.reads}
        wanted |= {view_name(rule.to_product)} if rule.to_product else set()
        lost = sorted(wanted - given)
        if lost:
            found[e.rule_id] = f"input {', '.join(lost)} was not handed over"
    return found


def _helper(connection: Any, e: Expectation, rows: int) -> Any:
    if e.helper_kind == "column":
        sql = f"SELECT __rid, {e.helper_sql} AS helper FROM batch"
        found = connection.execute(f"SELECT helper FROM ({_duck(sql)}) ORDER BY __rid").fetchnumpy()
        values = found["helper"]
        filled = np.ma.filled(np.ma.asarray(values).astype("float64"), np.nan)
        return filled if len(filled) == rows else _short_of(len(filled), rows)
    on = " AND ".join(f'b."{c}" IS NOT DISTINCT FROM f."{c}"' for c in e.helper_on)
    keys = ", ".join(f'"{c}"' for c in e.helper_on)
    sql = _duck(str(e.helper_sql))
    hit = connection.execute(
        f"SELECT b.__rid FROM batch b SEMI JOIN (SELECT {keys} FROM ({sql})) f ON {on}"
    ).fetchnumpy()["__rid"]
    marks = np.zeros(rows)
    marks[np.asarray(hit, dtype="int64")] = 1.0
    return marks


def _short_of(got: int, wanted: int) -> Any:
    raise ValueError(f"the helper gave {got} rows for {wanted}")


@lru_cache(maxsize=2048)
def _duck(sql: str) -> str:
    """A SELECT in DuckDB's dialect."""
    import sqlglot

    return sqlglot.transpile(sql, read="spark", write="duckdb")[0]


def slices(table: pa.Table, contract: Contract, intervals: Sequence[str]) -> dict[str, Any]:
    """Row ordinals of each interval, in order."""
    if contract.interval_column is None:
        return {"all": np.arange(table.num_rows)}
    column = table.column(contract.interval_column)
    texts = column.cast(pa.string()).dictionary_encode().combine_chunks()
    encoded = texts if isinstance(texts, pa.DictionaryArray) else texts.chunk(0)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    names = encoded.dictionary.to_pylist()
    return {
        i: np.flatnonzero(codes == names.index(i)) if i in names else np.array([], dtype="int64")
        for i in intervals
    }
