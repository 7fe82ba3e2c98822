from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import duckdb
import pytest
import sqlglot
from contract_cases import write_root
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.catalogue import Catalogue, load_catalogue
from contracts.compile.duckdb import ddl
from contracts.compile.markdown import page
from contracts.compile.rules import row_checks
from contracts.compile.spark import schema_ddl, schema_json
from contracts.compile.suite import suite, suite_json
from contracts.compile.written import drift, write_suites
from contracts.model import Contract

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def catalogue(root: Path) -> Catalogue:
    return load_catalogue(root)


@pytest.fixture
def deal(catalogue: Catalogue) -> Contract:
    return catalogue["silver.deal"]


@pytest.mark.parametrize("name", ["suite.json", "duckdb.sql", "page.md", "checks.json"])
def test_compiled_files_are_as_reviewed(deal: Contract, catalogue: Catalogue, name: str) -> None:
    """What a contract compiles to changes only on purpose (EXLAKE_GOLDEN=1 rewrites the files)."""
    checks = {c.rule.id: [c.kind, c.failing_sql] for c in row_checks(deal, catalogue)}
    text = {
        "suite.json": lambda: suite_json(deal, catalogue),
        "duckdb.sql": lambda: ddl(deal, "silver"),
        "page.md": lambda: page(deal, catalogue),
        "checks.json": lambda: json.dumps(checks, indent=1, ensure_ascii=False) + "\n",
    }[name]()
    if os.environ.get("EXLAKE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_committed_suites_match_the_contracts() -> None:
    """quality/suites is what the contracts compile to: `python -m contracts.compile` mends it."""
    assert drift(load_catalogue()) == ()


def test_writing_suites_ends_the_drift(catalogue: Catalogue, tmp_path: Path) -> None:
    """Missing, changed and orphaned suites are found, written or removed; then all is still."""
    folder = tmp_path / "suites"
    (folder / "silver").mkdir(parents=True)
    (folder / "silver" / "gone.json").write_text("{}")
    expected = ("silver/client.json", "silver/deal.json", "silver/gone.json")
    assert drift(catalogue, folder) == expected
    assert write_suites(catalogue, folder) == expected
    assert drift(catalogue, folder) == ()


def test_spark_schema_is_the_contract(deal: Contract) -> None:
    """Names, types and order of the Spark schema are the contract's, without any text."""
    schema = json.loads(schema_json(deal))
    assert [f["name"] for f in schema["fields"]] == [c.name for c in deal.columns]
    types = {f["name"]: f["type"] for f in schema["fields"]}
    assert (types["price"], types["lots"], types["trade_date"]) == ("decimal(18,4)", "long", "date")
    assert all(f["metadata"] == {} and f["nullable"] for f in schema["fields"])
    assert "`price` decimal(18,4)" in schema_ddl(deal)


def test_duckdb_keeps_chinese_names(deal: Contract) -> None:
    """The DDL runs, and both names of each column can be read back in DuckDB."""
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA silver")
        con.execute(ddl(deal, "silver", as_text={"client_id"}))
        comments = dict(
            con.execute(
                "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'deal'"
            ).fetchall()
        )
    assert comments["price"] == "价格 (Price) [yuan]: Price."
    assert "_unparsed" not in comments


def test_every_row_rule_has_one_expectation() -> None:
    """Expectations equal the compiled row rules, one to one, in every contract."""
    catalogue = load_catalogue()
    for contract in catalogue.contracts.values():
        rules = [r.id for r in contract.rules if r.is_row_rule]
        compiled = suite(contract, catalogue)
        assert [e.rule_id for e in compiled.expectations] == rules
        assert "." not in compiled.name
        assert [c.rule.id for c in row_checks(contract, catalogue)] == rules


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Contract, Catalogue, duckdb.DuckDBPyConnection]]:
    catalogue = load_catalogue(write_root(tmp_path_factory.mktemp("deal")))
    with duckdb.connect(config={"threads": 1}) as con:
        yield catalogue["silver.deal"], catalogue, con


Row = tuple[str | None, str | None, str | None, Decimal | None, int | None, str | None]
rows = st.lists(
    st.tuples(
        st.sampled_from(["d1", "d2", "d3", None]),
        st.sampled_from(["B", "S", "X", "", None]),
        st.sampled_from(["123", "12", "1234", "abc", "", None]),
        st.sampled_from([Decimal(x) for x in ("0.05", "0.0499", "99.9999", "100", "-1")] + [None]),
        st.sampled_from([0, 1, 2, None]),
        st.sampled_from(["d1", "d2", None]),
    ),
    min_size=1,
    max_size=8,
)


