"""Files of formats that nobody described: refused with place, reason and nearest generation."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.load import load_catalogue
from pipelines.external import member_rank_daily, quote_daily, settlement_param
from pipelines.external import warehouse_stock_daily as stocks
from tests.pipelines.sources.drops import Drop
from tests.pipelines.sources.specimens import PAGE
from tests.pipelines.sources.test_landing import TICKS

QUOTE = dict.fromkeys(quote_daily.FIELDS, 3) | {"PRODUCTID": "cu_f", "DELIVERYMONTH": "2603"}
QUOTE |= {"PRODUCTGROUPID": "cu", "PRODUCTCLASS": "1"}
RANK = dict.fromkeys(member_rank_daily.FIELDS, 3) | {"INSTRUMENTID": "cu2603", "RANK": 1}
SETTLED = dict.fromkeys(settlement_param.SETTLEMENT, "0.1") | {
    "INSTRUMENTID": "cu2603", "HTRADEFEERATIO": "0", "HTRADEFEEUNIT": "0",
}  # fmt: skip
STOCK = dict.fromkeys(stocks.FIELDS, "3") | {"VARNAME": "铜$$COPPER", "VARID": "cu"}
DAY = {"report_date": "20260105", "o_code": "0"}


def document(section: str, record: dict[str, object] | dict[str, str]) -> bytes:
    """A published reply of one record."""
    return json.dumps({section: [record], **DAY}, ensure_ascii=False).encode()


def zipped(data: bytes) -> bytes:
    """The file in an archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x", data)
    return out.getvalue()


MEMBERS = b"metal,member,date,contract,long_oi,short_oi\nCU,A,2026-01-05,CU2603,65.0,\n"
GOOD: dict[str, tuple[str, bytes]] = {
    "quotes": ("kx20260105.dat", document("o_curinstrument", QUOTE)),
    "ranks": ("pm20260105.dat", document("o_cursor", RANK)),
    "settlement": ("Settlement20260105.dat", document("Settlement", SETTLED)),
    "stocks": ("20260105dailystock.dat", document("o_cursor", STOCK)),
    "page": ("dailystock_20260105.html", PAGE.encode()),
    "members": ("member_positions.csv", MEMBERS),
    "ticks": ("ticks/rb2001.csv", TICKS),
}
ERROR_PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
EXPORTED = b'<html xmlns:x="urn:schemas-microsoft-com:office:excel"><table><tr><td>1</td></tr>'
FRONT_END = "reference_wondertrader_2022"
GOOD |= {
    "instruments": ("instruments.json", json.dumps({"instruments": {"cu2603": {
        "instrument_id": "cu2603", "exchange_id": "SHFE", "product_id": "cu", "price_tick": 10,
        "delivery_year": 2026, "delivery_month": 3, "max_market_order_volume": 1,
        "max_limit_order_volume": 1, "volume_multiple": 5, "open_date": "1", "expire_date": "2",
    }}}).encode()),
    "fees": (f"{FRONT_END}/fees.json",
             b'{"SHFE.cu":{"open":1,"close":1,"closetoday":0,"byvolume":true}}'),
    "hours": (f"{FRONT_END}/sessions.json",
              '{"FN0100":{"name":"夜","sections":[{"from":900,"to":1015}]}}'.encode()),
    "closes": ("month_closes/SC.json", b'{"dates":["2026-01-05"],"series":{"03":{"close":[1]}}}'),
}  # fmt: skip
Change = Callable[[bytes], bytes]


def put(old: str, new: str) -> Change:
    """Other text in place of some."""
    return lambda data: data.replace(old.encode(), new.encode())


