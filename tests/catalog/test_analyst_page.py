"""docs/analyst.md, and the real contracts, against a file published from generated rows."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.audience import products_of
from catalog.errors import QueryRefusedError
from catalog.masking import mask_plan
from catalog.publish import publish, published_path
from catalog.query import run_query
from contracts.catalogue import Catalogue
from contracts.load import load_catalogue
from contracts.model import Column, Contract
from pipelines.engine.ledgers import ALERT, DISPOSITION, Ledgers
from pipelines.engine.rows import AlertRow, DispositionRow
from pipelines.engine.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "analyst.md"
BLOCK = re.compile(r"```sql\n-- name: (\w+)\n(.*?)```", re.S)
QUESTIONS = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
EMPTY = {"what_is_not_clean", "what_changed"}
"""Questions that a first, clean publication answers with nothing."""
SURVEILLANCE = dict(BLOCK.findall(PAGE.with_name("surveillance.md").read_text(encoding="utf-8")))
REAL = dict(BLOCK.findall(PAGE.with_name("real-data.md").read_text(encoding="utf-8")))
DAYS = (date(2026, 1, 5), date(2026, 1, 6))
SECRET = "TOPSECRET"


def value(column: Column, contract: Contract, day: date, n: int, catalogue: Catalogue) -> Any:
    """A value that joins with equally named columns of other products."""
    name, kind = column.name, column.type
    if name in (contract.interval_column, "calendar_date"):
        return day
    if name == "prev_trade_date":
        return day - timedelta(1)
    if name in ("valid_to", "known_to"):
        return None
    if kind == "date":
        return date(2026, 1, 1)
    if column.classification > 2:
        return f"{SECRET}{n // 2:04d}" if kind == "string" else None
    if name == "side":
        return "BS"[n % 2]
    if column.code_list:
        return catalogue.code_lists[column.code_list].codes[0]
    simple: dict[str, Any] = {
        "string": f"{name}1",
        "int": n + 1,
        "bigint": 10 + n,
        "boolean": True,
        "timestamp": datetime(day.year, day.month, day.day, 1, n, tzinfo=UTC),
    }
    return simple[kind] if kind in simple else Decimal("1.5")


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of a contract's type."""
    if found := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        return pa.decimal128(int(found[1]), int(found[2]))
    return {
        "string": pa.string(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }[kind]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Every product of the real contracts, two trade dates, generated rows, published."""
    settings = Settings(home=tmp_path_factory.mktemp("real") / "lake")
    catalogue = load_catalogue()
    for contract in catalogue.contracts.values():
        if contract.layer == "bronze":
            continue
        rows = [
            {c.name: value(c, contract, day, n, catalogue) for c in contract.columns}
            for day in DAYS
            for n in range(4)
        ]
        schema = pa.schema([(c.name, arrow_type(c.type)) for c in contract.columns])
        write_deltalake(
            str(settings.table(contract.product)),
            pa.Table.from_pylist(rows, schema=schema),
            partition_by=[contract.interval_column] if contract.interval_column else None,
        )
    at = datetime(2026, 1, 6, 11, tzinfo=UTC)
    raised = AlertRow(
        alert_id="alert_id1", interval=str(DAYS[0]), event="raised", rule_id="SHFE.self_trade",
        rule_version=1, nature="ABNORMAL", subject_kind="CLIENT", subject_id=SECRET,
        contract_id="cu2605", figure=5, threshold=5, evidence_count=5, next_measure="call",
        next_measure_zh="电话", explanation_en="e", explanation_zh="说明", at=at, batch_id="b",
    )  # fmt: skip
    withdrawn = replace(raised, event="withdrawn", because=("delivery trade-2",))
    called = DispositionRow(
        alert_id="alert_id1", interval=str(DAYS[0]), kind="phoned", reason="r", person="ana",
        at=at, recorded_at=at, entered_by="ana",
    )  # fmt: skip
    Ledgers(settings.ops, settings.locks).append(
        (ALERT, [raised, withdrawn]), (DISPOSITION, [called])
    )
    publish(settings, catalogue, now=datetime(2026, 1, 6, 12, tzinfo=UTC))
    return settings


def test_there_are_ten_questions_over_several_tables() -> None:
    """Ten questions at least, each joining two tables or comparing dates."""
    questions = {n: q for n, q in QUESTIONS.items() if n not in EMPTY}
    assert len(questions) >= 10
    for name, sql in questions.items():
        tables = set(re.findall(r"(?:gold|silver)\.\w+", sql))
        assert len(tables) >= 2, name


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_of_the_page_is_answered(published: Settings, name: str) -> None:
    """The SQL on the page runs against a published file of the real contracts, and finds rows."""
    answer = run_query(published, load_catalogue(), QUESTIONS[name])
    assert answer.columns
    if name not in EMPTY:
        assert answer.rows


@pytest.mark.parametrize("name", REAL)
def test_every_question_of_the_real_data_page_is_answered(published: Settings, name: str) -> None:
    """The SQL of docs/real-data.md fits the contracts (on real files: test_real_estate.py)."""
    assert run_query(published, load_catalogue(), REAL[name]).columns


@pytest.mark.parametrize("name", SURVEILLANCE)
def test_every_question_of_the_surveillance_page_is_answered(
    published: Settings, name: str
) -> None:
    """Promise: docs/surveillance.md's SQL runs on the surveillance file, and finds rows; of past
    alerts and dispositions the analysts' file has nothing."""
    answer = run_query(published, load_catalogue(), SURVEILLANCE[name], audience="surveillance")
    assert answer.rows
    if name == "what_corrections_did":
        assert answer.rows[0][-1] == "delivery trade-2"
        with pytest.raises(QueryRefusedError):
            run_query(published, load_catalogue(), SURVEILLANCE[name])


def test_no_real_contract_leaks(published: Settings) -> None:
    """Invariant 9 over every real product: nothing above clearance is in the analysts' file."""
    catalogue = load_catalogue()
    analyst = catalogue.audiences["analyst"]
    path = published_path(published, "analyst")
    assert SECRET.encode() not in path.read_bytes()
    assert SECRET.encode() in published_path(published, "surveillance").read_bytes()
    file = duckdb.connect(str(path), read_only=True)
    try:
        for contract in products_of(analyst, catalogue.contracts):
            plan = mask_plan(contract, analyst)
            there = {
                r[0] for r in file.execute(f"DESCRIBE {contract.layer}.{contract.name}").fetchall()
            }
            above = {c.name for c in contract.columns if c.classification > analyst.clearance}
            assert there.isdisjoint(above - set(plan.hashed)), contract.product
            assert not [c for c in there if c.startswith("_")]
    finally:
        file.close()


def test_sort_keys_and_masks_fit_the_contracts() -> None:
    """Every audience's plan keeps the key of every product, so that rows can be told apart."""
    catalogue = load_catalogue()
    for audience in catalogue.audiences.values():
        for contract in products_of(audience, catalogue.contracts):
            plan = mask_plan(contract, audience)
            assert plan.published.key == contract.key, contract.product
            assert plan.published.sort_key == contract.sort_key, contract.product


@pytest.mark.parametrize("name", ["discover", "contract_day", "product_quality"])
def test_notebooks_run_and_export_without_anything_from_outside(
    published: Settings, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each notebook runs on a published file; its page is whole by itself and shows no secret."""
    pytest.importorskip("marimo", reason="dependency group notebooks is not installed")
    from notebooks.export import export

    monkeypatch.setenv("EXLAKE_HOME", str(published.home))
    page = export(name, tmp_path).read_text(encoding="utf-8")
    assert page.count("<table") >= 4
    assert "default-src 'none'" in page
    assert not re.search(r"""https?://|<script|<link|<img|url\(|src=""", page)
    assert SECRET not in page


def test_the_refresh_trap_and_the_ways_out(published: Settings, tmp_path: Path) -> None:
    """TRAP: a new connection beside an open old one answers with the old publication. Closing
    every connection, or attaching the file to a fresh in-memory database, gives the new one."""
    mine = Settings(home=tmp_path / "lake")
    shutil.copytree(published.home, mine.home)
    path = str(published_path(mine, "analyst"))
    ask = "SELECT publication_id FROM {}_meta.publication"
    old = duckdb.connect(path, read_only=True)
    [first] = old.execute(ask.format("")).fetchall()
    moment = datetime(2026, 1, 6, 13, tzinfo=UTC)
    [new] = publish(mine, load_catalogue(), "analyst", force=True, now=moment)
    assert first != (new.publication_id,)

    again = duckdb.connect(path, read_only=True)
    assert again.execute(ask.format("")).fetchall() == [first], "the trap"
    with duckdb.connect() as fresh:
        fresh.execute(f"ATTACH '{path}' AS mart (READ_ONLY)")
        assert fresh.execute(ask.format("mart.")).fetchall() == [(new.publication_id,)]
    old.close()
    again.close()
    with duckdb.connect(path, read_only=True) as last:
        assert last.execute(ask.format("")).fetchall() == [(new.publication_id,)]