def _fails(row: Row) -> dict[str, bool]:
    """What the rules mean, in Python: unknown passes, except in not_null."""
    deal_id, side, client, price, lots, memo = row
    known = [x is not None for x in (side, memo, deal_id)]
    return {
        "deal.deal_id.not_null": deal_id is None,
        "deal.side.codes": side is not None and side not in ("B", "S"),
        "deal.client.form": client is not None and client != "123",
        "deal.price.range": price is not None and not (Decimal("0.05") <= price < 100),
        "deal.lots.range": lots is not None and lots < 1,
        "deal.memo.buy": all(known) and side == "B" and memo == deal_id,
    }


@settings(max_examples=20, deadline=None)
@given(rows)
def test_failing_sql_is_true_exactly_on_failing_rows(
    made: tuple[Contract, Catalogue, duckdb.DuckDBPyConnection], table: list[Row]
) -> None:
    """``failing_sql`` is TRUE on rows that break the rule, FALSE on all others, never NULL, and
    the helper columns of expectations find as many: unique counts only later rows."""
    contract, catalogue, con = made
    checks = {c.rule.id: c for c in row_checks(contract, catalogue)}
    helpers = {e.rule_id: e for e in suite(contract, catalogue).expectations}
    con.execute(
        "CREATE OR REPLACE TABLE batch (trade_date DATE, deal_id VARCHAR, side VARCHAR,"
        "client_id VARCHAR, price DECIMAL(18,4), lots BIGINT, memo VARCHAR,"
        "_delivery_id VARCHAR, _row_number BIGINT, _unparsed VARCHAR)"
    )
    places = ", ".join(["('2026-01-05', ?, ?, ?, ?, ?, ?, 'x', ?, NULL)"] * len(table))
    flat = [value for number, row in enumerate(table) for value in (*row, number)]
    con.execute(f"INSERT INTO batch VALUES {places}", flat)

    ids = list(_fails(table[0]))
    failing = ", ".join(_duck(str(checks[i].failing_sql)) for i in ids)
    got = con.execute(f"SELECT {failing} FROM batch ORDER BY _row_number").fetchall()
    assert [dict(zip(ids, g, strict=True)) for g in got] == [_fails(r) for r in table]

    helped = [i for i in ids if helpers[i].helper_sql is not None]
    sums = ", ".join(f"sum({_duck(str(helpers[i].helper_sql))})" for i in helped)
    expected = tuple(sum(_fails(r)[i] for r in table) for i in helped)
    assert con.execute(f"SELECT {sums} FROM batch").fetchone() == expected

    unique = _duck(str(helpers["deal.key.unique"].helper_sql))
    later = con.execute(f"SELECT count(*) FROM (SELECT {unique} AS n FROM batch) WHERE n <> 1")
    given_ids = [r[0] for r in table if r[0] is not None]
    assert later.fetchone() == (len(given_ids) - len(set(given_ids)),)


def test_references_are_judged_as_of_the_date(deal: Contract, catalogue: Catalogue) -> None:
    """A reference passes only where the dimension was valid on the row's date; null passes."""
    helper = {e.rule_id: e for e in suite(deal, catalogue).expectations}["deal.client.known"]
    assert (helper.helper_kind, helper.helper_on) == ("keys", ("trade_date", "client_id"))
    with duckdb.connect() as con:
        con.execute(
            "CREATE TABLE silver_client AS SELECT '123' AS client_id, DATE '2026-01-05' AS"
            " valid_from, DATE '2026-01-07' AS valid_to"
        )
        con.execute(
            "CREATE TABLE batch AS SELECT unnest([DATE '2026-01-04', DATE '2026-01-06',"
            " DATE '2026-01-07', DATE '2026-01-06']) AS trade_date,"
            " unnest(['123', '123', '123', NULL]) AS client_id"
        )
        found = con.execute(_duck(str(helper.helper_sql)) + " ORDER BY 1").fetchall()
    assert [str(day) for day, _ in found] == ["2026-01-04", "2026-01-07"]


@cache
def _duck(sql: str) -> str:
    return sqlglot.transpile(sql, read="spark", write="duckdb")[0]