STRANGE: dict[str, tuple[str, Change, str, str]] = {
    "a price renamed": ("quotes", put("HIGHESTPRICE", "HIGHPRICE"), "delivery-schema",
                        "kx-2026: 'HIGHPRICE' instead of 'HIGHESTPRICE', as record 1"),
    "other spelling": ("quotes", lambda d: d.lower(), "delivery-schema",
                       "instead of 'o_curinstrument'|'productid' instead of 'PRODUCTID'"),
    "the section renamed": ("quotes", put("o_curinstrument", "o_instruments"), "delivery-schema",
                            "'o_instruments' instead of 'o_curinstrument'"),
    "a section nobody reads": ("quotes", put('"report_date"', '"o_curTotal":[1],"report_date"'),
                               "delivery-schema", "sections: unexpected o_curTotal"),
    "wrapped in an object": ("quotes", lambda d: b'{"data":' + d + b"}", "delivery-schema",
                             "missing o_curinstrument; sections: unexpected data"),
    "wrapped in a callback": ("quotes", lambda d: b"jsonp_1(" + d + b");", "delivery-malformed",
                              "a call of 'jsonp_1'"),
    "lists for records": ("quotes", lambda d: b'{"o_curinstrument":[[1,2]]}', "delivery-schema",
                          "record 1 is not an object"),
    "a page for quotes": ("quotes", lambda d: ERROR_PAGE, "delivery-malformed", "HTML"),
    "an empty reply": ("quotes", lambda d: b"", "delivery-malformed", "char 0"),
    "an error for an answer": ("quotes", lambda d: b'{"code":500,"message":"busy"}',
                               "delivery-schema", "missing o_curinstrument"),
    "Big5": ("quotes", lambda d: d.replace(b'"3"', "\"銅\"".encode("big5")).replace(
        b"cu_f", "銅".encode("big5")), "delivery-encoding", "at byte"),
    "two documents": ("quotes", lambda d: d + d, "delivery-malformed", "Extra data: line 1"),
    "zip in place of gzip": ("quotes", zipped, "delivery-malformed", "a zip archive"),
    "gzip in gzip": ("quotes", lambda d: gzip.compress(gzip.compress(d)), "delivery-malformed",
                     "packed once more"),
    "a change renamed": ("ranks", put("CJ3_CHG", "CJ3CHANGE"), "delivery-schema",
                         "'CJ3CHANGE' instead of 'CJ3_CHG', as record 1"),
    "names of one list renamed": ("ranks", put("PARTICIPANTABBR2", "ABBR2"), "delivery-schema",
                                  "missing PARTICIPANTABBR2"),
    "UTF-16": ("ranks", lambda d: d.decode().encode("utf-16"), "delivery-encoding", "UTF-16"),
    "UTF-16 without a mark": ("ranks", lambda d: d.decode().encode("utf-16-le"),
                              "delivery-malformed", "NUL byte at byte 1"),
    "a margin renamed": ("settlement", put("SPEC_LONGMARGINRATIO", "SPEC_LONG_MARGIN_RATIO"),
                         "delivery-schema", "'SPEC_LONG_MARGIN_RATIO' instead of"),
    "a quantity renamed": ("stocks", put("WRTWGHTS", "WRTQTY"), "delivery-schema",
                           "missing WRTWGHTS"),
    "columns in another order": (
        "page", put("<th>期货</th><th>增减</th>", "<th>增减</th><th>期货</th>"), "delivery-schema",
        "column 3 headed '增减' instead of 期货",
    ),
    "an exported workbook": ("page", lambda d: EXPORTED, "delivery-malformed", "ends early"),
    "another page": ("page", lambda d: ERROR_PAGE, "delivery-schema", "no table with headings"),
    "semicolons": ("members", put(",", ";"), "delivery-schema", "separated by ';' instead of ','"),
    "tabs": ("members", put(",", "\t"), "delivery-schema", r"separated by '\t' instead of ','"),
    "a title above the header": ("members", lambda d: "持仓\n".encode() + d, "delivery-schema",
                                 "unexpected 持仓"),
    "a column renamed": ("members", put("long_oi", "longOI"), "delivery-schema",
                         "'longOI' instead of 'long_oi'"),
    "a column more": ("members", put("short_oi\n", "short_oi,note\n"), "delivery-schema",
                      "unexpected note"),
    "a total below": ("members", lambda d: d + b"Total: 1 row\n", "delivery-malformed",
                      "record 2 has 1 fields instead of 6"),
    "a table as a page": ("members", lambda d: EXPORTED, "delivery-schema", "a web page"),
    "a table as an error": ("members", lambda d: ERROR_PAGE, "delivery-schema", "a web page"),
    "semicolons without a header": ("ticks", put(",", ";"), "delivery-schema",
                                    "separated by ';' instead of ','"),
    "a field less": ("ticks", lambda d: d.strip().rsplit(b",", 1)[0] + b"\n", "delivery-schema",
                     "contract-2019: 7 fields instead of 8"),
    "dates with dashes": ("ticks", put("20190610", "2019-06-10"), "delivery-schema",
                          "contract-2019: a first record unlike"),
    "a tick size renamed": ("instruments", put("price_tick", "tick"), "delivery-schema",
                            "missing price_tick, as record 1"),
    "a fee renamed": ("fees", put("closetoday", "close_today"), "delivery-schema",
                      "'close_today' instead of 'closetoday', as object 1"),
    "hours renamed": ("hours", put("sections", "hours"), "delivery-schema",
                      "missing sections, as object 1"),
    "closes renamed": ("closes", put("close", "settle"), "delivery-schema", "missing close"),
    "dates renamed": ("closes", put("dates", "days"), "delivery-schema", "unexpected days"),
    "bzip2": ("ticks", bz2.compress, "delivery-malformed", "bzip2"),
    "xz": ("ticks", lzma.compress, "delivery-malformed", "xz"),
    "an old workbook": ("ticks", lambda d: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + d,
                        "delivery-malformed", "an old Excel file"),
}  # fmt: skip


