"""Readers' commands: exports, changes and the log of who took what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.publish import publish
from pipelines.engine.settings import Settings
from tests.catalog.catalog_cases import NOW
from tests.exlake.steward_desk import DAY, plant, said


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty lake of the real contracts, published, with a few rows in quarantine."""
    from contracts.load import load_catalogue

    home = tmp_path / "lake"
    monkeypatch.setenv("EXLAKE_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    plant(home)
    publish(Settings(home=home), load_catalogue(), "analyst", now=NOW)
    return home


def test_quarantine_is_exported_as_it_is_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row, masked by classification unless asked in clear; both are logged as what they
    are."""

    def quarantine(file: str, *more: str) -> str:
        code, out, err = said(
            monkeypatch, capsys, "quarantine", "show", "silver.trade", "--to", file, *more
        )
        assert (code, "4 rows written" in out) == (0, True), err
        return Path(file).read_text(encoding="utf-8-sig")

    masked = quarantine("masked.csv")
    assert "'-1" in masked, "a delivered text is no formula"
    assert DAY in masked
    assert "secret" not in masked, "invariant 9: a client is classified 3"
    clear = quarantine("clear.csv", "--clear", "--interval", DAY)
    assert "secret" in clear
    assert len(clear.splitlines()) == len(masked.splitlines()) == 5
    _, out, _ = said(monkeypatch, capsys, "exports", "--json")
    rows = json.loads(out)
    assert [(r["query"], r["audience"]) for r in rows] == [
        (f"quarantine show silver.trade --interval {DAY} --clear", "stewards, in clear"),
        ("quarantine show silver.trade", "stewards, masked"),
    ]


def test_an_answer_is_exported_whole_and_refusals_say_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--to is not bound by --limit; an existing file, a bad ending and bad SQL are answered."""
    export = ("sql", "SELECT i FROM range(1500) t(i)", "--to")
    code, out, _ = said(monkeypatch, capsys, *export, "x.xlsx", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 1500)
    code, _, err = said(monkeypatch, capsys, *export, "x.xlsx")
    assert (code, "export-refused" in err, "--overwrite" in err) == (3, True, True)
    code, _, err = said(monkeypatch, capsys, "sql", "SELECT nope", "--to", "y.csv")
    assert (code, "query-refused" in err, Path("y.csv").exists()) == (3, True, False)


def test_changes_answer_before_anything_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing restated is an answer; a bad date is wrong usage."""
    code, out, _ = said(monkeypatch, capsys, "changes", "--since", "2026-01-01", "--json")
    assert (code, json.loads(out)) == (0, [])
    code, _, _ = said(monkeypatch, capsys, "changes", "--since", "yesterday")
    assert code == 2
