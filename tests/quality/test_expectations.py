"""Great Expectations counts what the row rules count, on both of its engines.

Marked slow: importing Great Expectations alone takes 3-5 s.
"""

from __future__ import annotations

import datetime as dt
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from quality_cases import catalogue, column, contract, rule

from contracts.compile.rules import row_checks
from contracts.compile.suite import Expectation, Suite, suite
from contracts.model import ROW_KINDS, Read
from quality.expectations import choose_engine, judge
from quality.flags import tally
from quality.keys import tally_keys
from quality.outcome import GxCount
from quality.relations import Files, Only, arrow_type, empty_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

D1, D2, D3 = dt.date(2026, 1, 5), dt.date(2026, 1, 6), dt.date(2026, 1, 7)
INTERVALS = ("2026-01-05", "2026-01-06", "2026-01-07")

MEMBER = contract(
    (column("member_id", "string"), column("valid_from", "date"), column("valid_to", "date")),
    key=("member_id", "valid_from"),
    interval_column=None,
    product="silver.member",
)
ORDER = contract(
    (column("trade_date", "date"), column("order_id", "int")),
    key=("trade_date", "order_id"),
    product="silver.order_event",
)
LIMITS = contract(
    (column("id", "int"), column("tick", "decimal(18,6)")),
    key=("id",),
    interval_column=None,
    product="silver.limits",
)

RULES = (
    rule("thing.side.not_null", "not_null", columns=("side",)),
    rule("thing.when.not_null", "not_null", columns=("moment",)),
    rule("thing.price.not_null", "not_null", columns=("price",)),
    rule("thing.key.unique", "unique", columns=("trade_date", "id")),
    rule("thing.label.unique", "unique", columns=("label",)),
    rule("thing.lots.range", "range", columns=("lots",), min="1", max="100"),
    rule(
        "thing.price.range",
        "range",
        columns=("price",),
        min="0",
        exclusive_min=True,
        max="1000",
        exclusive_max=True,
    ),
    rule("thing.price.fraction", "range", columns=("price",), min="0.1", max="999.9999"),
    rule("thing.turnover.range", "range", columns=("turnover",), max="90000000000"),
    rule("thing.listed.range", "range", columns=("listed",), min="2025-01-01", max="9999-12-31"),
    rule("thing.moment.range", "range", columns=("moment",), min="2026-01-05 01:00:00"),
    rule("thing.side.codes", "codes", columns=("side",), code_list="side"),
    rule("thing.lots.codes", "codes", columns=("lots",), values=("1", "5", "100")),
    rule("thing.label.matches", "matches", columns=("label",), pattern="[A-Z]{2}[0-9]+"),
    rule("thing.parsed", "parsed"),
    rule("thing.product", "expression", sql="turnover = price * lots"),
    rule("thing.text", "expression", sql=r"label <> 'it\'s' OR side LIKE 'B%'"),
    rule(
        "thing.member.known",
        "reference",
        columns=("member",),
        to_product="silver.member",
        to_columns=("member_id",),
        reads=(Read(product="silver.member", how="as_of"),),
    ),
    rule(
        "thing.order.known",
        "reference",
        columns=("order_id",),
        to_product="silver.order_event",
        to_columns=("order_id",),
        reads=(Read(product="silver.order_event"),),
    ),
    rule(
        "thing.tick",
        "rows",
        reads=(Read(product="silver.limits", how="latest"),),
        sql="SELECT b.trade_date, b.id FROM batch b JOIN silver_limits l ON l.id = b.id "
        "WHERE b.price % l.tick <> 0",
    ),
    rule(
        "thing.groups",
        "rows",
        sql="SELECT trade_date, id FROM batch WHERE trade_date IN (SELECT trade_date FROM "
        "batch GROUP BY trade_date HAVING sum(lots) > 10 AND count(DISTINCT side) > 1)",
    ),
)
THING = contract(
    (
        column("trade_date", "date"),
        column("id", "int"),
        column("side", "string"),
        column("label", "string"),
        column("lots", "bigint"),
        column("price", "decimal(18,4)"),
        column("turnover", "decimal(24,4)"),
        column("listed", "date"),
        column("moment", "timestamp"),
        column("member", "string"),
        column("order_id", "int"),
        column("_delivery_id", "string"),
        column("_row_number", "bigint"),
        column("_unparsed", "string"),
    ),
    RULES,
)
CATALOGUE = catalogue(THING, MEMBER, ORDER, LIMITS, side=("B", "S"))


