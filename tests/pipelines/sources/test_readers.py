"""Every kind of file gives the same text, with true ordinals."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.model import Column, Contract, Format
from pipelines.sources import readers
from pipelines.sources.base import Limits
from pipelines.sources.errors import DeliveryError, EncodingMismatchError, UnpackedSizeError

LIMITS = Limits(bytes=50_000_000, ratio=200)


def contract(*names: str) -> Contract:
    """A bronze contract of these text columns."""
    columns = tuple(
        Column(name=n, type="string", title=n, title_zh=n, description=n) for n in names
    )
    return Contract(
        product="bronze.sample", version="1.0.0", status="active", title="t", title_zh="t",
        description="d", domain="d", owner="o", steward="s", columns=columns, key=(),
        interval_column="_interval", retention_days=1, flow="external",
    )  # fmt: skip


def read(path: Path, data: bytes, form: Format, of: Contract) -> list[dict[str, Any]]:
    """Write, open and read a file; the format fits."""
    path.write_bytes(data)
    file = readers.open_file(path, path.name, form, LIMITS)
    assert readers.probe(file, form, of) == ()
    return [row for batch in readers.read(file, form, of) for row in batch.to_pylist()]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_is_the_same_in_every_dress(
    tmp_path: Path, end: str, packed: bool, encoding: str
) -> None:
    """Line ends, compression, byte-order mark and encoding never change a value or an ordinal."""
    text = end.join(["a,b", "1,铜", "2,", f'3,"x,y{end}z"', "04,最后"]) + end
    data = text.encode(encoding)
    data = gzip.compress(data) if packed else data
    form = Format(name="f", kind="csv", file=".*")
    rows = read(tmp_path / "f.csv", data, form, contract("b", "a"))
    assert [(r["_row_number"], r["a"]) for r in rows] == [(1, "1"), (2, "2"), (3, "3"), (4, "04")]
    assert [r["b"] for r in rows] == ["铜", "", f"x,y{end}z", "最后"]


def test_csv_without_header_and_missing_columns(tmp_path: Path) -> None:
    """A headerless file is read by the format's order; columns it does not carry are NULL."""
    form = Format(name="f", kind="csv", file=".*", headerless=True, header=("x", "a"),
                  rename={"x": "b"}, delimiter=";")  # fmt: skip
    rows = read(tmp_path / "f.csv", b"1;2\n3;4", form, contract("a", "b", "c"))
    assert rows[1] == {"a": "4", "b": "3", "c": None, "_row_number": 2}


@pytest.mark.parametrize("data", [b"a,b\n", b"a,b", b"\xef\xbb\xbfa,b\r\n"])
def test_csv_of_a_header_only_has_no_rows(tmp_path: Path, data: bytes) -> None:
    """A date without changes is a header line: no rows, no error."""
    form = Format(name="f", kind="csv", file=".*")
    assert read(tmp_path / "f.csv", data, form, contract("a", "b")) == []


def test_csv_streams_with_ordinals_over_blocks(tmp_path: Path) -> None:
    """Ordinals go on over block borders, and no batch holds the whole file."""
    lines = b"a,b\n" + b"".join(b"%d,%s\n" % (i, b"x" * 40) for i in range(120_000))
    path = tmp_path / "f.csv"
    path.write_bytes(lines)
    form, of = Format(name="f", kind="csv", file=".*"), contract("a", "b")
    batches = list(readers.read(readers.open_file(path, "f", form, LIMITS), form, of))
    numbers = [n for b in batches for n in b.column("_row_number").to_pylist()]
    assert numbers == list(range(1, 120_001))
    assert len(batches) > 1


def test_json_keeps_records_as_delivered(tmp_path: Path) -> None:
    """A document's record keeps its very text; the ordinal counts over all sections."""
    text = '\ufeff{"o_a":[{"K": 1.50,"N":"cu  "}],"o_b":[{"K":2}],"code":0,"day":"20140106"}'
    form = Format(
        name="f", kind="dat", file=".*", sections=("o_a", "o_b"), required_keys=("K", "N")
    )
    rows = read(tmp_path / "f.dat", text.encode(), form, contract("section", "header", "record"))
    assert [r["record"] for r in rows] == ['{"K": 1.50,"N":"cu  "}', '{"K":2}']
    assert [(r["section"], r["_row_number"]) for r in rows] == [("o_a", 1), ("o_b", 2)]
    assert json.loads(rows[0]["header"]) == {"code": 0, "day": "20140106"}


def test_json_objects_and_lists(tmp_path: Path) -> None:
    """Objects of records keep their path as section; a bare list fills a named column."""
    of = contract("section", "record", "day")
    form = Format(name="f", kind="json", file=".*", sections=("*.*",))
    text = '{"SHFE":{"cu":{"tick":10}},"INE":{"sc":{"tick":0.1}}}'
    rows = read(tmp_path / "f.json", text.encode("gb18030"), form, of)
    assert [(r["section"], r["record"]) for r in rows] == [
        ("SHFE.cu", '{"tick":10}'),
        ("INE.sc", '{"tick":0.1}'),
    ]
    flat = Format(name="f", kind="json", file=".*", sections=("$",), rename={"value": "day"})
    assert [r["day"] for r in read(tmp_path / "g.json", b'["20260105", 20260106]', flat, of)] == [
        "20260105",
        "20260106",
    ]


