"""A bad file gets a clear error and a delivery record, never a half-landed table."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.sources.drops import KX_REST, LOGIN, Drop, logins

NAME = "login_20260105.csv"
GZ = NAME + ".gz"
QUOTES = '{"o_curinstrument":[%s],"report_date":"20260105","o_code":0}'
RECORD = '{"PRODUCTID":"cu_f","DELIVERYMONTH":"2603","VOLUME":"1","OPENINTEREST":2,' + (
    KX_REST + ",%s}"
)


def link(drop: Drop) -> None:
    """A link out of the drop folder."""
    outside = drop.settings.home.parent / "secret.csv"
    outside.write_bytes(logins(1))
    path = drop.put("login_20260106.csv", b"")
    path.unlink()
    path.symlink_to(outside)


def pipe(drop: Drop) -> None:
    """A named pipe: opening it would wait for ever."""
    path = drop.put("login_20260106.csv", b"")
    path.unlink()
    os.mkfifo(path)


BAD: dict[str, tuple[str, Callable[[Drop], object]]] = {
    "truncated": ("delivery-truncated", lambda d: d.put(GZ, gzip.compress(logins(1, 2))[:-12])),
    "truncated with manifest": (
        "delivery-truncated",
        lambda d: d.put(GZ, gzip.compress(logins(1, 2))[:-12], manifest=True),
    ),
    "damaged": (
        "delivery-truncated",
        lambda d: d.put(GZ, gzip.compress(logins(1, 2))[:-8] + b"\0" * 8),
    ),
    "not gzip": ("delivery-truncated", lambda d: d.put(GZ, logins(1))),
    "wrong encoding": (
        "delivery-encoding",
        lambda d: d.put(NAME, logins(1).replace(b"1.2.3.4", "地址".encode("gb18030"))),
    ),
    "utf-16": ("delivery-encoding", lambda d: d.put(NAME, logins(1).decode().encode("utf-16"))),
    "a zip archive": ("delivery-malformed", lambda d: d.put(NAME, b"PK\x03\x04" + logins(1))),
    "NUL bytes": ("delivery-malformed", lambda d: d.put(NAME, logins(1) + b"\0")),
    "other header": (
        "delivery-schema",
        lambda d: d.put(NAME, logins(1).replace(b"mac_hash", b"mac_hsh").replace(b",app_id", b"")),
    ),
    "ragged row": ("delivery-malformed", lambda d: d.put(NAME, logins(1, 2) + b"L3,only\n")),
    "no rows": ("delivery-empty", lambda d: d.put(NAME, LOGIN.encode() + b"\n")),
    "an empty file": ("delivery-schema", lambda d: d.put(NAME, b"")),
    "bomb": ("delivery-bomb", lambda d: d.put(GZ, gzip.compress(logins(1) + b"0" * 30_000_000))),
    "checksum": ("delivery-checksum", lambda d: d.put(NAME, logins(1), sha256="0" * 64)),
    "size": ("delivery-checksum", lambda d: d.put(NAME, logins(1), bytes=3)),
    "other file": ("delivery-manifest", lambda d: d.put(NAME, logins(1), file="x.csv")),
    "escaping file": ("delivery-manifest", lambda d: d.put(NAME, logins(1), file="../x.csv")),
    "unknown key": ("delivery-manifest", lambda d: d.put(NAME, logins(1), colour="red")),
    "other system": (
        "delivery-manifest",
        lambda d: d.put(NAME, logins(1), system="clearing", dataset="login"),
    ),
    "other dataset": ("delivery-unknown", lambda d: d.put(NAME, logins(1), dataset="trade")),
    "other date": ("delivery-date", lambda d: d.put(NAME, logins(1), interval="2026-01-06")),
    "link": ("delivery-path", link),
    "named pipe": ("delivery-path", pipe),
    "lost file": ("delivery-manifest", lambda d: d.put(NAME, logins(1), manifest=True).unlink()),
    "unknown generation": (
        "delivery-schema",
        lambda d: d.put("kx20260105.dat", (QUOTES % (RECORD % '"SETTLE":3')).encode()),
    ),
    "body's date": (
        "delivery-date",
        lambda d: d.put("kx20260106.dat", (QUOTES % (RECORD % '"SETTLEMENTPRICE":3')).encode()),
    ),
    "body's date as an earlier generation writes it": (
        "delivery-date",
        lambda d: d.put(
            "kx20260105.dat",
            (QUOTES % (RECORD % '"SETTLEMENTPRICE":3'))
            .replace('"report_date":"20260105"', '"o_year":"2026","o_month":"01","o_day":"06"')
            .encode(),
        ),
    ),
    "no data on a trade date": (
        "delivery-empty",
        lambda d: d.put(
            "kx20260105.dat",
            (QUOTES % (RECORD % '"SETTLEMENTPRICE":3').replace('"1"', '""')).encode(),
        ),
    ),
    "cut web page": ("delivery-malformed", lambda d: d.put("dailystock_20260105.html", b"<html>")),
    "other web page": (
        "delivery-schema",
        lambda d: d.put("dailystock_20260105.html", b"<html><p>moved</p></html>"),
    ),
    "web page as data": ("delivery-malformed", lambda d: d.put("kx20260105.dat", b"<html></html>")),
    "broken JSON": ("delivery-malformed", lambda d: d.put("kx20260105.dat", b'{"o_curin')),
    "deep JSON": ("delivery-malformed", lambda d: d.put("kx20260105.dat", b"[" * 100_000)),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_and_the_others_land(tmp_path: Path, kind: str) -> None:
    """One refused record with its code; bronze without a row of it; the good file beside it landed.

    A second run records nothing, until the file changes.
    """
    code, leave = BAD[kind]
    drop = Drop.at(tmp_path)
    leave(drop)
    drop.put("order_event_20260105.csv", _orders(), system="trading")
    found = {d.file: d for d in drop.land()}
    good = found.pop("order_event_20260105.csv")
    assert good.status == "landed"
    (bad,) = found.values()
    assert (bad.status, bad.error_code) == ("refused", code)
    assert bad.path is None
    assert bad.message
    assert drop.bronze("login") == []
    assert drop.bronze("quote_daily") == []
    assert not any((drop.settings.landing / ".incoming").glob("*"))
    assert drop.land() == []
    (drop.settings.landing / "seen.json").unlink()
    assert drop.land() == []
    assert len(drop.ledger()) == 2


def test_a_mended_file_lands(tmp_path: Path) -> None:
    """A refusal lasts only as long as the file: the corrected one lands under the same number."""
    drop = Drop.at(tmp_path)
    drop.put(NAME, logins(1), sha256="0" * 64)
    assert drop.only().status == "refused"
    drop.put(NAME, logins(1), manifest=True)
    assert drop.only().status == "landed"


def test_a_used_sequence_number_is_refused(tmp_path: Path) -> None:
    """Other content under a sequence number that has landed is a conflict, not a replacement."""
    drop = Drop.at(tmp_path)
    drop.put(NAME, logins(1), manifest=True)
    drop.land()
    drop.put(NAME, logins(1, 2), manifest=True)
    assert drop.only().error_code == "delivery-sequence"
    assert len(drop.bronze("login")) == 1


def test_drift_names_every_difference(tmp_path: Path) -> None:
    """The error of another header lists what is missing, new and misspelt."""
    drop = Drop.at(tmp_path)
    drop.put(NAME, logins(1).replace(b"mac_hash", b"mac_hsh").replace(b"app_id", b"colour"))
    message = drop.only().message or ""
    assert "'mac_hsh' instead of 'mac_hash'" in message
    assert "missing app_id" in message
    assert "unexpected colour" in message


def test_a_holiday_reply_is_no_error(tmp_path: Path) -> None:
    """A valid reply without data on a day that is no trade date is recorded with no rows."""
    drop = Drop.at(tmp_path)
    empty = {"o_curinstrument": [json.loads(RECORD % '"SETTLEMENTPRICE":""')]}
    empty["o_curinstrument"][0]["VOLUME"] = ""
    drop.put("kx20260101.dat", json.dumps(empty).encode(), system="public")
    delivery = drop.only()
    assert (delivery.status, delivery.rows, delivery.interval) == ("landed", 0, "2026-01-01")
    assert drop.bronze("quote_daily") == []


def _orders() -> bytes:
    header = (
        "event_id,event_time,trade_date,exchange,contract_id,order_id,member_id,client_id,side,"
        "offset,hedge_flag,order_type,event_type,price,lots,remaining_lots,trade_id,reason,session,"
        "terminal_id"
    )
    return f"{header}\n{','.join('1' * 20)}\n".encode()
