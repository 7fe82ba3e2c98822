"""The file explains itself: as-of macros, what empty means, what may be added up."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.publish import publish, published_path
from contracts.load import load_catalogue
from pipelines.engine.settings import Settings
from tests.catalog.test_analyst_page import arrow_type

ANSWER = "SELECT client_type, known_from FROM silver.client_{} ORDER BY ALL"


def version(kind: str, valid: str, known: str, until: str | None, gone: str | None) -> Any:
    """One row of client 1's chain: its kind, and from when until when it held and was known."""
    day = date.fromisoformat
    return {
        "client_id": "00010001", "member_id": "0001", "client_name": "张三", "client_type": kind,
        "valid_from": day(valid), "valid_to": day(until) if until else None,
        "known_from": day(known), "known_to": day(gone) if gone else None,
    }  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real client dimension: retail, corrected on 9 January to institution since 1 January."""
    settings = Settings(home=tmp_path_factory.mktemp("as_of") / "lake")
    catalogue = load_catalogue()
    contract = catalogue["silver.client"]
    rows = [
        version("RETAIL", "2026-01-01", "2026-01-01", None, "2026-01-05"),
        version("RETAIL", "2026-01-01", "2026-01-05", "2026-02-01", "2026-01-09"),
        version("HEDGER", "2026-02-01", "2026-01-05", None, None),
        version("INSTITUTION", "2026-01-01", "2026-01-09", "2026-02-01", None),
    ]
    schema = pa.schema([(c.name, arrow_type(c.type)) for c in contract.columns])
    path = str(settings.table("silver.client"))
    write_deltalake(path, pa.Table.from_pylist(rows, schema=schema))
    publish(settings, catalogue, "analyst")
    return published_path(settings, "analyst")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("as_of('2026-01-20')", "INSTITUTION"),
        ("as_of(DATE '2026-02-01')", "HEDGER"),
        ("as_known('2026-01-20', '2026-01-08')", "RETAIL"),
        ("as_known('2026-01-20', DATE '2026-01-09')", "INSTITUTION"),
        ("as_known('2026-02-20', '2026-01-04')", "RETAIL"),
    ],
)
def test_a_dimension_can_be_asked_as_valid_and_as_known(file: Path, call: str, kind: str) -> None:
    """Plain DuckDB, read-only, no extension: exactly the row that held, or was known to hold."""
    config: dict[str, Any] = {"autoload_known_extensions": "false"}
    with duckdb.connect(str(file), read_only=True, config=config) as mart:
        [(found, _)] = mart.execute(ANSWER.format(call)).fetchall()
        assert found == kind
        assert mart.execute(ANSWER.format("as_of('2025-12-31')")).fetchall() == []


def test_macros_show_no_more_than_their_table(file: Path) -> None:
    """Invariant 9: a macro has the audience's columns, and a dropped name is nowhere in them."""
    with duckdb.connect(str(file), read_only=True) as mart:
        table = mart.execute("DESCRIBE silver.client").fetchall()
        macro = mart.execute("DESCRIBE FROM silver.client_as_of('2026-01-20')").fetchall()
        assert [r[0] for r in macro] == [r[0] for r in table]
        assert "client_name" not in {r[0] for r in macro}
        listed = {r[0] for r in mart.execute("SELECT macro FROM _meta.macro").fetchall()}
    assert {"silver.client_as_of(on_date)", "silver.client_as_known(on_date, known_on)"} <= listed
    assert "silver.control_group_as_of(on_date)" not in listed, "not the analysts' product"


def test_columns_say_what_empty_means_and_what_may_be_summed(file: Path) -> None:
    """Both languages for every column that may be empty, and nothing for one that may not."""
    with duckdb.connect(str(file), read_only=True) as mart:
        rows = mart.execute(
            "SELECT product || '.' || column_name, nullable, null_means, null_means_zh, additive"
            " FROM _meta.column"
        ).fetchall()
    said = {r[0]: r[1:] for r in rows}
    assert said["silver.client.valid_to"][:3] == (True, "still open, no end is known", "仍有效")
    assert said["gold.client_day.traded_lots"] == (False, None, None, True)
    for name, (nullable, en, zh, _) in said.items():
        assert bool(en and zh) == nullable, name


def test_the_standard_of_empty_values_names_real_columns() -> None:
    """Each entry is a column of some product, so a renamed column cannot leave a dead text."""
    catalogue = load_catalogue()
    columns = {(c.name, k.name) for c in catalogue.contracts.values() for k in c.columns}
    names = {k for _, k in columns}
    for entry in catalogue.standards.nulls:
        table, _, column = entry.rpartition(".")
        assert (table, column) in columns if table else column in names, entry
