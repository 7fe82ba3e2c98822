"""The exchange's real files, where they are at hand: landed whole, told apart, added up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pipelines.sources.drops import Drop

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def data() -> Path:
    """The folder of real files; they are nobody's to copy into this repository."""
    shared = Path(os.environ.get("EXLAKE_SHARED", ROOT.parent / "shared"))
    if not (shared / "data").is_dir():
        pytest.skip("no real files: set EXLAKE_SHARED to the folder that holds data/")
    return shared / "data"


@pytest.mark.whole
def test_every_generation_is_recognised(tmp_path: Path, data: Path) -> None:
    """Each official file lands under its own generation; holidays have no rows."""
    drop = Drop.at(tmp_path)
    found = {d.file: d for d in drop.land(from_path=data)}
    told = {
        name: (found[name].format, found[name].interval, found[name].mode, found[name].rows)
        for name in (
            "shfe_transaction_20140106.dat", "shfe_position_20140106.dat", "kx20160104.dat",
            "kx20180326.dat", "kx20260915.dat", "pm20260915.dat", "20220601dailystock.dat",
            "ticks_20220218.csv.gz", "shfe_transaction_20140101.dat", "shfe_position_20150101.dat",
        ) if name in found
    }  # fmt: skip
    assert told == {
        "shfe_transaction_20140106.dat": ("kx-2014", "2014-01-06", "full", 152),
        "shfe_position_20140106.dat": ("pm-2014", "2014-01-06", "full", 561),
        "kx20160104.dat": ("kx-2016-excerpt", "2016-01-04", "part", 6),
        "kx20180326.dat": ("kx-2016-excerpt", "2018-03-26", "part", 5),
        "kx20260915.dat": ("kx-2026-excerpt", "2026-09-15", "part", 7),
        "pm20260915.dat": ("pm-2026-excerpt", "2026-09-15", "part", 6),
        "20220601dailystock.dat": ("dailystock-2022-excerpt", "2022-06-01", "part", 5),
        "ticks_20220218.csv.gz": ("ticks", "2022-02-18", "full", 199_657),
        "shfe_transaction_20140101.dat": ("kx-2014", "2014-01-01", "full", 0),
        "shfe_position_20150101.dat": ("pm-2014", "2015-01-01", "full", 0),
    }
    page = found["dailystock_20260915.html"]
    assert (page.format, page.mode, page.interval) == ("page-2026-excerpt", "part", "2026-09-15")
    refused = {name: d.error_code for name, d in found.items() if d.status == "refused"}
    assert refused == {"rb1801.csv": "delivery-date"}  # no date anywhere: a manifest has to say it
    assert {
        (d.interval, d.mode, d.rows) for d in found.values() if d.format == "contract-2019"
    } == {("2019-06-10", "part", 19_600), ("2019-06-10", "part", 26_943)}
    assert found["commodities.json"].encoding == "gb18030"
    assert sum(d.rows or 0 for d in found.values() if d.format == "headerless") == 18_456
    assert drop.land(from_path=data) == []
