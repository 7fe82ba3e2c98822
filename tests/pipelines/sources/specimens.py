"""Files to be harmed: a simulated day in both forms, and real ones where they are at hand."""

from __future__ import annotations

import gzip
import io
import json
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.simulation.world import simulate
from tests.pipelines.sources.drops import KX_REST
from tests.pipelines.sources.mutations import GZIP

ROOT = Path(__file__).resolve().parents[3]
DAY = date(2026, 1, 5)
NEWS_KEYS = (
    b'{"article_id":"1","published_at":"2026-01-05T08:00:00+08:00","source":"s","title":"t"}'
)
MOST = 24_000
"""Bytes of one specimen: a table of lines is shortened to whole lines below it."""
PAGE = """<html><body><table><tr><td>2026-01-05 第1期</td></tr></table>
<table><thead><tr><th>地区</th><th>仓库</th><th>期货</th><th>增减</th></tr></thead>
<tr class="special_row_type"><td colspan="3"><div>铜</div></td><td>单位：吨</td></tr>
<tr><td rowspan="3">上海</td><td>国储天威</td><td>429</td><td>-29</td></tr>
<tr><td>中储吴淞</td><td>71</td><td>0</td></tr>
<tr class="isTotal"><td>合计</td><td>500</td><td>-29</td></tr>
<tr class="isTotal"><td colspan="2">总计</td><td>500</td><td>-29</td></tr></table></body></html>"""


@dataclass(frozen=True)
class Specimen:
    """A good file: its path below the drop folder and its bytes."""

    name: str
    data: bytes


def simulated(folder: Path) -> list[Specimen]:
    """A tiny day of the simulated exchange as CSV, JSON and JSON Lines, and as Parquet."""
    found = {}
    for form in ("csv", "parquet"):
        home = folder / form
        simulate(home / "inbox", [DAY], 20260105, "tiny", file_format=form)
        found.update({s.name: s for s in _files(home / "inbox")})
    page = Specimen("inbox/public/20260105/dailystock_20260105.html", PAGE.encode())
    return [*found.values(), page]


def real() -> list[Specimen]:
    """The real files, where they are at hand."""
    data = Path(os.environ.get("EXLAKE_SHARED", ROOT.parent / "shared")) / "data"
    return _files(data) if data.is_dir() else []


def _files(folder: Path) -> list[Specimen]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith((".manifest.json", ".md")):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            found.append(Specimen(name, _short(path.read_bytes(), path.name)))
    return found


def _short(data: bytes, name: str) -> bytes:
    if not name.endswith((".csv", ".csv.gz", ".jsonl")):
        return data
    plain = gzip.decompress(data) if data[:2] == GZIP else data
    if len(plain) > MOST:
        plain = plain[: plain.rindex(b"\n", 0, MOST) + 1]
    return gzip.compress(plain, 1) if data[:2] == GZIP else plain


def quoted() -> Specimen:
    """A table whose texts hold what has to be quoted."""
    header = (
        "login_id,client_id,member_id,login_time,logout_time,trade_date,public_ip,mac_hash,"
        "disk_hash,app_id,terminal_id,terminal_kind"
    )
    texts = ('"a, b"', '"a ""b"""', '"two\nlines"', '"铜"', '""', "plain")
    rows = [
        f"L{i},{i:08d},0001,2026-01-05 09:00:00,,20260105,1.2.3.4,m,d,{texts[i % 6]},T{i},HOME"
        for i in range(1, 40)
    ]
    return Specimen(
        "inbox/trading/20260105/login_20260105.csv", "\n".join([header, *rows, ""]).encode()
    )


