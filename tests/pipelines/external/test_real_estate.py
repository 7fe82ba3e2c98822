"""The external estate of real files, where they are at hand: built, reconciled, asked."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from catalog.publish import publish
from catalog.query import run_query
from contracts.catalogue import load_catalogue
from pipelines.engine.run import open_lake, run
from pipelines.external.agreements import agreements
from pipelines.external.defects import found
from tests.pipelines.external.test_real_files import ROOT, data
from tests.pipelines.sources.drops import Drop

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.engine.settings import Settings

__all__ = ["data"]
pytestmark = [pytest.mark.full, pytest.mark.spark]
FOLDERS = (
    "shfe_official_full_20140106", "shfe_ine_official_excerpts", "shfe_ine_daily_20260129",
    "shfe_ine_daily_continuous", "shfe_ine_month_closes", "shfe_member_positions_2026",
    "shfe_settlement_params_202110", "ine_sc_research", "trading_calendar",
    "reference_ctp_20251226", "reference_contracts_2019", "reference_wondertrader_2022",
    "shfe_ine_ticks_20220218", "shfe_rb_ticks_2019", "shfe_rb_ticks_2017", "shfe_minute_bars",
)  # fmt: skip
BUILT = (
    "silver.calendar", "silver.commodity", "silver.contract", "silver.session",
    "silver.market_tick", "silver.bar_minute", "silver.member_rank_daily",
    "silver.quote_listing", "silver.quote_daily", "silver.quote_continuous",
    "silver.month_close", "silver.settlement_param", "silver.member_position_daily",
    "silver.member_total_daily", "silver.receipt_total_daily", "silver.basis_daily",
    "silver.warehouse_stock_daily", "gold.market_history", "gold.source_disagreement",
    "gold.term_structure_daily", "gold.member_share_daily",
)  # fmt: skip
PAGE = (ROOT / "docs" / "real-data.md").read_text(encoding="utf-8")
QUESTIONS = dict(re.findall(r"```sql\n-- name: (\w+)\n(.*?)```", PAGE, re.S))


@pytest.fixture(scope="module")
def estate(spark: SparkSession, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published lake of everything daily."""
    del spark  # the engine's session is this one
    home = tmp_path_factory.mktemp("estate")
    for folder in FOLDERS:
        shutil.copytree(data / folder, home / "files" / folder)
    drop = Drop.at(home)
    landed = drop.land(from_path=home / "files")
    assert [d.file for d in landed if d.status == "refused"] == ["rb1801.csv"]
    said = {"system": "public", "dataset": "market_tick", "mode": "part", "rows": 122}
    undated = home / "files" / "shfe_rb_ticks_2017" / "rb1801.csv"
    manifest = drop.put(undated.name, undated.read_bytes(), interval="2017-08-14", **said)
    sidecar = f"{undated.name}.manifest.json"
    manifest.with_name(sidecar).rename(undated.with_name(sidecar))
    manifest.unlink()
    assert [d.status for d in drop.land(from_path=home / "files")] == ["landed"]
    run(drop.settings, products=BUILT, lake=open_lake(drop.settings))
    publish(drop.settings, load_catalogue(), "analyst", now=datetime(2026, 11, 1, tzinfo=UTC))
    return drop.settings


def test_defects_are_found_as_often_as_stated(estate: Settings) -> None:
    """Every defect that was counted beforehand is counted by its rule, row for row.

    The ticks of 2017 land because a manifest dates them: on a day of its year that is nobody's.
    """
    told = found(estate)
    stated = [f for f in told if isinstance(f.defect.stated, int)]
    assert len(stated) > 35
    assert [(f.defect.what, f.count) for f in stated if f.count != f.defect.stated] == []
    counts = {f.defect.rule: f.count for f in told if f.defect.product.endswith("continuous")}
    assert (counts["settlement_price.given"], counts["volume.traded"]) == (5_961, 887)
    assert counts["trade_date.traded"] == 115


def test_independent_sources_agree(estate: Settings) -> None:
    """Receipts of 2022-06-01, settlements of 2021-10-15 and of 2026, closes by contract."""
    told = agreements(estate)
    equal = {f"{a.what.split(':')[0]} {a.first}": (a.compared, a.equal) for a in told}
    assert equal["registered receipts 2022-06-01"] == (1, 1)
    assert equal["settlement price 2021-10-15"] == (17, 17)
    compared, same = equal["settlement price 2026-06-15"]
    assert compared == same >= 76
    assert equal["contracts that go on 2021-10-15"] == (129, 129)
    assert equal["contracts that go on 2022-02-18"] == (88, 88)
    assert equal["multiplier and tick of a commodity 2025-12-26"] == (20, 20)
    cut = next(a for a in told if "cut to whole yuan" in a.what)
    assert cut.compared == cut.equal > 87


def test_the_three_questions_are_answered(estate: Settings) -> None:
    """SC's history, curve and receipts; the wrong open interest lost to the exchange's."""
    catalogue = load_catalogue()
    history = run_query(estate, catalogue, QUESTIONS["sc_history"])
    rows = {row[0]: row for row in history.rows}
    assert len(rows) > 2_000
    assert rows[date(2018, 3, 26)][5] == 1_557
    assert [str(day) for day, row in rows.items() if row[8]] == ["2020-01-02"]
    followed = [(day, row[6]) for day, row in rows.items() if row[6] is not None]
    assert len(followed) > 1_100
    assert all(a[1][-4:] <= b[1][-4:] for a, b in pairwise(followed)), "no step back"
    curve = run_query(estate, catalogue, QUESTIONS["sc_curve"])
    assert len(curve.rows) >= 12
    receipts = run_query(estate, catalogue, QUESTIONS["sc_receipts"])
    assert len(receipts.rows) == 1_743
    assert receipts.rows[0][1] == Decimal(801_000)