def put_in(drop: Drop, name: str, data: bytes) -> None:
    """Leave a file in the inbox, in a folder of its own where its name has one."""
    path = drop.settings.inbox / "public" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("dataset", GOOD)
def test_the_files_land_as_they_are_known(tmp_path: Path, dataset: str) -> None:
    """What is harmed below lands when nobody harms it."""
    drop = Drop.at(tmp_path)
    put_in(drop, *GOOD[dataset])
    assert drop.only().status == "landed"


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_file_is_refused_with_its_difference(tmp_path: Path, kind: str) -> None:
    """The file, the place, the reason and the nearest generation are named; no row is stored."""
    dataset, change, code, said = STRANGE[kind]
    name, data = GOOD[dataset]
    drop = Drop.at(tmp_path)
    put_in(drop, name, change(data))
    found = drop.only()
    assert (found.status, found.error_code) == ("refused", code), found.message
    message = str(found.message)
    assert name.rsplit("/", 1)[-1] in message
    assert any(words in message for words in said.split("|")), message
    assert drop.bronze(found.dataset) == []


READ = {
    "quote_daily": quote_daily.FIELDS,
    "member_rank_daily": member_rank_daily.FIELDS,
    "warehouse_stock_daily": stocks.FIELDS,
    "settlement_param": ("INSTRUMENTID", *settlement_param.SETTLEMENT),
    "trade_argument": ("INSTRUMENTID", *settlement_param.ARGUMENT),
}


@pytest.mark.parametrize("dataset", READ)
def test_no_key_that_a_job_reads_can_be_lost(dataset: str) -> None:
    """Each generation says of every such key that its records have it, or that they lack it."""
    formats = [f for f in load_catalogue()[f"bronze.{dataset}"].formats if f.kind == "dat"]
    assert formats
    for form in formats:
        told = {*form.required_keys, *form.absent_keys}
        assert [key for key in READ[dataset] if key not in told] == [], form.name