def test_json_lines_keep_digits(tmp_path: Path) -> None:
    """Numbers keep every digit, nested values stay JSON, absent and null fields are NULL."""
    data = b'{"a": 0.10000000000000000001, "b": [1, 2]}\r\n\r\n{"a": null}\r{"a": true, "b": "x"}'
    form = Format(name="f", kind="jsonl", file=".*")
    rows = read(tmp_path / "f.jsonl", data, form, contract("a", "b"))
    assert [(r["_row_number"], r["a"]) for r in rows] == [
        (1, "0.10000000000000000001"),
        (2, None),
        (3, "true"),
    ]
    assert rows[2]["b"] == "x"


PAGE = """<html><body><table><tr><td>2026-09-15 第171期</td></tr></table>
<table><thead><tr><th>地区</th><th>仓库</th><th>期货</th><th>增减</th></tr>
<tr class="special_row_type"><td colspan="3"><div>铜</div></td><td>单位：吨</td></tr>
<tr><td rowspan="3">上海</td><td>国储天威</td><td>429</td><td>-29</td></tr>
<tr><td>中储吴淞</td><td>71</td><td>0</td></tr>
<tr class="isTotal"><td>合计</td><td>500</td><td>-29</td></tr>
<tr class="isTotal"><td colspan="2">总计</td><td>500</td><td>-29</td></tr></table></body></html>"""


def test_a_web_page_of_stocks_reads_like_the_file(tmp_path: Path) -> None:
    """Lines of the page get the file's keys: the region of spanned cells, totals told apart."""
    form = Format(name="f", kind="html", file=".*")
    rows = read(tmp_path / "f.html", PAGE.encode(), form, contract("section", "header", "record"))
    records = [json.loads(r["record"]) for r in rows]
    assert [tuple(r[k] for k in ("VARNAME", "REGNAME", "WHABBRNAME", "WRTWGHTS", "ROWSTATUS"))
            for r in records] == [
        ("铜", "上海", "国储天威", "429", "0"),
        ("铜", "上海", "中储吴淞", "71", "0"),
        ("铜", "上海", "合计", "500", "1"),
        ("铜", "", "总计", "500", "2"),
    ]  # fmt: skip
    assert {r["WGHTUNIT"] for r in records} == {"吨"}
    assert json.loads(rows[0]["header"]) == {"report_date": "20260915"}


def test_parquet_becomes_text(tmp_path: Path) -> None:
    """Decimals and integers keep their spelling in text."""
    table = pa.table({"a": pa.array([Decimal("1.50"), None]), "b": [7, 8]})
    pq.write_table(table, tmp_path / "t.parquet")
    form = Format(name="f", kind="parquet", file=".*")
    data = (tmp_path / "t.parquet").read_bytes()
    rows = read(tmp_path / "f.parquet", data, form, contract("a", "b"))
    assert [(r["a"], r["b"]) for r in rows] == [("1.50", "7"), (None, "8")]


def test_damaged_utf8_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    """Nearly any bytes decode as GB18030: damage after Chinese UTF-8 text is reported as damage."""
    path = tmp_path / "f.csv"
    path.write_bytes("a\n铜\n锌".encode() + b"\xff\n")
    with pytest.raises(EncodingMismatchError) as caught:
        readers.open_file(path, "f.csv", Format(name="f", kind="csv", file=".*"), LIMITS)
    assert caught.value.tried == ("utf-8",)


def test_a_bomb_is_stopped_early(tmp_path: Path) -> None:
    """A file that unpacks far beyond its size is stopped by ratio, and by the absolute limit."""
    path = tmp_path / "f.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"0" * 20_000_000))
    form = Format(name="f", kind="csv", file=".*")
    for limits in (LIMITS, Limits(bytes=1_000_000, ratio=10**9)):
        with pytest.raises(UnpackedSizeError):
            readers.open_file(path, "f.csv.gz", form, limits)


def test_errors_never_quote_a_row(tmp_path: Path) -> None:
    """A sentence that operators read holds no content of the row."""
    path = tmp_path / "f.csv"
    path.write_bytes(b"a,b\n1,2\nsecret phone 13800000000\n")
    form, of = Format(name="f", kind="csv", file=".*"), contract("a", "b")
    with pytest.raises(DeliveryError) as caught:
        list(readers.read(readers.open_file(path, "f.csv", form, LIMITS), form, of))
    assert "secret" not in str(caught.value)
    assert "record 2 has 1 fields instead of 2" in str(caught.value)
