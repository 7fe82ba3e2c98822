"""One Chromium for tests of pages, without a network: ``pytest.mark.browser``.

Import the fixture where it is used: ``from offline import offline_page``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@dataclass
class OfflinePage:
    """A page whose every request outside files is refused and remembered, errors too."""

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, file: Path) -> Page:
        """Open a file as somebody who double-clicks it."""
        self.page.goto(file.as_uri())
        return self.page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, headless; skipped where it or playwright is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def offline_page(chromium: Any) -> Iterator[OfflinePage]:
    """A fresh page; the test fails when the page asked for anything or its script broke."""
    context = chromium.new_context(offline=True, viewport={"width": 1200, "height": 900})
    found = OfflinePage(context.new_page())
    found.page.on("request", lambda r: r.url.startswith("file:") or found.asked.append(r.url))
    found.page.on("pageerror", lambda e: found.errors.append(str(e)))
    found.page.on("console", lambda m: m.type == "error" and found.errors.append(m.text))
    yield found
    context.close()
    # data: is the empty icon, which is in the page itself.
    assert [url for url in found.asked if not url.startswith("data:")] == []
    assert found.errors == []
