"""What pages point to is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in headings)
    return {text.replace(" ", "-") for text in words}


def test_every_link_leads_somewhere() -> None:
    """No page sends its reader to a file or heading that does not exist."""
    lost = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if link.startswith("http"):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                lost.append(f"{page.relative_to(ROOT)}: {link}")
    assert lost == []


def test_every_invariant_names_tests_that_exist() -> None:
    """docs/architecture.md lists thirteen invariants, each with tests that are really there."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*)$", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 14))
    lost = []
    for number, row in rows:
        named = re.findall(r"\[`(test_\w+)`\]\(\.\./tests/([\w/]+\.py)\)", row)
        assert named, f"invariant {number} names no test"
        for name, file in named:
            found = ROOT / "tests" / file
            if not found.is_file() or f"def {name}(" not in found.read_text(encoding="utf-8"):
                lost.append(f"{number}: {file}::{name}")
    assert lost == []


def test_every_decision_is_in_the_index() -> None:
    """docs/adr/README.md lists every decision record."""
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [p.name for p in sorted(folder.glob("0*.md")) if f"({p.name})" not in index] == []
