"""Questions to a published file: sealed, typed, and refused in words that help."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_cases import DAY2, NOW, TinyLake

from catalog.errors import NotPublishedError, QueryRefusedError
from catalog.publish import publish
from catalog.query import run_query


@pytest.fixture
def published(lake: TinyLake) -> TinyLake:
    """The tiny lake, with one quarantine, published."""
    lake.record("silver.trade", DAY2, "quarantine", partial=True, quarantined=1)
    publish(lake.settings, lake.catalogue, now=NOW)
    return lake


def test_an_answer_carries_types_publication_and_state(published: TinyLake) -> None:
    """A number never comes without saying which publication it is and what is not clean in it."""
    got = run_query(
        published.settings,
        published.catalogue,
        "SELECT t.side, sum(t.lots) AS lots FROM silver.trade t GROUP BY 1 ORDER BY 1",
        audience="analyst",
        limit=1,
    )
    assert [(c.name, c.type) for c in got.columns] == [("side", "VARCHAR"), ("lots", "HUGEINT")]
    assert (got.rows, got.truncated) == ((("B", 66),), True)
    assert got.publication_id.startswith("analyst-20260106T100000Z-")
    [touched] = got.touched
    assert (touched.product, touched.not_clean, touched.partial) == (
        "silver.trade",
        {"with_quarantine": 1},
        1,
    )


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM silver.trades", "did you mean silver.trade?"),
        ("SELECT * FROM trade", "silver.trade"),
        ("SELECT client FROM silver.trade", "client_id"),
        ("SELECT note FROM silver.trade", "above your clearance"),
        ("SELEC 1", "docs/analyst.md"),
        ("SELECT 1; SELECT 2", "exactly one"),
        ("DELETE FROM silver.trade", "read-only"),
        ("SELECT * FROM read_csv('/etc/passwd')", "no other file"),
        ("COPY silver.trade TO '/tmp/stolen.csv'", "no other file"),
        ("ATTACH '/tmp/other.duckdb'", "no other file"),
        ("SET enable_external_access = true", "cannot be changed"),
        ("INSTALL httpfs", "no other file"),
        ("SELECT CASE WHEN i = 9 THEN error('boom') ELSE i END FROM range(10) t(i)", "boom ("),
        ("SELECT CAST('x' AS INTEGER) FROM range(10)", "try_cast"),
    ],
)
def test_refusals_say_what_to_do(published: TinyLake, sql: str, says: str) -> None:
    """A query that fails, or reaches outside the file, is refused with the next step."""
    with pytest.raises(QueryRefusedError) as refused:
        run_query(published.settings, published.catalogue, sql)
    assert says in str(refused.value)


def test_no_file_yet(lake: TinyLake) -> None:
    """Before the first publication the error names the command that makes one."""
    with pytest.raises(NotPublishedError, match="exlake publish"):
        run_query(lake.settings, lake.catalogue, "SELECT 1")


def test_a_runaway_query_is_stopped(published: TinyLake) -> None:
    """A query over its time is interrupted, and the error says how to narrow it."""
    sql = "SELECT count(*) FROM range(100000000000) a, range(1000) b"
    with pytest.raises(QueryRefusedError, match="trade_date"):
        run_query(published.settings, published.catalogue, sql, timeout_seconds=0.2)


def test_sealed_names_are_literal(published: TinyLake, tmp_path: Path) -> None:
    """Values given as parameters are data."""
    got = run_query(
        published.settings,
        published.catalogue,
        "SELECT count(*) FROM silver.trade WHERE trade_id = ?",
        parameters=["x' OR 1=1 --"],
    )
    assert got.rows == ((0,),)
    assert not list(tmp_path.glob("stolen*"))
