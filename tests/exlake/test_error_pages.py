"""Every error a user can meet is explained."""

from __future__ import annotations

import re
from collections import Counter

from exlake.error_index import INDEX, PAGES, error_classes, index_text


def test_every_code_has_its_page_and_only_one_class() -> None:
    """Each error class with a code has docs/errors/<code>.md, and no two classes share a code."""
    codes = [error.code for error in error_classes()]
    assert [code for code, n in Counter(codes).items() if n > 1] == []
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in codes)
    missing = [code for code in codes if not (PAGES / f"{code}.md").exists()]
    assert missing == [], f"write docs/errors/<code>.md for {missing}"


def test_no_page_outlives_its_error() -> None:
    """A page whose code nothing raises any more is removed."""
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert pages <= {error.code for error in error_classes()}


def test_the_index_lists_them_all() -> None:
    """docs/errors/README.md is up to date (python -m exlake.error_index writes it)."""
    assert INDEX.read_text(encoding="utf-8") == index_text(error_classes())


def test_a_page_says_what_happened_and_what_to_do() -> None:
    """Each page begins with what happened, has a part *What to do*, and is short."""
    for page in PAGES.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        if page.stem != "README":
            assert page.stem in text, page.name
            assert text.startswith("# "), page.name
            assert re.search(r"(?im)^(\*\*|#+ )what to do", text), page.name
            assert len(text.splitlines()) <= 40, page.name