def rows() -> list[tuple[Any, ...]]:
    at = dt.datetime(2026, 1, 5, 1, tzinfo=dt.UTC)
    second = dt.timedelta(seconds=1)
    big = Decimal("12345678901234567890.1234")
    d = Decimal
    return [
        (D1, 1, "B", "AB1", 5, d("0.1"), d("0.5"), D1, at, "0001", 1, "a", 1, None),
        (D1, 1, "S", "AB1", 5, d("0.0999"), d("0.4995"), D1, at - second, "0001", 1, "a", 2, ""),
        (
            D1,
            1,
            "X",
            "it's",
            0,
            d("0"),
            d("0"),
            dt.date(2024, 12, 31),
            at,
            "0002",
            2,
            "a",
            3,
            "lots",
        ),
        (D1, None, None, None, None, None, None, None, None, None, None, "a", 4, None),
        (
            D1,
            None,
            "B",
            "AB12\n",
            101,
            d("1000"),
            big,
            dt.date(9999, 12, 31),
            at,
            "0009",
            3,
            "a",
            5,
            None,
        ),
        (D1, 2, "B", "ZZ9", 100, d("999.9999"), -big, D1, None, "", 9, "a", 6, None),
        (D2, 1, "B", "AB1", 1, d("-0.0001"), d("-0.0001"), D1, at, "0002", 1, "b", 1, None),
        (D2, 3, "S", "ab1", 1, d("0.3"), d("0.3"), D1, at, "0002", 4, "b", 2, None),
        (
            D2,
            4,
            "b",
            "沪1",
            2**60,
            d("99999999999999.9999"),
            d("1"),
            D1,
            at,
            "0003",
            4,
            "b",
            3,
            None,
        ),
    ]


def members() -> list[tuple[Any, ...]]:
    old = dt.date(2020, 1, 1)
    return [("0001", old, None), ("0002", D2, None), ("0009", old, D1), ("0009", old, D1)]


def arrow(of: Any, data: list[tuple[Any, ...]]) -> pa.Table:
    schema = pa.schema([(c.name, arrow_type(c.type)) for c in of.columns])
    return pa.Table.from_arrays(
        [pa.array([r[i] for r in data], schema.field(i).type) for i in range(len(schema))],
        schema=schema,
    )


def views() -> dict[str, pa.Table]:
    return {
        "silver.member": arrow(MEMBER, members()),
        "silver.order_event": arrow(ORDER, [(D1, 1), (D1, 2), (D1, 2), (D2, 4), (D3, 9)]),
        "silver.limits": arrow(LIMITS, [(1, Decimal("0.05")), (3, Decimal("0.1"))]),
    }


def write(table: pa.Table, folder: Path) -> Files:
    """Files as Delta lays them out: the interval only in the path, which is percent-encoded."""
    found = []
    for day in (D1, D2):
        part = table.filter(pa.compute.equal(table["trade_date"], pa.scalar(day)))
        path = folder / f"trade_date={day}" / "part 0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(part.drop_columns(["trade_date"]), path)
        found.append("file://" + str(path).replace(" ", "%20"))
    return Files(tuple(found))


