from __future__ import annotations

import ast
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.catalogue import load_catalogue
from contracts.draft import DraftRefusedError, draft, write_draft
from contracts.lint import lint
from contracts.sample import SampleUnreadableError
from contracts.standards import load_standards

HEADER = "Quote Id,client_id,side,地点,Mid Price,lots,seen at"


def _lines() -> list[str]:
    return [
        f"{i:05d},{100 + i % 7},{'BS'[i % 2]},{'沪粤'[i % 2]},{60 + i * 0.25:.2f},"
        f"{i if i % 9 else ''},2026-01-05 09:{i % 60:02d}:00"
        for i in range(80)
    ]


def _csv(folder: Path) -> Path:
    file = folder / "spot_20260105.csv.gz"
    file.write_bytes(gzip.compress("\r\n".join([HEADER, *_lines()]).encode("gb18030")))
    return file


def _jsonl(folder: Path) -> Path:
    file = folder / "spot_20260105.jsonl"
    names = HEADER.split(",")
    lines = [json.dumps(dict(zip(names, r.split(","), strict=True))) for r in _lines()]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def _parquet(folder: Path) -> Path:
    file = folder / "spot_20260105.parquet"
    rows = [r.split(",") for r in _lines()]
    columns = dict(zip(HEADER.split(","), map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), file)
    return file


@pytest.mark.parametrize("make", [_csv, _jsonl, _parquet])
def test_a_sample_becomes_a_product_without_editing_anything(
    root: Path, make: object, tmp_path: Path
) -> None:
    """Types, key, codes and ranges are drafted with their evidence; the draft loads and compiles,
    and lint refuses only what is marked TODO."""
    sample = make(tmp_path)  # type: ignore[operator]
    drafted = draft("silver.spot", sample, load_standards(root / "standards"))
    written = write_draft(drafted, tmp_path)
    catalogue = load_catalogue(root)
    silver, bronze = catalogue["silver.spot"], catalogue["bronze.spot"]
    assert silver.key == ("trade_date", "quote_id")
    assert [(c.name, c.type) for c in silver.business_columns] == [
        ("trade_date", "date"), ("quote_id", "string"), ("client_id", "string"),
        ("side", "string"), ("column_4", "string"), ("mid_price", "decimal(18,4)"),
        ("lots", "bigint"), ("seen_at", "timestamp"),
    ]  # fmt: skip
    rules = {r.id: r for r in silver.rules}
    assert rules["spot.column_4.codes"].values == ("沪", "粤")
    assert rules["spot.lots.range"].min == "0"
    assert "spot.side.codes" in rules
    form = bronze.formats[0]
    assert form.rename["Mid Price"] == "mid_price"
    assert form.file.startswith(r"spot_(?P<date>\d{8})")
    findings = lint(root)
    assert findings
    assert {f.message for f in findings} == {"is undecided (TODO)"}
    assert "80 of 80 given, 80 distinct" in (root / "silver" / "spot.yaml").read_text("utf-8")
    for path in written:
        if path.endswith(".py"):
            ast.parse((tmp_path / path).read_text("utf-8"))
    assert "quality/suites/silver/spot.json" in written


def test_a_draft_never_overwrites(root: Path, tmp_path: Path) -> None:
    """A second draft of the same name is refused before anything is written."""
    drafted = draft("silver.spot", _csv(tmp_path), load_standards(root / "standards"))
    write_draft(drafted, tmp_path)
    job = tmp_path / "pipelines" / "external" / "spot.py"
    job.write_text("# mine")
    with pytest.raises(DraftRefusedError, match="exists already"):
        write_draft(drafted, tmp_path)
    assert job.read_text() == "# mine"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.xlsx", b"PK"),
        ("x.csv", b""),
        ("x.csv", b"a,b\n"),
        ("x.csv", b"a,b\n1,2\n1\n"),
        ("x.jsonl", b"[1]\n"),
        ("x.csv.gz", b"no gzip"),
        ("x.parquet", b"no parquet"),
    ],
)
def test_unreadable_samples_are_refused(
    root: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    """Broken, empty and unknown files give one error that says why."""
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(SampleUnreadableError):
        draft("silver.spot", file, load_standards(root / "standards"))


def test_values_decide_against_the_dictionary(root: Path, tmp_path: Path) -> None:
    """A known name with values that cannot be meant gets a definition of its own."""
    file = tmp_path / "x.csv"
    file.write_text("id,lots\na,many\nb,few\n", encoding="utf-8")
    drafted = draft("silver.odd", file, load_standards(root / "standards"))
    assert {c.name: c.known is None for c in drafted.columns} == {"id": True, "lots": True}
    with pytest.raises(DraftRefusedError):
        draft("gold.odd", file, load_standards(root / "standards"))
