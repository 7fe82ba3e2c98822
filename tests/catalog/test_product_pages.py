"""The pages: every product, both languages, nothing from outside, only what changed."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from catalog.pages.document import Catalog
from catalog.pages.gather import catalog_of
from catalog.pages.layout import TALL, WIDE
from catalog.pages.render import Written, render_all, write_pages
from contracts.catalogue import Catalogue, load_catalogue
from contracts.compile.duckdb import ddl
from pipelines.engine.discovery import discover
from pipelines.engine.graph import Graph, build_graph
from pipelines.engine.ledgers import DECISION, INTERVAL, RESULT, Ledgers
from pipelines.engine.rows import DecisionRow
from pipelines.engine.settings import Settings, load_settings
from quality.trend import Point, drawing
from tests.exlake.steward_desk import DAY, NOW, interval_row, plant, result

HOSTILE = "\"><script>alert(1)</script><img src=https://evil.example/x onerror=x()>' {{7*7}}"
Lake = tuple[Settings, Catalogue, Graph, Ledgers]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a blocked day, a waiver, and a mart that was published."""
    settings = load_settings({}, home=tmp_path_factory.mktemp("pages") / "lake")
    ledgers = plant(settings.home)
    waiver = DecisionRow(
        "w1", "waiver", "silver.trade", "Clearing corrects it tonight", "ana", NOW,
        interval=DAY, rule_id="trade.volume.settled", approved_by="bo", needs_approval=True,
    )  # fmt: skip
    later = [
        replace(result("trade.volume.settled", "failed", "critical"), interval=f"2026-01-{d:02}",
                decision_id="w1")
        for d in (6, 7)
    ]  # fmt: skip
    ledgers.append(
        (DECISION, [waiver]), (RESULT, later), (INTERVAL, [interval_row("gold.client_day")])
    )
    catalogue = load_catalogue()
    return settings, catalogue, build_graph(catalogue.contracts, discover()), ledgers


@pytest.fixture(scope="module")
def catalog(lake: Lake) -> Catalog:
    """What the pages of the lake show."""
    settings, catalogue, graph, _ = lake
    return catalog_of(settings, catalogue, graph, NOW)


