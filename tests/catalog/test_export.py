"""Answers leave the lake as files that say where they come from, run nothing, and are logged."""

from __future__ import annotations

import csv
import json
import re
import stat
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from duckdb import DuckDBPyConnection

from catalog.errors import QueryRefusedError
from catalog.export import workbook
from catalog.export.sheet import About, ExportRefusedError, Sheet
from catalog.export.text import neutral
from catalog.export.writing import write_export
from catalog.publish import publish, published_path
from catalog.query import open_published, stream_query
from catalog.refusals import first_line, next_step, own_error
from pipelines.engine.ledgers import EXPORT
from tests.catalog.catalog_cases import NOW, TinyLake

HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=x", "＝1", "=cmd|'/c calc'!A1")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
SQL = """SELECT client_id AS "客户", '00010001' AS id, '1234567890123456' AS long_id, lots, price,
                trade_time, trade_date, NULL AS nothing, sum(lots) OVER () AS total,
                12345678901234567.8900::DECIMAL(24,4) AS money
         FROM silver.trade ORDER BY ALL LIMIT 3"""


@pytest.fixture
def published(lake: TinyLake) -> TinyLake:
    """The tiny lake, published for analysts; one interval of it is not clean."""
    lake.record("silver.trade", "2026-01-06", "quarantine", built=7, accepted=6, quarantined=1)
    publish(lake.settings, lake.catalogue, "analyst", now=NOW)
    return lake


def export(lake: TinyLake, sql: str, file: Path, audience: str = "analyst", **more: Any) -> Any:
    """Export an answer, as the command does."""
    with stream_query(lake.settings, lake.catalogue, sql, audience=audience) as answer:
        about = About(sql, audience, "张三", answer.publication_id, answer.published_at,
                      "; ".join(str(t) for t in answer.touched if not t.clean), NOW)  # fmt: skip
        sheet = Sheet(answer.schema, answer.batches, about)
        return write_export(lake.settings, sheet, file, overwrite=more.get("overwrite", False))


def cells(file: Path, sheet: int = 1) -> list[list[tuple[str, str]]]:
    """(type, value) of every cell of a sheet, by row; formulas would be of type ``formula``."""
    with zipfile.ZipFile(file) as book:
        page = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
        strings: list[str] = []
        if "xl/sharedStrings.xml" in book.namelist():
            shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            strings = ["".join(i.itertext()) for i in shared]
    found = []
    for row in page.iter(f"{MAIN}row"):
        line = []
        for cell in row.iter(f"{MAIN}c"):
            kind = "formula" if cell.find(f"{MAIN}f") is not None else cell.get("t", "n")
            text = "".join(cell.itertext())
            line.append((kind, strings[int(text)] if kind == "s" else text))
        found.append(line)
    return found


def test_excel_gets_ids_as_text_and_a_sheet_of_origin(published: TinyLake, tmp_path: Path) -> None:
    """Ids and what Excel would round are texts, numbers and dates are numbers; the second sheet
    holds query, publication, state and time."""
    file = tmp_path / "答案.xlsx"
    done = export(published, SQL, file)
    header, first, *_ = cells(file)
    assert [text for _, text in header][:3] == ["客户", "id", "long_id"]
    kinds = [kind for kind, _ in first]
    assert first[1] == ("inlineStr", "00010001")
    assert first[2] == ("inlineStr", "1234567890123456")
    assert kinds[3:7] == ["n", "n", "n", "n"]
    assert first[-1] == ("inlineStr", "12345678901234567.8900")
    assert "more digits" in str(done.notes)
    said = {line[1][1]: line[2][1] for line in cells(file, 2)}
    assert said["query"] == SQL.replace("\r\n", "\n")
    assert said["publication id"].startswith("analyst-")
    assert "1 with_quarantine" in said["data state"]
    assert said["rows"] == "3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_no_text_becomes_a_formula(published: TinyLake, tmp_path: Path, suffix: str) -> None:
    """What looks like a formula is a text in both, header names and Chinese wide signs too."""
    rows = ", ".join("('" + t.replace("'", "''") + "')" for t in HOSTILE)
    file = tmp_path / f"x.{suffix}"
    export(published, f'SELECT v AS "=evil()" FROM (VALUES {rows}) AS t(v)', file)
    if suffix == "xlsx":
        assert {kind for line in cells(file) for kind, _ in line} == {"inlineStr"}
        return
    with file.open(encoding="utf-8-sig", newline="") as stream:
        found = [line[0] for line in csv.reader(stream)]
    assert found == [f"'{t}" for t in ("=evil()", *HOSTILE)]
    assert neutral("a=1") == "a=1"


def test_csv_has_a_byte_order_mark_and_its_origin_beside_it(
    published: TinyLake, tmp_path: Path
) -> None:
    """Excel reads Chinese right; numbers stay bare and exact; the state goes with the file."""
    file = tmp_path / "x.csv"
    export(published, SQL, file)
    body = file.read_bytes()
    assert body.startswith(b"\xef\xbb\xbf")
    line = body.decode("utf-8-sig").splitlines()[1]
    assert '"00010001","1234567890123456"' in line
    assert "68010.5000" in line
    assert "12345678901234567.8900" in line
    about = json.loads((tmp_path / "x.csv.about.json").read_text(encoding="utf-8"))
    assert about["publication id"].startswith("analyst-")
    assert "with_quarantine" in about["data state"]


def test_parquet_carries_its_origin(published: TinyLake, tmp_path: Path) -> None:
    """Types stay, and the file's own metadata says where it comes from."""
    file = tmp_path / "x.parquet"
    export(published, SQL, file)
    table = pq.read_table(file)
    assert table.schema.field("price").type == pa.decimal128(18, 4)
    assert table.num_rows == 3
    said = json.loads(pq.read_metadata(file).metadata[b"exlake"])
    assert said["query"] == SQL
    assert said["rows"] == "3"


