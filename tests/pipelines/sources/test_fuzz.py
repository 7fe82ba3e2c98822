"""Whatever bytes arrive, landing ends with a record and with all of a file's rows or none."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.sources.drops import KX_REST, Drop, logins

SEEDS = [
    ("login_20260105.csv", logins(*range(1, 9))),
    ("login_20260105.csv.gz", gzip.compress(logins(*range(1, 9)))),
    (
        "news_20260105.jsonl",
        '{"article_id":"1","published_at":"2026-01-05T08:00:00+08:00","source":"报","title":"铜",'
        '"body":"x"}\n'.encode()
        * 6,
    ),
    (
        "kx20260105.dat",
        b'{"o_curinstrument":[{"PRODUCTID":"cu_f","DELIVERYMONTH":"2603","VOLUME":1,'
        b'"OPENINTEREST":2,"SETTLEMENTPRICE":3,%s}],"report_date":"20260105"}' % KX_REST.encode(),
    ),
    (
        "dailystock_20260105.html",
        "<html><table><tr><th>地区</th><th>仓库</th><th>期货</th><th>增减</th></tr>"
        '<tr><td colspan="3">铜</td><td>单位：吨</td></tr>'
        '<tr><td rowspan="2">上海</td><td>某库</td><td>429</td><td>-29</td></tr>'
        "<tr><td>合计</td><td>429</td><td>-29</td></tr></table></html>".encode(),
    ),
]
ROUNDS = 60


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double or insert something."""
    at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    match chance.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:end] + data[at:]
        case 4:
            return data[:at] + chance.choice([b'"', b"\r", b"\0", b"\xff", b",", b"{"]) + data[at:]
        case _:
            return data[:at] + chance.randbytes(8) + data[at:]


def test_any_manifest_ends_in_a_record(tmp_path: Path) -> None:
    """Mutated and monstrous manifests are refused or true; landing never breaks."""
    chance = random.Random(20260106)
    drop = Drop.at(tmp_path)
    monsters: list[dict[str, Any]] = [
        {"encoding": "base64"}, {"encoding": "no-such"}, {"sequence": 10**30}, {"rows": 2**63},
        {"generated_at": "0001-01-01T00:00:00+14:00"}, {"interval": "0001-01-01"},
        {"interval": "all"}, {"dataset": "trade"}, {"mode": "whole"}, {"part": 1},
    ]  # fmt: skip
    for i, claims in enumerate(monsters):
        drop.put(f"login_2026{i + 101:04d}.csv", logins(i), **{"dataset": "login", **claims})
    for i in range(60):
        path = drop.put(f"login_2027{i + 1001:04d}.csv", logins(i), manifest=True)
        sidecar = path.with_name(path.name + ".manifest.json")
        sidecar.write_bytes(mutate(sidecar.read_bytes(), chance))
    recorded = drop.land()
    assert recorded
    assert {d.status for d in recorded} == {"refused"}
    assert drop.bronze("login") == []
    assert drop.land() == []


@pytest.mark.whole
def test_any_mutation_ends_in_a_record(tmp_path: Path) -> None:
    """Three hundred mutated files in one folder: no exception, a record each, no half of any."""
    chance = random.Random(20260105)
    drop = Drop.at(tmp_path)
    expected = 0
    for i in range(ROUNDS):
        for name, data in SEEDS:
            changed = mutate(data, chance)
            path = drop.settings.inbox / "trading" / "20260105" / f"{i:03d}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(changed)
            expected += 1
    recorded = drop.land()
    assert len({d.sha256 for d in recorded}) <= expected
    landed = [d for d in recorded if d.status == "landed"]
    refused = [d for d in recorded if d.status == "refused"]
    assert len(landed) > 20
    assert len(refused) > 60
    assert all(d.error_code and d.error_code.startswith("delivery-") for d in refused)
    for dataset in ("login", "news_article", "quote_daily", "warehouse_stock_daily"):
        counted: dict[str, int] = {}
        for row in drop.bronze(dataset):
            counted[row["_delivery_id"]] = counted.get(row["_delivery_id"], 0) + 1
        promised = {d.delivery_id: d.rows for d in landed if d.dataset == dataset and d.rows}
        assert counted == promised
    assert drop.land() == []
