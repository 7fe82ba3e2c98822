"""`exlake explain`: one page in two languages, from the ledgers, without Java."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.engine.ledgers import INTERVAL
from tests.exlake.steward_desk import DAY, DELIVERY, interval_row, plant, said

FAULT = "gate fault: trade.high_low.settled could not be evaluated: no such column"


def test_a_page_says_what_since_when_who_waits_and_what_would_free_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both languages; a fault of the gate is nobody's to waive; no value of a row is shown."""
    monkeypatch.setenv("EXLAKE_HOME", str(tmp_path / "lake"))
    monkeypatch.setenv("JAVA_HOME", "/nonexistent")
    blocked = ("trade.volume.settled (critical): 20 of 31 fail", FAULT)
    ledgers = plant(tmp_path / "lake", reasons=blocked)
    held = interval_row("gold.client_day", state="held", waiting_on=f"silver.trade {DAY}")
    ledgers.append((INTERVAL, [held]))
    explain = ("explain", "silver.trade", "--interval", DAY)
    code, both, err = said(monkeypatch, capsys, *explain)
    assert code == 0, err
    for text in (
        "状态：被阻断，自 2026-01-05 17:30 +08:00", "State: blocked, since 2026-01-05 17:30 +08:00",
        "Whose turn: the operator", "闸门自身故障（不可豁免）", "gold.client_day 2026-01-05",
        "exlake waive trade.volume.settled --product silver.trade", f"{DELIVERY}:3",
    ):  # fmt: skip
        assert text in both, text
    assert "exlake waive trade.high_low.settled" not in both
    assert "exlake waive trade.client.known" not in both, "it blocks nothing"
    assert "secret" not in both
    code, out, _ = said(monkeypatch, capsys, *explain, "--json")
    facts = json.loads(out)
    assert (facts["turn"], facts["rows_total"]) == ("operator", 4)
    assert "analyst" in facts["audiences"]
    code, out, _ = said(monkeypatch, capsys, "explain", "gold.client_day", "--interval", DAY,
                        "--lang", "en")  # fmt: skip
    assert "first silver.trade 2026-01-05" in out
    code, _, err = said(monkeypatch, capsys, "explain", "silver.trade", "--interval", "2026-01-06")
    assert (code, "[nothing-recorded]" in err) == (3, True)


def test_a_trace_without_a_row_says_what_the_key_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped column is refused before anything is read."""
    monkeypatch.setenv("EXLAKE_HOME", str(tmp_path / "lake"))
    trace = ("trace", "silver.trade", "--interval", DAY, "--key")
    code, _, err = said(monkeypatch, capsys, *trace, "trade=1")
    assert (code, "[trace-key]" in err, "trade_id" in err) == (3, True, True)
    assert said(monkeypatch, capsys, *trace, "trade_id=1")[0] == 3
