"""The news pages as their readers use them: a task on each, offline, in Chromium."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from news_cases import BEFORE, DAY, DAYS, STRIKE, article
from test_news import CALENDAR, HOSTILE, asking, published

from exlake.news.brief import make_brief
from exlake.news.page import brief_page, report_page
from exlake.news.report import make_report
from pipelines.sentiment.day import Article

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A brief and a report over small days, one hostile article among them."""
    hostile = Article("N90", DAY, datetime(2026, 1, 6, 5, tzinfo=UTC), f"源{HOSTILE}",
                      f"铜矿停产{HOSTILE}", "正文。", 5_000)  # fmt: skip
    told = [*DAYS, hostile, article(9, "铜冶炼厂减产", "丁", reach=70_000)]
    earlier = [article(20 + n, STRIKE, s, day=BEFORE, reach=7) for n, s in enumerate("甲丙")]
    folder = tmp_path_factory.mktemp("pages")
    with published([*earlier, *told], {BEFORE: ("with_quarantine", False, 2)}) as database:
        asked = asking(database)
        brief = folder / "brief.html"
        brief.write_text(brief_page(make_brief(DAY, asked, CALENDAR, "analyst")), "utf-8")
        report = folder / "report.html"
        made = make_report("铜", BEFORE, DAY, asked, CALENDAR, "analyst")
        report.write_text(report_page(made), "utf-8")
    return brief, report


def test_from_a_sentence_to_its_articles_by_reach(page: Page, pages: tuple[Path, Path]) -> None:
    """Task: open the brief, follow what is said of copper to its articles, sort them by reach,
    read off the one that reached most, and go on to its story."""
    page.goto(pages[0].as_uri())
    sentence = page.locator("#p-bullish li", has_text="铜（cu）")
    sentence.locator("[data-key=sentences]").click()
    shown = page.locator("#article-table tbody tr:visible")
    assert shown.count() == 6, "six headlines name copper; aluminium's is hidden"
    assert page.locator("#filtered").is_visible()
    page.locator("#article-table th", has_text="reach").click()
    reach = [int(t.replace(",", "")) for t in shown.locator("td:nth-child(4)").all_inner_texts()]
    assert reach == sorted(reach, reverse=True)
    assert "铜冶炼厂减产" in shown.first.inner_text()
    shown.first.locator("[data-key=story]").click()
    assert page.url.endswith("#c-N9")
    assert page.locator("#c-N9").is_visible()
    page.locator("#filtered button").click()
    assert shown.count() == 7


def test_from_a_figure_of_a_day_to_its_articles(page: Page, pages: tuple[Path, Path]) -> None:
    """Task: in the report, see that a date is not whole, and open the articles of its figure."""
    page.goto(pages[1].as_uri())
    row = page.locator("#days tbody tr", has_text=str(BEFORE))
    assert "quarantine" in row.inner_text()
    assert page.locator("svg.chart").count() == 3
    row.locator("a").first.click()
    shown = page.locator("#article-table tbody tr:visible")
    assert shown.count() == 2
    assert all(STRIKE in text for text in shown.all_inner_texts())
    page.locator("#filtered button").click()
    assert "onerror" in page.locator("#article-table").inner_text(), "a hostile title is text"
    assert page.locator("img").count() == 0
    page.set_viewport_size({"width": 420, "height": 800})
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "wide tables scroll by themselves"