def kept(specimens: list[Specimen], folder: Path) -> Path:
    """The specimens as numbered files beside a list of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, specimen in enumerate(specimens):
        (folder / str(place)).write_bytes(specimen.data)
    (folder / "names.json").write_text(json.dumps([s.name for s in specimens]))
    return folder


KX = "inbox/public/20260105/kx20260105.dat"
NEWS = "inbox/news/20260105/news_20260105.jsonl"
LOGIN = "inbox/trading/20260105/login_20260105"
PAGES = "inbox/public/20260105/dailystock_20260105.html"
LIST = "data/trading_calendar/calendar.json"
UNCLOSED = (
    b"<", b"<!", b"<!--", b"</", b"<a ", b"<td", b"<td>", b"&", b"&#", b"<![CDATA[", b"<?",
    b"<a b='", b"<tr><td>1", b"<td>x< ", b"\n", b"<script>", b"<td colspan=9999>x",
)  # fmt: skip
"""What makes parsers of pages slow when it is repeated and never ends."""


def monsters() -> list[Specimen]:
    """Files of some megabytes made to cost memory or time."""
    columns = quoted().data.split(b"\n", 1)[0] + b"\n"
    many = b",".join(b'"k%d":0' % i for i in range(250_000))
    bodies: list[tuple[str, bytes]] = [
        (KX, b'{"o_curinstrument":[' + b"0," * 250_000 + b"0]}"),
        (KX, b'{"o_curinstrument":[' + b"0," * 600_000 + b"0]}"),
        (KX, b"{" + many + b',"o_curinstrument":[]}'),
        (KX, b'{"o_curinstrument":' + b"[" * 3_000_000),
        (KX, b'{"o_curinstrument":[' + b'{"a":' * 900_000),
        (LIST, b"[" + b"1," * 250_000 + b"1]"),
        (f"{LOGIN}.csv", columns + b"x" * 5_000_000),
        (f"{LOGIN}.csv", columns + b'"' + b"x\n" * 2_500_000),
        (f"{LOGIN}.csv", columns + b"," * 5_000_000),
        (f"{LOGIN}.csv", b",".join(b"n%d" % i for i in range(500_000))),
        (f"{LOGIN}.csv.gz", gzip.compress(columns) + gzip.compress(b"0" * 10_000_000) * 90),
        (f"{LOGIN}.parquet", _repeated("x" * 1_000_000, 60_000)),
        (f"{LOGIN}.parquet", _wide(2_000)),
        *[(PAGES, piece * (499_000 // len(piece)) + end) for piece in UNCLOSED
          for end in (b"", b"</html>")],
    ]  # fmt: skip
    return [Specimen(name, body) for name, body in bodies]


def large_monsters() -> list[Specimen]:
    """The same, of up to 300 MB each."""
    columns = quoted().data.split(b"\n", 1)[0] + b"\n"
    record = b'{"PRODUCTID":"cu_f","DELIVERYMONTH":"2603","VOLUME":"1","OPENINTEREST":2,'
    record += b'"SETTLEMENTPRICE":3,%s}' % KX_REST.encode()
    many = b",".join(b'"k%d":0' % i for i in range(490_000))
    head = b'{"o_curinstrument":[' + b",".join([record] * 9_000) + b"],"
    keys = NEWS_KEYS[:-1] + b',"body":"' + b"x" * 15_000_000 + b'"}\n'
    bodies: list[tuple[str, bytes]] = [
        (KX, head + b'"x":"' + b"y" * 30_000_000 + b'"}'),
        (KX, head + b'"x":"' + b"y" * 60_000 + b'"}'),
        (KX, b'{"o_curinstrument":["' + b"z" * 31_000_000 + b'"]}'),
        (KX, b'{"o_curinstrument":["' + b"z" * 90_000_000 + b'"]}'),
        (KX, b" " * 300_000_000),
        (KX, b"{" + many + b',"o_curinstrument":[]}'),
        (KX, b'{"o_curinstrument":[{' + many + b"}]}"),
        (LIST, b"[" + b"1," * 490_000 + b"1]"),
        (NEWS, keys * 12),
        (NEWS, b"z" * 90_000_000),
        (f"{LOGIN}.csv", columns + b"\r" * 60_000_000),
        (f"{LOGIN}.csv", b"a,b\n" * 9_000_000),
        (f"{LOGIN}.csv", b'"' * 60_000_000),
        (f"{LOGIN}.csv.gz", gzip.compress(b"") * 400_000),
        (f"{LOGIN}.parquet", _repeated("x", 20_000_000)),
        (f"{LOGIN}.parquet", _wide(20_000)),
    ]
    return [Specimen(name, body) for name, body in bodies]


def _repeated(text: str, rows: int) -> bytes:
    """Parquet of one long text many times: it is stored once."""
    names = quoted().data.decode().split("\n", 1)[0].split(",")
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), [text])
    out = io.BytesIO()
    pq.write_table(pa.table(dict.fromkeys(names, column)), out, compression="zstd")
    return out.getvalue()


def _wide(columns: int) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({f"n{i}": ["x"] for i in range(columns)}), out)
    return out.getvalue()