@pytest.mark.spark
def test_every_rule_kind_counts_alike_on_both_engines_and_in_the_row_rules(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Invariant 5: one promise, independent counts, with nulls, decimals and duplicates."""
    assert {r.kind for r in RULES} == ROW_KINDS
    compiled = suite(THING, CATALOGUE)
    checks = row_checks(THING, CATALOGUE)
    table = arrow(THING, rows())
    schema = ", ".join(f"{c.name} {c.type}" for c in THING.columns)
    df = spark.createDataFrame(rows(), schema)
    frames = {
        name: spark.createDataFrame(
            view.to_pylist(), ", ".join(f"{c.name} {c.type}" for c in CATALOGUE[name].columns)
        )
        for name, view in views().items()
    }
    files = write(table, tmp_path)
    pandas = judge(files, THING, compiled, views(), INTERVALS)
    on_spark = judge(df, THING, compiled, frames, INTERVALS, engine="spark")
    flags = tally(df, checks, frames, THING.key, "trade_date", expr=True)
    expected = {i: {r.id: flags.get(i, {}).get(r.id, 0) for r in RULES} for i in INTERVALS}
    keyed = [c for c in checks if c.kind in ("unique", "reference")]
    later = keyed[0].rule.model_copy(update={"id": "thing.later", "effective_from": D2})
    keyed = [*keyed, replace(keyed[0], rule=later)]
    in_files = tally_keys(files, THING, keyed, views(), tmp_path / "spill")
    flags["2026-01-06"]["thing.later"] = flags["2026-01-06"].get(keyed[0].rule.id, 0)
    assert len(keyed) == 5
    assert in_files == {
        i: {c.rule.id: n for c in keyed if (n := counts.get(c.rule.id, 0))}
        for i, counts in flags.items()
    }
    problems = [
        c.error
        for by_rule in (*pandas.values(), *on_spark.values())
        for c in by_rule.values()
        if c.error
    ]
    assert problems == []
    assert {i: {k: c.failing for k, c in v.items()} for i, v in pandas.items()} == expected
    assert {i: {k: c.failing for k, c in v.items()} for i, v in on_spark.items()} == expected
    assert {c.checked for c in pandas["2026-01-05"].values()} == {6}
    unfailed = {r.id for r in RULES if not sum(expected[i][r.id] for i in INTERVALS)}
    assert unfailed == set(), "each rule must fail somewhere, or the test shows nothing"
    no_rows = pandas["2026-01-07"]
    assert set(no_rows.values()) == {GxCount(0, 0, None)}


@pytest.mark.slow
def test_what_cannot_be_evaluated_says_so() -> None:
    """Three outcomes, not two: a broken helper, a lost input, an unknown expectation."""
    compiled = suite(THING, CATALOGUE)
    broken = Expectation(
        "thing.broken",
        compiled.expectations[-1].type,
        {**compiled.expectations[-1].kwargs, "column": "__gx_99"},
        "column",
        "no_such_column > 1",
    )
    alien = Expectation("thing.alien", "expect_the_unexpected", {"column": "id"})
    vast = Expectation(
        "thing.vast",
        "expect_column_values_to_be_between",
        {
            "column": "price",
            "min_value": 0,
            "max_value": 10**15,
            "strict_min": False,
            "strict_max": False,
            "mostly": 1.0,
        },
    )
    more = Suite(compiled.name, compiled.product, (*compiled.expectations, broken, alien, vast))
    given = {k: v for k, v in views().items() if k != "silver.member"}
    found = judge(arrow(THING, rows()), THING, more, given, INTERVALS)["2026-01-05"]
    failed = {k: c.error for k, c in found.items() if c.failing is None}
    assert set(failed) == {"thing.broken", "thing.alien", "thing.vast", "thing.member.known"}
    assert all(failed.values())
    assert "silver_member" in str(failed["thing.member.known"])


@pytest.mark.slow
def test_an_empty_batch_is_judged_without_failing() -> None:
    """No rows: nothing fails, nothing was checked, and no rule is lost."""
    found = judge(Files(()), THING, suite(THING, CATALOGUE), views(), INTERVALS[:1])
    assert found == {"2026-01-05": {r.id: GxCount(0, 0, None) for r in RULES}}


@pytest.mark.slow
def test_inputs_may_be_files_with_a_condition(tmp_path: Path) -> None:
    """A dimension's stored files serve as input, limited to currently known rows."""
    pq.write_table(views()["silver.member"], tmp_path / "m.parquet")
    given = {
        **views(),
        "silver.member": Files(
            (str(tmp_path / "m.parquet"),), where=Only("member_id", ("0002", "0009"))
        ),
    }
    one = judge(arrow(THING, rows()), THING, suite(THING, CATALOGUE), given, INTERVALS)
    two = judge(
        arrow(THING, rows()),
        THING,
        suite(THING, CATALOGUE),
        {**views(), "silver.member": empty_table(MEMBER)},
        INTERVALS,
    )
    failing = [f["2026-01-05"]["thing.member.known"].failing for f in (one, two)]
    assert failing == [5, 5]


@pytest.mark.slow
def test_threads_share_the_gate_and_nothing_leaves_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Invariant 11, and batches judged at once get each its own answer."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a request left the machine")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    compiled = suite(THING, CATALOGUE)
    table = arrow(THING, rows())
    halves = [table.slice(0, 6), table.slice(6), table, table.slice(0, 3)] * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda t: judge(t, THING, compiled, views(), INTERVALS), halves))
    assert [f["2026-01-05"]["thing.lots.range"].checked for f in found] == [6, 0, 6, 3] * 2
    assert found[:4] == found[4:]


def test_the_engine_follows_the_size() -> None:
    """Small batches never pay for Spark jobs."""
    assert (choose_engine(5_000), choose_engine(1_000_000)) == ("pandas", "spark")
    assert choose_engine(10, limit=5) == "spark"