class Page(HTMLParser):
    """A page's tags, links, ids and text; event handlers are refused."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs), attrs
        self.links += [str(v) for name, v in attrs if name in ("src", "href", "action", "srcset")]
        self.ids += [str(v) for name, v in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        """Note some text."""
        self.text += data


def test_every_product_has_a_page_that_says_it_all(catalog: Catalog) -> None:
    """Columns in both languages, codes, owner, rules with effect, decisions, lineage, intervals."""
    pages = render_all(catalog)
    assert len(pages) == len(catalog.products) + 2
    for page in catalog.products:
        text = Page(pages[f"{page.contract.product}.html"]).text
        assert page.contract.owner in text
        for line in page.columns:
            assert line.column.name in text
            assert line.column.title_zh in text
            assert line.column.title in text
    text = Page(pages["silver.trade.html"]).text
    for said in ("平昨", "Clearing corrects it tonight", "ana + bo", "拦截", "blocked",
                 "trade.volume.settled", "silver.settlement", "FROM silver.trade", "敏感",
                 "2026-01-07: 未通过 failed 1, 已豁免 waived 2"):  # fmt: skip
        assert said in text, said
    assert "secret" not in text, "no value of a row"


def test_links_lead_somewhere_and_nowhere_outside(catalog: Catalog) -> None:
    """Invariant 11: pages ask nothing of the network; each link is a page, a place, or the report.

    Without what is drawn, a page is below 200 KB.
    """
    pages = render_all(catalog)
    for name, text in pages.items():
        page = Page(text)
        assert "default-src 'none'" in text
        assert not re.findall(r"(?i)(?:https?:)?//[\w.]+|url\(|@import", text), name
        assert not set(page.tags) & {"iframe", "object", "embed", "form", "base"}
        for link in page.links:
            path, _, anchor = link.partition("#")
            if link in ("data:,", "../quality/index.html"):
                continue
            assert not path or path in pages, (name, link)
            assert not anchor or anchor in page.ids, (name, link)
        bare = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
        assert len(bare.encode()) < 200_000, name


def test_hostile_text_stays_text(lake: Lake) -> None:
    """Whatever a contract says is shown, never run: no tag, attribute or template comes of it."""
    settings, catalogue, graph, _ = lake
    trade = catalogue["silver.trade"]
    column = trade.columns[0].model_copy(update={"title": HOSTILE, "description_zh": HOSTILE})
    rule = trade.rules[0].model_copy(update={"description": HOSTILE, "sql": HOSTILE})
    bad = trade.model_copy(
        update={
            "title_zh": HOSTILE, "title": HOSTILE, "description": HOSTILE, "owner": HOSTILE,
            "synonyms": (HOSTILE,), "columns": (column, *trade.columns[1:]),
            "rules": (rule, *trade.rules[1:]),
        }
    )  # fmt: skip
    contracts = {**catalogue.contracts, "silver.trade": bad}
    spoiled = catalog_of(settings, replace(catalogue, contracts=contracts), graph, NOW)
    for name, text in render_all(spoiled).items():
        page = Page(text)
        assert "img" not in page.tags, name
        assert page.tags.count("script") == (1 if name == "index.html" else 0)
        assert not any("evil" in link for link in page.links)


def test_only_what_changed_is_written(lake: Lake, tmp_path: Path) -> None:
    """Again writes nothing; a new interval writes its product and the index; old pages go."""
    _, catalogue, graph, _ = lake
    settings = load_settings({}, home=tmp_path / "lake")
    ledgers = plant(settings.home)

    def written(contracts: Any = None, **how: Any) -> Written:
        made = replace(catalogue, contracts=contracts or catalogue.contracts)
        return write_pages(settings, made, graph, now=NOW, **how)

    assert written().written == len(catalogue.contracts) + 2
    assert written().written == 0
    ledgers.append((INTERVAL, [interval_row("silver.trade")]))
    folder = settings.reports / "catalog"
    before = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.html")}
    assert written().written == 2
    after = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.html")}
    assert {n for n in after if after[n] != before[n]} == {"silver.trade.html", "index.html"}
    (folder / "gold.client_day.html").unlink()
    assert written().written == 1, "a page that was lost comes back"
    (folder / ".pages.json").write_text("[")
    assert written().written == len(catalogue.contracts) + 2, "a damaged list costs time, no more"


def test_examples_run(catalog: Catalog) -> None:
    """Each SQL example runs in a database that has the published tables."""
    con = duckdb.connect()
    con.execute("CREATE SCHEMA silver; CREATE SCHEMA gold; CREATE SCHEMA _meta")
    con.execute("CREATE TABLE _meta.interval (product text, interval text, state text, "
                "partial boolean, waiting_on text)")  # fmt: skip
    ran = 0
    for page in catalog.products:
        if page.contract.audiences:
            con.execute(ddl(page.contract, page.contract.layer))
            assert page.examples, page.contract.product
        for _, _, sql in page.examples:
            con.execute(sql)
            ran += 1
    assert ran > 40


def test_drawings_are_in_order(catalog: Catalog) -> None:
    """Every way leads from left to right, and no box lies on another."""
    for page in catalog.products:
        at = {n.product: (n.x, n.y) for n in page.lineage.nodes}
        assert set(at) == {page.contract.product, *page.lineage.up, *page.lineage.down}
        for edge in page.lineage.edges:
            assert at[edge.source][0] + WIDE < at[edge.target][0], (page.contract.product, edge)
        boxes = sorted(at.values())
        for (x1, y1), (x2, y2) in pairwise(boxes):
            assert x1 != x2 or y2 - y1 >= TALL
    trade = next(p for p in catalog.products if p.contract.product == "silver.trade")
    assert "bronze.trade" in trade.lineage.up
    assert "gold.client_day" in trade.lineage.down


def test_coverage_names_what_follows_no_standard(lake: Lake) -> None:
    """A column that the field dictionary does not define is on the page of coverage."""
    settings, catalogue, graph, _ = lake
    fields = {k: v for k, v in catalogue.standards.fields.items() if k != "turnover"}
    poorer = replace(catalogue, standards=replace(catalogue.standards, fields=fields))
    found = catalog_of(settings, poorer, graph, NOW)
    free = {(line.product, c[0]) for line in found.coverage for c in line.free}
    assert ("silver.trade", "turnover") in free
    assert "turnover" in render_all(found)["standards.html"]


def test_a_trend_can_be_seen_and_read() -> None:
    """One failing row among a million is taller than a pass, and words say what the bars show."""
    svg = drawing([Point("2026-01-05", "passed"), Point("2026-01-06", "failed", 1),
                   Point("2026-01-07", "failed", 1_000_000)])  # fmt: skip
    heights = [int(h) for h in re.findall(r"v-(\d+)", svg)]
    assert heights[0] < heights[1] < heights[2]
    assert "2026-01-05 … 2026-01-07: 通过 passed 1, 未通过 failed 2" in svg
    assert str(drawing([])) == "–"
