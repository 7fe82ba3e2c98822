"""A day's page and an alert's page in a browser that is offline: one task from end to end."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from exlake import surveil
from exlake.surveillance import dispositions, pages
from pipelines.engine.ledgers import ALERT, Ledgers
from pipelines.engine.rows import AlertRow
from pipelines.engine.settings import load_settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAY = date(2026, 1, 5)
EVIL = "<img src=x onerror=alert(1)>"
FIGURE = (
    "trade_date DATE, rule_id TEXT, subject_kind TEXT, subject_id TEXT, contract_id TEXT, "
    "figure BIGINT, figure_upper BIGINT, threshold BIGINT, threshold_share DECIMAL(18,4), "
    "result TEXT, exempt_hedging BIGINT, exempt_market_making BIGINT, exempt_fak BIGINT, "
    "exempt_fok BIGINT, exempt_reported BIGINT, missing_rows BIGINT, unplaced_rows BIGINT, "
    "message_fee DECIMAL(24,4), order_to_trade_ratio DECIMAL(18,4)"
)
IDS = {"c1": "A" + "1" * 20, "c2": "A" + "2" * 20}


def planted() -> duckdb.DuckDBPyConnection:
    """A published file in memory: two alerts of frequent cancels, one hostile name."""
    c = duckdb.connect()
    c.execute("CREATE SCHEMA gold; CREATE SCHEMA silver; CREATE SCHEMA _meta")
    c.execute("CREATE TABLE _meta.publication AS SELECT 'p1' AS publication_id")
    c.execute(
        "CREATE TABLE _meta.interval AS SELECT 'gold.surveillance_day' AS product, "
        "'2026-01-05' AS interval, 'published' AS state"
    )
    c.execute(f"CREATE TABLE gold.surveillance_day ({FIGURE})")
    c.execute(
        "CREATE TABLE gold.surveillance_exemption (trade_date DATE, rule_id TEXT, "
        "subject_kind TEXT, subject_id TEXT, contract_id TEXT, exemption TEXT, "
        "exempt_figure BIGINT)"
    )
    for who, n in (("c1", 501), ("c2", 600), (EVIL, 450)):
        result = "REACHED" if n >= 500 else "NEAR"
        c.execute(
            "INSERT INTO gold.surveillance_day VALUES (?, 'SHFE.frequent_cancel', 'CLIENT', ?, "
            "'cu2605', ?, ?, 500, ?, ?, 7, 0, 0, 0, 0, 2, 0, NULL, NULL)",
            [DAY, who, n, n, Decimal(n) / 500, result],
        )
    c.execute(
        "CREATE TABLE gold.surveillance_alert AS SELECT trade_date, CASE subject_id "
        f"WHEN 'c1' THEN '{IDS['c1']}' ELSE '{IDS['c2']}' END AS alert_id, rule_id, "
        "1 AS rule_version, 'ABNORMAL' AS nature, subject_kind, subject_id, contract_id, figure, "
        "threshold, missing_rows, 0 AS earlier_occurrences, 20 AS window_days, "
        "'phone call' AS next_measure, '电话' AS next_measure_zh, figure AS evidence_count, "
        "'why <b>' AS explanation_en, '说明' AS explanation_zh FROM gold.surveillance_day "
        "WHERE result = 'REACHED'"
    )
    c.execute(
        "CREATE TABLE silver.order_event AS SELECT DATE '2026-01-05' AS trade_date, "
        "s.n AS event_id, "
        "TIMESTAMP '2026-01-05 02:00:00' + to_seconds(s.n) AS event_time, 'SHFE' AS exchange, "
        "'cu2605' AS contract_id, who || '-' || s.n AS order_id, who AS client_id, 'B' AS side, "
        "'O' AS \"offset\", 'S' AS hedge_flag, 'LIMIT' AS order_type, 'CANCEL' AS event_type, "
        "(70000 + s.n % 50)::DECIMAL(18,4) AS price, 1 AS lots, NULL AS trade_id, "
        "'CLIENT' AS reason "
        "FROM (VALUES ('c1', 501), ('c2', 600)) w(who, count), range(600) s(n) WHERE s.n < count"
    )
    c.execute(
        "CREATE TABLE silver.trade AS SELECT DATE '2026-01-05' AS trade_date, "
        "'t' || n AS trade_id, "
        "TIMESTAMP '2026-01-05 02:00:00' + to_seconds(n * 5) AS trade_time, 'SHFE' AS exchange, "
        "'cu2605' AS contract_id, 'o' || n AS order_id, CASE WHEN n = 3 THEN 'c2' ELSE 'x' END "
        "AS client_id, 'B' AS side, 'O' AS \"offset\", 'S' AS hedge_flag, "
        "(70000 + n)::DECIMAL(18,4) AS price, 1 AS lots FROM range(60) r(n)"
    )
    return c


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pages of one date, written where reports live."""
    settings = load_settings({"EXLAKE_HOME": str(tmp_path / "lake")})
    ledgers = Ledgers(settings.ops, settings.locks)
    connection = planted()

    def ask(query: str) -> list[dict[str, Any]]:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    monkeypatch.setattr(surveil, "ask", ask)
    monkeypatch.setattr(surveil, "_ledgers", lambda: ledgers)
    now = datetime.fromisoformat("2026-01-05T10:00:00+00:00")
    said: dict[str, Any] = {
        "interval": str(DAY), "event": "raised", "rule_id": "SHFE.frequent_cancel",
        "rule_version": 1, "nature": "ABNORMAL", "subject_kind": "CLIENT", "subject_id": "c2",
        "contract_id": "cu2605", "threshold": 500, "evidence_count": 600, "next_measure": "call",
        "next_measure_zh": "电话", "explanation_en": "e", "explanation_zh": "说明", "at": now,
        "batch_id": "b",
    }  # fmt: skip
    ledgers.append((ALERT, [
        AlertRow(alert_id=IDS["c2"], figure=650, **said),
        AlertRow(alert_id=IDS["c2"], figure=600, **said | {
            "event": "changed", "because": ("delivery order_event-2",)}),
    ]))  # fmt: skip
    dispositions.dispose(
        ledgers, IDS["c2"], "phoned", reason=EVIL, person="ana", entered_by="ana", at=now, now=now
    )
    [page] = pages.write_pages(settings, [DAY])
    return page