def test_a_file_that_is_there_stays(published: TinyLake, tmp_path: Path) -> None:
    """Nothing is overwritten unasked, nothing is written into the lake, endings are known."""
    file = tmp_path / "x.csv"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(ExportRefusedError, match="there already"):
        export(published, SQL, file)
    assert file.read_text(encoding="utf-8") == "mine"
    dangling = tmp_path / "link.csv"
    dangling.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportRefusedError, match="there already"):
        export(published, SQL, dangling)
    with pytest.raises(ExportRefusedError, match="inside the lake"):
        export(published, SQL, published.settings.publish / "x.csv")
    with pytest.raises(ExportRefusedError, match="no format of ours"):
        export(published, SQL, tmp_path / "x.xls")
    export(published, SQL, file, overwrite=True)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_more_than_a_sheet_holds_is_refused(
    published: TinyLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Excel's limit is answered with what to do, and leaves no file."""
    monkeypatch.setattr(workbook, "MOST_ROWS", 5)
    with pytest.raises(ExportRefusedError, match=r"more than 5 rows") as refused:
        export(published, "FROM range(6)", tmp_path / "x.xlsx")
    assert ".parquet" in refused.value.next_step
    assert not (tmp_path / "x.xlsx").exists()
    assert published.ledgers.read(EXPORT) == []


def test_an_error_half_way_leaves_no_file(published: TinyLake, tmp_path: Path) -> None:
    """A row that cannot be computed refuses the query, whatever had been written by then."""
    sql = "SELECT CASE WHEN i = 90000 THEN error('boom') ELSE 'x' END FROM range(100000) t(i)"
    with pytest.raises(QueryRefusedError, match="boom"):
        export(published, sql, tmp_path / "x.csv")
    assert list(tmp_path.glob("*x.csv*")) == []
    assert published.ledgers.read(EXPORT) == []


def test_a_thread_stopped_by_an_error_is_not_told_as_the_error(
    published: TinyLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB may answer with a thread that another's error stopped: asked again, the error is."""
    opened: list[DuckDBPyConnection] = []

    def stopping(path: Path, audience: str) -> DuckDBPyConnection:
        opened.append(open_published(path, audience))
        return opened[-1]

    monkeypatch.setattr("catalog.query.open_published", stopping)
    sql = "SELECT CASE WHEN i = 900000 THEN error('boom') ELSE 'x' END FROM range(1000000) t(i)"
    with stream_query(published.settings, published.catalogue, sql) as answer:
        next(answer.batches)
        opened[-1].interrupt()
        with pytest.raises(QueryRefusedError, match="boom") as refused:
            list(answer.batches)
    assert "try_cast" in refused.value.next_step
    stopped = duckdb.InterruptException("INTERRUPT Error: Interrupted!")
    with open_published(published_path(published.settings, "analyst"), "analyst") as connection:
        for _ in range(3):
            assert "boom" in str(own_error(connection, sql, stopped))
        assert own_error(connection, "SELECT 1", stopped) is stopped
        assert "ask again" in next_step(connection, stopped, sql)
        late = duckdb.InvalidInputException("Invalid Input Error: closed\nError: Bad: boom")
        assert first_line(late) == "Bad: boom"


def test_every_export_is_logged_before_it_is_there(
    published: TinyLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Audience, person, query, rows, file and publication; without a log there is no file."""
    publish(published.settings, published.catalogue, "surveillance", now=NOW)
    export(published, SQL, tmp_path / "x.xlsx", audience="surveillance")
    [row] = published.ledgers.read(EXPORT)
    assert (row.person, row.audience, row.query, row.rows) == ("张三", "surveillance", SQL, 3)
    assert row.file == str(tmp_path / "x.xlsx")
    assert row.publication_id
    assert re.fullmatch("[0-9a-f]{64}", row.sha256)

    def broken(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pipelines.engine.ledgers.write_deltalake", broken)
    with pytest.raises(OSError, match="disk full"):
        export(published, SQL, tmp_path / "y.xlsx")
    assert not (tmp_path / "y.xlsx").exists()


def test_an_export_shows_what_the_audience_sees(published: TinyLake, tmp_path: Path) -> None:
    """Invariant 9: ids are masked in an analyst's export, and dropped columns are not there."""
    file = tmp_path / "x.parquet"
    export(published, "FROM silver.trade", file)
    table = pq.read_table(file)
    assert "note" not in table.column_names
    assert not set(table["client_id"].to_pylist()) & {"00010001", "00010002", "00020001"}


def test_odd_values_are_cut_or_told(lake: TinyLake, tmp_path: Path) -> None:
    """A text longer than a cell, a time finer than Excel's and a date before it are said."""
    file = tmp_path / "x.xlsx"

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch(
            {
                "text": ["x" * 40_000],
                "time": pa.array([datetime(2026, 1, 5, 1, 2, 3, 4567)], pa.timestamp("us")),
                "old": pa.array([datetime(1850, 1, 1).date()], pa.date32()),
                "nan": [float("nan")],
            }
        )

    about = About("q", "analyst", "p", None, None, "", NOW)
    [batch] = batches()
    done = write_export(lake.settings, Sheet(batch.schema, batches(), about), file, overwrite=False)
    assert len(done.notes) == 2
    row = cells(file)[1]
    assert len(row[0][1]) == workbook.MOST_CHARACTERS
    assert [kind for kind, _ in row] == ["inlineStr", "n", "inlineStr", "inlineStr"]
