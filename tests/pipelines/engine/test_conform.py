"""From delivered text to types: what is read, and what is told to be unreadable."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.engine.conform import as_of_join, conform, typed_sql
from tests.pipelines.engine.planning import column
from tests.pipelines.engine.planning import contract as plain

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
UNREADABLE = "UNREADABLE"
MATRIX: dict[str, dict[str | None, Any]] = {
    "string": {"a": "a", " a b ": "a b", "": None, "  ": None, None: None},
    "int": {"7": 7, " -7 ": -7, "7.0": UNREADABLE, "2147483648": UNREADABLE, "x": UNREADABLE,
            "": None, None: None, "1e3": UNREADABLE},
    "bigint": {"2147483648": 2147483648, "9223372036854775808": UNREADABLE, "1,000": UNREADABLE,
               "９２６０": UNREADABLE, "9 260": UNREADABLE, "1_000": UNREADABLE},
    "date": {"20260105": date(2026, 1, 5), "2026-01-05": date(2026, 1, 5), "20260230": UNREADABLE,
             "2026-02-30": UNREADABLE, "2026015": UNREADABLE, "0": UNREADABLE, "": None,
             "202601": UNREADABLE, "2026": UNREADABLE, "2026/1/5": UNREADABLE,
             "2026/01/05": UNREADABLE, "２０２６０１０５": UNREADABLE},
    "decimal(10,2)": {"1": Decimal("1.00"), "1.25": Decimal("1.25"), "-0.10": Decimal("-0.10"),
                      "1.250": Decimal("1.25"), "1.255": UNREADABLE, "123456789.00": UNREADABLE,
                      "12,5": UNREADABLE, "": None, "1.2500000000001": UNREADABLE,
                      "1.25000000000000000001": UNREADABLE, "11%": UNREADABLE,
                      "9,260.5": UNREADABLE, "９２６０": Decimal("9260.00"),
                      "1.5E3": Decimal("1500.00"), "0x10": UNREADABLE, "NaN": UNREADABLE},
    "timestamp": {"2026-01-05 09:00:00.123456": datetime(2026, 1, 5, 1, 0, 0, 123456),
                  "2026-01-05 00:30:00": datetime(2026, 1, 4, 16, 30),
                  "2026-01-05T09:00:00Z": datetime(2026, 1, 5, 9),
                  "2026-01-05T09:00:00+08:00": datetime(2026, 1, 5, 1),
                  "2026-01-05 25:00:00": UNREADABLE, "soon": UNREADABLE, "": None},
    "boolean": {"1": True, "0": False, "Y": True, "n": False, "true": True, "FALSE": False,
                "2": UNREADABLE, "": None},
}  # fmt: skip


def test_every_text_is_read_or_told(spark: SparkSession) -> None:
    """Invariant 12, and no value is lost in silence: unreadable text is null and listed."""
    names = {f"c{n}": kind for n, kind in enumerate(MATRIX)}
    contract = plain("silver.thing").model_copy(
        update={
            "columns": (
                *(column(name, kind) for name, kind in names.items()),
                column("_row_number", "bigint").model_copy(update={"technical": True}),
                column("_unparsed").model_copy(update={"technical": True}),
            )
        }
    )
    height = max(len(texts) for texts in MATRIX.values())
    given = [
        [*(_at(list(MATRIX[kind]), line) for kind in names.values()), str(line)]
        for line in range(height)
    ]
    values = ", ".join("(" + ", ".join(_literal(v) for v in row) + ")" for row in given)
    frame = spark.sql(f"SELECT * FROM VALUES {values} AS t({', '.join(names)}, n)")
    frame = frame.selectExpr(*names, "CAST(n AS bigint) AS _row_number")
    read = sorted(conform(frame, contract).collect(), key=lambda r: r["_row_number"])
    for line, row in enumerate(read):
        listed = (row["_unparsed"] or "").split(",")
        for name, kind in names.items():
            text = given[line][list(names).index(name)]
            expected = MATRIX[kind].get(text)
            told = name in listed
            assert told == (expected == UNREADABLE), (kind, text, row[name])
            assert row[name] == (None if told else expected), (kind, text, row[name])


CAREFUL = {
    "decimal(10,2)": "CASE WHEN try_cast(try_cast({v} AS decimal(38,30)) AS decimal(10,2))"
    " = try_cast({v} AS decimal(38,30)) THEN try_cast({v} AS decimal(10,2)) END",
    "timestamp": "CASE WHEN {v} RLIKE '(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$' THEN"
    " try_cast({v} AS TIMESTAMP)"
    " ELSE to_utc_timestamp(try_cast({v} AS TIMESTAMP), 'Asia/Shanghai') END",
}
"""What the quick casts must equal: every text by way of the widest decimal, or of the pattern."""
NUMBERS = st.from_regex(
    r"[-+ ]?[0-9]{0,10}[.,]?[0-9]{0,32}([eE][-+]?[0-9]{1,2})?[ df]?", fullmatch=True
)
CLOCK = st.from_regex(
    r"2026-0?1-0[56]([ T]0?9:00(:00)?([.][0-9]{0,7})?)?"
    r"( ?(Z|[+-][0-9]{1,2}:?([0-9]{2})?|[A-Z]{3}))?",
    fullmatch=True,
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(
    numbers=st.lists(NUMBERS, min_size=60, max_size=60),
    times=st.lists(CLOCK, min_size=60, max_size=60),
    others=st.lists(st.text("0123456789.+-eEZ: T年，", max_size=12), min_size=60, max_size=60),
)
def test_the_quick_casts_read_what_the_careful_ones_read(
    spark: SparkSession, numbers: list[str], times: list[str], others: list[str]
) -> None:
    """A shortcut of the casts changes no value and refuses no text that was read before."""
    for kind, texts in (("decimal(10,2)", [*numbers, *others]), ("timestamp", [*times, *others])):
        values = ", ".join(f"({_literal(text)})" for text in texts)
        careful = CAREFUL[kind].format(v="nullif(trim(t), '')")
        both = spark.sql(
            f"SELECT t, {typed_sql('t', kind)} AS quick, {careful} AS careful"
            f" FROM VALUES {values} AS x(t)"
        )
        assert both.where("NOT quick <=> careful").collect() == []


def _at(texts: list[str | None], line: int) -> str | None:
    return texts[line] if line < len(texts) else None


def _literal(text: str | None) -> str:
    return "CAST(NULL AS string)" if text is None else f"'{text}'"


def test_computed_columns_are_read_like_delivered_ones(spark: SparkSession) -> None:
    """A string result is cast and told like delivered text; another type is kept."""
    contract = plain("silver.thing").model_copy(
        update={"columns": (column("a", "int"), column("b", "bigint"), column("missing", "date"),
                            column("_unparsed").model_copy(update={"technical": True}))}
    )  # fmt: skip
    frame = spark.sql("SELECT 'x1' AS text, '5' AS b")
    sql = {"a": "substr(text, 1, 1)", "b": "CAST(b AS int) + 1"}
    (row,) = conform(frame, contract, sql).collect()
    assert row.asDict() == {"a": None, "b": 6, "missing": None, "_unparsed": "a"}


def test_a_dimension_is_read_as_of_the_date(spark: SparkSession) -> None:
    """Periods begin inclusive and end exclusive; a row without a version stays, once."""
    dimension = spark.sql(
        "SELECT * FROM VALUES ('c1', 1, date'2026-01-05', date'2026-01-06'),"
        " ('c1', 2, date'2026-01-06', null) AS t(client_id, level, valid_from, valid_to)"
    )
    rows = spark.sql(
        "SELECT * FROM VALUES ('c1', date'2026-01-04'), ('c1', date'2026-01-05'),"
        " ('c1', date'2026-01-06'), ('c2', date'2026-01-06') AS t(client_id, trade_date)"
    )
    joined = as_of_join(rows, dimension, ["client_id"], "trade_date", {"level": "rank"})
    assert joined.columns == ["client_id", "trade_date", "rank"]
    found = sorted((r["client_id"], str(r["trade_date"]), r["rank"]) for r in joined.collect())
    assert found == [
        ("c1", "2026-01-04", None), ("c1", "2026-01-05", 1), ("c1", "2026-01-06", 2),
        ("c2", "2026-01-06", None),
    ]  # fmt: skip
