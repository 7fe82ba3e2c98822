"""Published totals beside what the lake holds, without Spark."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from pipelines.external import quote_daily
from pipelines.external.ties import tables, ties
from tests.pipelines.sources.drops import Drop

QUOTE = dict.fromkeys(quote_daily.FIELDS, "") | {
    "PRODUCTID": "cu_f", "OPENINTEREST": 8, "OPENINTERESTCHG": -2,
}  # fmt: skip
del QUOTE["TURNOVER"], QUOTE["PRODUCTCLASS"]  # of later generations


def _document(day: str) -> bytes:
    rows = [
        {**QUOTE, "DELIVERYMONTH": "1403", "VOLUME": 12},
        {**QUOTE, "DELIVERYMONTH": "小计", "VOLUME": 12},
        {**QUOTE, "PRODUCTID": "总计", "DELIVERYMONTH": "", "VOLUME": 14},
    ]
    body = {"o_curinstrument": rows, "report_date": day, "o_code": 0}
    return json.dumps(body, ensure_ascii=False).encode()


def test_totals_tie_as_published(tmp_path: Path) -> None:
    """Two-sided totals equal twice what silver holds; one that differs is told, excerpts not."""
    drop = Drop.at(tmp_path)
    drop.put("kx20140106.dat", _document("20140106"), system="public")
    excerpt = tmp_path / "lake" / "inbox" / "public" / "excerpts" / "kx20160104.dat"
    excerpt.parent.mkdir()
    excerpt.write_bytes(_document("20160104"))
    drop.land()
    held = pa.table(
        {
            "trade_date": pa.array([date(2014, 1, 6)], pa.date32()),
            "commodity_id": ["cu"],
            "contract_id": ["cu1403"],
            "volume_lots": pa.array([6], pa.int64()),
            "open_interest_lots": pa.array([4], pa.int64()),
            "open_interest_change_lots": pa.array([-1], pa.int64()),
        }
    )
    write_deltalake(
        str(drop.settings.table("silver.quote_daily")), held, partition_by=["trade_date"]
    )
    found = {t.what: t for t in ties(drop.settings)}
    assert len(found) == 6
    assert {t.interval for t in found.values()} == {"2014-01-06"}
    assert found["小计 subtotals: volume"].holds
    assert found["总计 grand total: open interest"].holds
    broken = found["总计 grand total: volume"]
    assert (broken.holds, broken.published, broken.counted) == (False, 14, 12)
    text = "\n".join(tables(drop.settings))
    assert "| 2014-01-06 | 总计 grand total: volume | 1 | 0 | 14 | 12 |" in text
