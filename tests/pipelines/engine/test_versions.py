"""Versions: code that changed its meaning under an old version is found, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.versions import (
    Version,
    differences,
    found_versions,
    recorded_versions,
    write_versions,
)

JOB = '''
"""Module text."""
from __future__ import annotations
from pipelines.engine import conform
from pipelines.trading.turnover import turnover as value

FACTOR = 2
OTHER = 1

@job("silver.trade", version=1, inputs=(same("bronze.trade"),))
def trade(inputs: Inputs) -> DataFrame:
    """What it does."""
    rows = inputs.read("bronze.trade")  # a comment
    return value(conform.clean(rows), FACTOR)

def unused():
    return 1
'''
TURNOVER = """
def turnover(rows, factor):
    return _deep(rows) * factor
def _deep(rows):
    return rows
"""
CONFORM = """
from pipelines.engine.text import strip
class Cast:
    pass
def clean(rows):
    return strip(rows), Cast()
"""
TEXT = "def strip(rows):\n    return rows\n"
FILES = {
    "trading/trade.py": JOB,
    "trading/turnover.py": TURNOVER,
    "engine/conform.py": CONFORM,
    "engine/text.py": TEXT,
}


def _version(root: Path, **changes: tuple[str, str]) -> Version:
    for name, text in FILES.items():
        old, new = changes.get(Path(name).stem, ("", ""))
        assert old in text
        path = root / "pipelines" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(old, new) if old else text)
    return found_versions(root)["silver.trade"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("trade", "  # a comment", ""),
        ("trade", '    """What it does."""\n', ""),
        ("trade", "clean(rows), FACTOR)", "clean(\n        rows\n    ),\n    FACTOR,\n    )"),
        ("trade", "inputs: Inputs) -> DataFrame", "inputs)"),
        ("trade", "return 1", "return 2"),
        ("trade", "OTHER = 1", "OTHER = 3"),
        ("trade", "FACTOR = 2", "FACTOR: int = 2"),
    ],
)  # fmt: skip
def test_form_is_not_meaning(tmp_path: Path, file: str, old: str, new: str) -> None:
    """Comments, doc strings, annotations, formatting and unrelated code don't count."""
    assert _version(tmp_path) == _version(tmp_path, **{file: (old, new)})


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("trade", "FACTOR = 2", "FACTOR = 3"),
        ("trade", '"bronze.trade")  #', '"bronze.other")  #'),
        ("turnover", "* factor", "+ factor"),
        ("turnover", "    return rows", "    return rows + 1"),
        ("conform", "    pass", "    x = 1"),
        ("text", "return rows", "return rows.strip()"),
    ],
)
def test_helpers_count(tmp_path: Path, file: str, old: str, new: str) -> None:
    """A change of the function, its constants, or helpers in any module is a change."""
    assert _version(tmp_path) != _version(tmp_path, **{file: (old, new)})


def test_differences_say_what_to_do(tmp_path: Path) -> None:
    """Code under an old version is forbidden; new jobs and raised versions ask for a record."""
    old = {"a": Version(1, "x"), "b": Version(1, "x"), "c": Version(1, "x"), "d": Version(1, "x")}
    new = {"a": Version(1, "y"), "b": Version(2, "y"), "d": Version(1, "x"), "e": Version(1, "z")}
    kinds = {d.product: d.kind for d in differences(new, old)}
    assert kinds == {"a": "code", "b": "version", "c": "gone", "e": "new"}
    assert "Raise the version" in differences(new, old)[0].sentence
    write_versions(new, tmp_path / "versions.json")
    assert recorded_versions(tmp_path / "versions.json") == new


def test_every_job_has_its_recorded_version() -> None:
    """A code change without a new version fails here; see pipelines/engine/versions.py."""
    differing = differences(found_versions(), recorded_versions())
    assert not differing, "\n".join(d.sentence for d in differing)
