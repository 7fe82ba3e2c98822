"""Readers and hostile files: read right, or refused with file, position and reason; nothing else.

Every read file is compared with the standard library's reading of it. ``make test`` harms some
hundred files, ``make test-full`` twelve thousand.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.load import load_catalogue
from contracts.model import Format
from pipelines.sources import readers
from pipelines.sources.errors import DeliveryError
from pipelines.sources.formats import matches
from tests.pipelines.sources.drops import Drop, logins
from tests.pipelines.sources.fuzz_child import MEMORY
from tests.pipelines.sources.mutations import GZIP, redressed
from tests.pipelines.sources.plain import LIMITS, candidates, rows_of
from tests.pipelines.sources.specimens import (
    ROOT,
    Specimen,
    kept,
    large_monsters,
    monsters,
    quoted,
    real,
    simulated,
)
from tests.pipelines.sources.test_readers import contract

BRONZE = [c for c in load_catalogue().layer("bronze") if c.formats]


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> list[Specimen]:
    """Good files of every kind that a contract knows."""
    every = [*simulated(tmp_path_factory.mktemp("world")), quoted(), *real()]
    return [s for s in every if matches(BRONZE, s.name)]


def child(folder: Path, first: int, count: int | None = None) -> dict[str, Any]:
    """What one process of harmed files found; it dies of more memory than ``MEMORY``."""
    command = [sys.executable, "-m", "tests.pipelines.sources.fuzz_child", str(folder), str(first)]
    if count is not None:
        command.append(str(count))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = folder / f"now-{first}"
    assert done.stdout, f"killed at {last.read_text() if last.exists() else 0}: {done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["broken"] == []
    assert found["largest"] < MEMORY
    return found


def test_harmed_files_are_read_right_or_refused(specimens: list[Specimen], tmp_path: Path) -> None:
    """Three hundred harmed files: no other exception, no wrong row, little memory, no hang."""
    found = child(kept(specimens, tmp_path), 0, 300)
    assert sum(found["counted"].values()) == 300
    assert found["counted"]["read"] > 20
    assert found["counted"]["delivery-malformed"] > 60


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1_000, 13_000, 3_000))
def test_twelve_thousand_harmed_files(
    specimens: list[Specimen], tmp_path: Path, first: int
) -> None:
    """As above, three thousand in each of four processes."""
    found = child(kept(specimens, tmp_path), first, 3_000)
    assert sum(found["counted"].values()) == 3_000


def test_files_made_to_cost_much_cost_little(tmp_path: Path) -> None:
    """Bombs, endless lines, deep nesting, pages that never end: seconds, and below 2 GiB."""
    specimens = monsters()
    assert sum(child(kept(specimens, tmp_path), 0)["counted"].values()) == len(specimens)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_large_files_made_to_cost_much_cost_little(tmp_path: Path) -> None:
    """The same with files of up to 300 MB."""
    specimens = large_monsters()
    assert sum(child(kept(specimens, tmp_path), 0)["counted"].values()) == len(specimens)


def test_other_clothes_change_no_row(specimens: list[Specimen], tmp_path: Path) -> None:
    """Line ends, marks, blank lines, compression, encoding, order of keys: the same rows."""
    catalogue = load_catalogue()
    wrong, compared = [], 0
    for specimen in specimens:
        if specimen.name.endswith(".parquet") or len(specimen.data) > 100_000:
            continue
        fitting = candidates(catalogue, specimen.name)
        path = tmp_path / "file"
        path.write_bytes(specimen.data)
        match, _, rows = rows_of(path, specimen.name, fitting)
        name = specimen.name.removesuffix(".gz")
        if match.format.repeated_keys == "last":
            continue  # dressing it would drop the earlier of two records
        if specimen == quoted():  # a quoted value would get the other line end, too
            continue
        for how, data in redressed(specimen.data, match.format.kind, match.format.encoding).items():
            path.write_bytes(data)
            compared += 1
            if _said(rows_of(path, name, fitting)[2]) != _said(rows):
                wrong.append(f"{specimen.name}: {how}")
    assert wrong == []
    assert compared > 200


def _said(rows: list[tuple[str | None, ...]]) -> list[tuple[Any, ...]]:
    """JSON by what it says, the rest as it is."""
    return [tuple(json.loads(v) if v and v[0] in '{["' else v for v in row) for row in rows]


def test_a_line_twice_is_one_row_more(specimens: list[Specimen], tmp_path: Path) -> None:
    """A record that comes twice is stored twice; a header that comes twice is refused."""
    catalogue = load_catalogue()
    doubled = headers = 0
    for specimen in specimens:
        fitting = candidates(catalogue, specimen.name)
        if fitting[0].format.kind not in ("csv", "jsonl") or specimen == quoted():
            continue
        packed = specimen.data[:2] == GZIP
        lines = (gzip.decompress(specimen.data) if packed else specimen.data).splitlines(True)
        path, name = tmp_path / "file", specimen.name.removesuffix(".gz")
        path.write_bytes(b"".join(lines))
        match, _, rows = rows_of(path, name, fitting)
        header = match.format.kind == "csv" and not match.format.headerless
        path.write_bytes(b"".join([*lines, lines[-1]]))
        assert rows_of(path, name, fitting)[2] == [*rows, rows[-1]], specimen.name
        doubled += 1
        if header:
            path.write_bytes(b"".join([*lines, lines[0]]))
            with pytest.raises(DeliveryError, match=f"record {len(rows) + 1:,} is the header"):
                rows_of(path, name, fitting)
            headers += 1
    assert doubled > 15
    assert headers > 10


def test_a_cut_file_is_refused_or_the_rows_before_the_cut(
    specimens: list[Specimen], tmp_path: Path
) -> None:
    """What has a structure is refused when cut; of lines, whole ones stay and the last is noted."""
    catalogue = load_catalogue()
    path = tmp_path / "file"
    for specimen in specimens:
        fitting = candidates(catalogue, specimen.name)
        body = specimen.data.rstrip()
        kind = fitting[0].format.kind
        lines = kind in ("csv", "jsonl") and specimen.data[:2] != GZIP
        if lines:
            path.write_bytes(specimen.data)
            whole = rows_of(path, specimen.name, fitting)[2]
        for part in (0.02, 0.37, 0.81, 0.999):
            path.write_bytes(body[: int(len(body) * part)])
            try:
                rows = rows_of(path, specimen.name, fitting)[2]
            except DeliveryError:
                continue
            assert lines, f"{specimen.name} cut at {part} was read"
            assert rows[:-1] == whole[: len(rows) - 1], specimen.name


def test_a_cut_file_with_a_manifest_is_always_refused(tmp_path: Path) -> None:
    """Size and checksum find every cut; without a manifest a line without its end is noted."""
    drop, data = Drop.at(tmp_path), logins(*range(1, 9))
    for i, end in enumerate(range(len(data) - 260, len(data), 13)):
        path = drop.put(f"login_2026{i + 101:04d}.csv", data, manifest=True)
        path.write_bytes(data[:end])
    assert {d.error_code for d in drop.land()} == {"delivery-checksum"}
    drop.put("login_20260202.csv", data[:-1])
    noted = drop.only()
    assert (noted.status, noted.rows) == ("landed", 8)
    assert "may be cut" in str(noted.message)


def test_damaged_parquet_with_checksums_is_refused(tmp_path: Path) -> None:
    """A flipped bit in a page is found where the writer noted checksums."""
    table = pa.table({"a": [str(i * 7919) for i in range(2_000)], "b": ["x"] * 2_000})
    out = io.BytesIO()
    pq.write_table(table, out, compression="none", write_page_checksum=True, use_dictionary=False)
    form, of, path = Format(name="f", kind="parquet", file=".*"), contract("a", "b"), tmp_path / "f"
    data = bytearray(out.getvalue())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DeliveryError, match="after row"):
        list(readers.read(readers.open_file(path, "f", form, LIMITS), form, of))


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
TABLES = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=12)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(TABLES, ENDS, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(",;\t|"))
def test_any_table_comes_back_from_csv(
    tmp_path: Path,
    rows: list[tuple[str, str, str]],
    end: str,
    all_quoted: bool,
    mark: bool,
    packed: bool,
    delimiter: str,
) -> None:
    """Whatever text a table holds, quoted as CSV asks for, is read back to the letter."""
    out = io.StringIO()
    # The standard library leaves a lone CR unquoted where lines end in LF.
    broken = any(c in text for row in rows for text in row for c in "\r\n")
    quoting = csv.QUOTE_ALL if all_quoted or broken else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([("a", "b", "c"), *rows])
    data = out.getvalue().encode("utf-8-sig" if mark else "utf-8")
    form = Format(name="f", kind="csv", file=".*", delimiter=delimiter, encoding=("utf-8",))
    assert _back(tmp_path, gzip.compress(data) if packed else data, form) == rows


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(TABLES, ENDS, st.booleans(), st.booleans())
def test_any_table_comes_back_from_json_and_parquet(
    tmp_path: Path, rows: list[tuple[str, str, str]], end: str, ascii_only: bool, mark: bool
) -> None:
    """The same for JSON Lines, for a list in a JSON document and for Parquet."""
    records = [dict(zip("abc", row, strict=True)) for row in rows]
    texts = [json.dumps(r, ensure_ascii=ascii_only) for r in records]
    code = "utf-8-sig" if mark else "utf-8"
    lines = Format(name="f", kind="jsonl", file=".*", encoding=("utf-8",))
    assert _back(tmp_path, end.join(texts).encode(code), lines) == rows
    document = Format(name="f", kind="json", file=".*", sections=("$",), encoding=("utf-8",))
    assert _back(tmp_path, f"[{','.join(texts)}]".encode(code), document) == rows
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), out)
    assert _back(tmp_path, out.getvalue(), Format(name="f", kind="parquet", file=".*")) == rows


def _back(folder: Path, data: bytes, form: Format) -> list[tuple[str, str, str]]:
    path, of = folder / "f", contract("a", "b", "c")
    path.write_bytes(data)
    file = readers.open_file(path, "f", form, LIMITS)
    assert readers.probe(file, form, of) == ()
    return [
        (row["a"], row["b"], row["c"])
        for batch in readers.read(file, form, of)
        for row in batch.to_pylist()
    ]
