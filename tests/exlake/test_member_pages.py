"""The member pages: every number with its query, and a supervisor's task in a browser, offline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from member_world import DAY, in_duckdb, world

from catalog.charts import SCRIPT, chart_files
from catalog.members import evidence
from catalog.members.asking import Desk, UnknownMemberError
from catalog.members.pages import number, write_pages
from contracts.catalogue import load_catalogue
from contracts.tag_catalogue import load_tags
from pipelines.members.member_profile import HEADLINES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from playwright.sync_api import Page

ON = date.fromisoformat(DAY)
SHOWN = [f"{n:04d}" for n in range(1, 11)]
HOSTILE = "<script>alert(1)</script>'\"&期货"


@dataclass(frozen=True)
class MemoryDesk(Desk):
    """Asks a database in memory."""

    connection: Any = None

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Rows of one query."""
        found = self.connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(scope="module")
def desk() -> MemoryDesk:
    """Ten members whose tags are what their evidence queries give."""
    connection = in_duckdb({**world(), "previous gold.member_tag": []})
    tags, profiles = [], []
    for member in SHOWN:
        values = {}
        for tag in load_tags().tags:
            found = connection.execute(evidence.value_query(tag, member, ON)).fetchall()
            values[tag.id] = found[0][0] if found else None
            tags.append(
                {"trade_date": DAY, "member_id": member, "tag_id": tag.id, "unit": tag.unit,
                 "value": values[tag.id], "sample": 100, "size_class": "ALL", "peer_group": "FF",
                 "peers": 10, "evidence_id": tag.evidence_id, "trend_points": 1,
                 "percentile": Decimal(10 * SHOWN.index(member))}
            )  # fmt: skip
        name = HOSTILE if member == "0003" else f"会员{int(member)}期货"
        profiles.append(
            {"trade_date": DAY, "member_id": member, "short_name": name, "name_zh": name,
             "member_type": "FF", "size_class": "ALL", "risk_parts": 1, "compliance_parts": 0,
             "risk_score": Decimal("0.5"), "risk_margin_use_z": Decimal("0.5")}
            | {column: values[tag] for column, tag in HEADLINES.items()}
        )  # fmt: skip
    rows = {"gold.member_tag": tags, "gold.member_profile": profiles}
    whole = in_duckdb({**world(), "previous gold.member_tag": [], **rows})
    whole.execute("CREATE SCHEMA _meta")
    whole.execute(
        "CREATE TABLE _meta.interval AS SELECT 'gold.member_profile' AS product, "
        f"'{DAY}' AS interval, 'with_quarantine' AS state, true AS partial"
    )
    return MemoryDesk(None, load_catalogue(), "surveillance", whole)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pages(desk: MemoryDesk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder somebody opens."""
    folder = tmp_path_factory.mktemp("pages")
    for name, text in write_pages(desk, ON).items():
        (folder / name).write_text(text, encoding="utf-8")
    script = chart_files(Path(__file__).resolve().parents[2] / ".jars") or {SCRIPT: b""}
    for name, data in script.items():
        (folder / name).write_bytes(data)
    return folder


def runs(connection: DuckDBPyConnection, text: str) -> list[tuple[str, str]]:
    """(number beside a query on a page, what the query gives)."""
    found = re.findall(
        r"<h4>值 Value <span class=\"num\">([^<]*)</span></h4><div class=\"query\">(.*?)</div>",
        text, re.S,
    )  # fmt: skip
    answers = []
    for shown, sql in found:
        rows = connection.execute(unescape(sql)).fetchall()
        answers.append((shown, number(rows[0][0] if rows else None)))
    return answers


def test_each_number_on_a_page_is_what_the_query_beside_it_gives(
    desk: MemoryDesk, pages: Path
) -> None:
    """Promise: the queries as printed run as they are and give the printed numbers."""
    for member in ("0001", "0007"):
        told = runs(desk.connection, (pages / f"{member}.html").read_text(encoding="utf-8"))
        assert len(told) == len(load_tags().tags)
        assert all(shown == given for shown, given in told)


def test_pages_are_small_closed_and_honest(pages: Path) -> None:
    """Promise: no address outside, no hostile text alive, incompleteness said, sizes kept."""
    league = (pages / "index.html").read_text(encoding="utf-8")
    assert len(league.encode()) < 200_000 * len(SHOWN) / 60
    for file in pages.glob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "//" not in re.sub(r"<style>.*?</style>|// 2 \*|// \(2", "", text, flags=re.S)
        assert "<script>alert" not in text
        assert "with_quarantine" in text
        assert "部分到达" in text


def test_a_number_that_is_no_member_is_an_error(desk: MemoryDesk) -> None:
    """Promise: what is no member number never reaches SQL; a date without profiles says so."""
    with pytest.raises(UnknownMemberError):
        desk.profile("0001' OR true --", ON)
    with pytest.raises(UnknownMemberError):
        desk.league(date(2026, 1, 7))


@pytest.mark.browser
def test_sort_open_a_member_and_see_the_evidence(page: Page, desk: MemoryDesk, pages: Path) -> None:
    """Task: sort the league table by margin use, open the highest, follow its margin use to the
    query, copy it; the query gives the number that was clicked."""
    page.goto((pages / "index.html").as_uri())
    page.locator("th[data-name=margin_use]").click()
    rows = page.locator("#league tbody tr")
    column = page.locator("th[data-name=margin_use]").evaluate("th => th.cellIndex")
    used = [r.locator("td").nth(column).get_attribute("data-v") for r in rows.all()]
    numbers = [float(v) for v in used if v]
    assert numbers == sorted(numbers, reverse=True)
    rows.first.locator("a").first.click()
    if (pages / SCRIPT).stat().st_size:
        page.locator("#past canvas").wait_for()
    link = page.locator("tr[data-tag='risk.margin_use'] a").first
    shown = link.inner_text()
    link.click()
    place = page.locator("[id='e-risk.margin_use']")
    assert page.url.endswith("#e-risk.margin_use")
    place.locator("button.copy").first.click()
    assert place.locator("button[data-copied]").count() == 1
    sql = place.locator(".query").first.inner_text()
    assert number(desk.connection.execute(sql).fetchall()[0][0]) == shown
    assert Decimal(shown) == Decimal(str(numbers[0]))


def test_the_documentation_has_every_formula_and_its_queries_run(desk: MemoryDesk) -> None:
    """Promise: docs/members.md gives each tag's formula as the catalogue does, and what it tells
    analysts to ask can be asked."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "members.md").read_text("utf-8")
    plain = text.replace("\\|", "|")
    for family in load_tags().families:
        for tag in family.tags:
            assert f"| `{tag.id}` | {tag.name_en} {tag.name_zh} | " in plain
            assert str(tag.formula or tag.why) in plain, tag.id
    queries = re.findall(r"```sql\n(.*?)```", text, re.S)
    assert len(queries) >= 3
    for query in queries:
        assert desk.ask(query)