def test_pages_are_private_and_hold_no_foreign_markup(site: Path) -> None:
    """Promise: nobody else can read them; whatever was delivered or typed is text, not markup; what
    a correction changed stays visible with its delivery."""
    for file in (site, site.with_name(f"{IDS['c2']}.html"), site.parent.parent / "index.html"):
        text = file.read_text(encoding="utf-8")
        assert file.stat().st_mode & 0o077 == 0
        assert "<img" not in text
        assert "http" not in text.replace("http-equiv", "")
    assert site.parent.stat().st_mode & 0o077 == 0
    day = site.read_text(encoding="utf-8")
    assert "delivery order_event-2" in day
    assert "已更正" in day


@pytest.mark.browser
def test_an_officer_sorts_the_day_opens_the_worst_and_finds_the_order(
    page: Page, site: Path
) -> None:
    """Promise: offline, from the day's page to the order behind its highest figure."""
    page.goto(site.as_uri())
    page.locator("#alerts th button").nth(5).click()
    first = page.locator("#alerts tbody tr").first
    assert "c2" in first.inner_text()
    first.locator("a").click()
    page.locator("input[data-of=orders]").fill("c2-599")
    assert page.locator("#orders tbody tr:visible").count() == 1
    assert "CANCEL" in page.locator("#orders tbody tr:visible").inner_text()
    assert page.locator("svg circle").count() > 100
    assert page.locator("#trades tbody tr").count() == 1
    assert "电话" in page.locator("#measure").inner_text()
    assert EVIL in page.locator("body").inner_text()
