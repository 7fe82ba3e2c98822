"""Rules over keys are counted alike by pandas (for Great Expectations) and by DuckDB."""

from __future__ import annotations

import datetime as dt
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_cases import catalogue, column, contract, rule

from contracts.compile.rules import row_checks
from contracts.model import Read
from quality.frame_keys import AGAIN, MISSING, dangling, repeats
from quality.keys import tally_keys
from quality.relations import Files, Only, arrow_type

DAY = dt.date(2026, 1, 5)
DAYS = (DAY, DAY + dt.timedelta(1), DAY + dt.timedelta(2))

PRICE = contract(
    (
        column("code", "string"), column("tick", "decimal(10,2)"),
        column("valid_from", "date"), column("valid_to", "date"), column("known_to", "date"),
    ),
    key=("code", "valid_from"), interval_column=None, product="silver.price",
)  # fmt: skip
ORDER = contract(
    (column("trade_date", "date"), column("number", "bigint")),
    key=("trade_date", "number"), product="silver.order_event",
)  # fmt: skip
RULES = (
    rule("thing.unique", "unique", columns=("code", "tick")),
    rule(
        "thing.price", "reference", columns=("code", "tick"), to_product="silver.price",
        to_columns=("code", "tick"), reads=(Read(product="silver.price", how="as_of"),),
    ),
    rule(
        "thing.code", "reference", columns=("code",), to_product="silver.price",
        to_columns=("code",), reads=(Read(product="silver.price", how="latest"),),
    ),
    rule(
        "thing.order", "reference", columns=("number",), to_product="silver.order_event",
        to_columns=("number",), reads=(Read(product="silver.order_event"),),
    ),
)  # fmt: skip
THING = contract(
    (
        column("trade_date", "date"), column("code", "string"), column("tick", "decimal(18,4)"),
        column("number", "int"),
    ),
    RULES,
)  # fmt: skip
CATALOGUE = catalogue(THING, PRICE, ORDER)

codes = st.sampled_from(["a", "A", "", "一", None])
ticks = st.sampled_from([Decimal("0.1"), Decimal("0.10"), Decimal("2.5"), None])
numbers = st.sampled_from([1, 2, 3, None])
days = st.sampled_from(DAYS)
finer = st.one_of(ticks, st.just(Decimal("0.1234")))
rows = st.lists(st.tuples(days, codes, finer, numbers), min_size=1, max_size=12)
prices = st.lists(
    st.tuples(codes, ticks, days, st.one_of(st.none(), days), st.sampled_from([None, DAY])),
    max_size=8,
)
orders = st.lists(st.tuples(days, numbers), max_size=6)


def arrow(of: Any, found: list[tuple[Any, ...]]) -> pa.Table:
    """Rows in the contract's types."""
    lists = list(zip(*found, strict=True)) or [()] * len(of.columns)
    return pa.table(
        {
            c.name: pa.array(list(values), arrow_type(c.type))
            for c, values in zip(of.columns, lists, strict=True)
        }
    )


def files(table: pa.Table, folder: Path, where: Only | None = None) -> Files:
    """One Parquet file for each date, dates in the path, as the engine writes them."""
    if "trade_date" not in table.column_names:
        folder.mkdir()
        pq.write_table(table, folder / "part.parquet")
        return Files((str(folder / "part.parquet"),), where)
    pq.write_to_dataset(table, folder, partition_cols=["trade_date"])
    return Files(tuple(sorted(str(p) for p in folder.rglob("*.parquet"))), where)


@settings(deadline=None, max_examples=60)
@given(rows, prices, orders)
def test_pandas_and_duckdb_count_keys_alike(
    batch: list[Any], known: list[Any], ordered: list[Any]
) -> None:
    """Invariant 5: nulls, case, scales, spans without an end, dates apart, rows no longer known."""
    table = arrow(THING, batch)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        order = arrow(ORDER, ordered)
        views = {
            "silver.price": files(arrow(PRICE, known), home / "price", Only("known_to")),
            "silver.order_event": files(order, home / "order") if ordered else order,
        }
        checks = row_checks(THING, CATALOGUE)
        by_duckdb = tally_keys(files(table, home / "batch"), THING, checks, views, home / "spill")
        by_pandas: dict[str, dict[str, int]] = {}
        for check in checks:
            if check.kind == "unique":
                failing = repeats(table, check.rule, "trade_date") == AGAIN
            else:
                target = views[str(check.rule.to_product)]
                failing = dangling(table, check.rule, THING, target) == MISSING
            for at in np.flatnonzero(failing):
                counts = by_pandas.setdefault(str(batch[at][0]), {})
                counts[check.rule.id] = counts.get(check.rule.id, 0) + 1
    assert by_pandas == by_duckdb
