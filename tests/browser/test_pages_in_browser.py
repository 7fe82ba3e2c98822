"""The pages as a person uses them: search, open, follow, with keyboard and without faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from catalog.trends import trends
from exlake.lake import open_lake
from exlake.reporting import refresh_pages
from exlake.steward.board import board_of
from pipelines.engine.ledgers import INTERVAL, RESULT
from quality.outcome import RuleResult, Verdict
from quality.report import MASK, Held, Refusal, ReportDocument, RunInfo, Sample, render
from tests.exlake.steward_desk import DAY, NOW, interval_row, plant

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from pipelines.engine.lake import Lake

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of a lake with a blocked day, and the report of a run with everything in it."""
    home = tmp_path_factory.mktemp("browser") / "lake"
    ledgers = plant(home)
    ledgers.append((INTERVAL, [
        interval_row("gold.client_day", state="held", waiting_on=f"silver.trade {DAY}"),
        interval_row("silver.login", state="quarantine"),
    ]))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXLAKE_HOME", str(home))
        refresh_pages(open_lake())
        pages = render(document(open_lake()))
    folder = home / "reports"
    (folder / "quality" / "runs").mkdir()
    (folder / "quality" / "runs" / "r1.html").write_text(pages["runs/r1.html"], encoding="utf-8")
    return folder


def document(lake: Lake) -> ReportDocument:
    """The report of the run that blocked the day, from what it left in the ledgers."""
    rows = lake.ledgers.read(RESULT)
    names = {f.name for f in fields(RuleResult)}
    results = tuple(RuleResult(**{k: v for k, v in vars(r).items() if k in names}) for r in rows)
    reasons = ("trade.volume.settled (critical): 20 of 31 fail",)
    values = (("trade_id", "t3"), ("client_id", MASK), ("price", "∅"))
    return ReportDocument(
        RunInfo("r1", NOW, NOW + timedelta(seconds=9), "run"),
        {"silver.trade": lake.catalogue["silver.trade"]},
        (Verdict("silver.trade", DAY, "block", 100, 96, 4, results, reasons),),
        samples=(Sample("silver.trade", DAY, ("trade.price.range",), values, "d", "f.csv", 3),),
        held=(Held("gold.client_day", DAY, f"silver.trade {DAY}", "silver.trade is blocked"),),
        refusals=(Refusal("login.csv", "login", DAY, "delivery-checksum", "differs", "again"),),
        trends={
            (p, r): t for p, of in trends(lake.ledgers).items() for r, t in of.items()
        },
        board=board_of(lake),
    )  # fmt: skip


def test_a_synonym_leads_to_the_product_and_on_along_its_lineage(
    page: Page, reports: Path, faults: Callable[[Page], list[str]]
) -> None:
    """A Chinese synonym finds the table; Enter opens it; a box of the drawing opens the next."""
    page.goto((reports / "catalog" / "index.html").as_uri())
    assert faults(page) == []
    page.keyboard.press("/")
    page.keyboard.type("成交明细")
    first = page.locator("#products tr:not([hidden])").first
    assert "silver.trade" in first.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/silver.trade.html")
    assert page.get_by_text("拦截").first.is_visible()
    assert faults(page) == []
    box = page.locator("svg.lineage a[href='gold.client_day.html']")
    box.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/gold.client_day.html")
    assert page.locator("h1").inner_text().startswith("客户日行为")
    assert faults(page) == []
    page.get_by_role("link", name="Catalogue").click()
    page.locator("#q").fill("ｃｌｉｅｎｔ 撤单")  # full-width, as an input method writes
    found = page.locator("#products tr:not([hidden])")
    assert "gold.client_day" in found.first.inner_text()
    assert page.locator("#found").inner_text().startswith(str(found.count()))
    page.locator("#q").fill("没有这样的表")
    assert found.count() == 0


def test_the_first_screen_answers_in_ten_seconds(
    page: Page, reports: Path, faults: Callable[[Page], list[str]]
) -> None:
    """Without scrolling: what is blocked, who waits, whose turn it is, since when; no faults."""
    page.goto((reports / "quality" / "index.html").as_uri())
    row = page.locator(".troubles tbody tr").first
    wanted = (
        "拦截", "silver.trade 2026-01-05", "2026-01-05 17:30", "数据管家", "trading-steward",
        "gold.client_day 2026-01-05", "analyst", "exlake explain silver.trade",
    )  # fmt: skip
    for said in wanted:
        assert said in row.inner_text(), said
    box = row.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 800, "on the first screen"
    assert faults(page) == []
    page.get_by_text("有被隔离的行待查看").click()
    assert page.get_by_text("silver.login").is_visible()


@pytest.mark.parametrize("name", ["quality/runs/r1.html", "catalog/standards.html"])
def test_other_pages_have_no_faults(
    page: Page, reports: Path, faults: Callable[[Page], list[str]], name: str
) -> None:
    """A run's report and the coverage of standards: read, seen in dark, printed."""
    page.goto((reports / name).as_uri())
    assert faults(page) == []
    assert page.pdf()[:4] == b"%PDF"
    wide = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert wide, "nothing is wider than the window"
