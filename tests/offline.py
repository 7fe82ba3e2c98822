"""A real Chromium with nothing to reach but files, and axe-core to judge what it shows.

``tests/conftest.py`` makes the fixtures known to every test; such tests are marked ``browser``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, with a fresh profile."""
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page; the test fails when anything but a file is asked for, or a script fails."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    opened = context.new_page()
    asked: list[str] = []
    broken: list[str] = []

    def only_files(route: Route) -> None:
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    context.route("**/*", only_files)
    opened.on("pageerror", lambda error: broken.append(str(error)))
    opened.on("console", lambda said: broken.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()
    assert asked == []
    assert broken == []


@pytest.fixture(scope="session")
def faults() -> Callable[[Page], list[str]]:
    """What axe-core calls serious or critical on a page, in light and in dark."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page: Page) -> list[str]:
        told = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for v in Axe().run(page).response["violations"]:
                if v["impact"] in ("serious", "critical"):
                    node = v["nodes"][0]
                    told.append(f"{scheme}: {v['id']} x{len(v['nodes'])}: {node['html'][:200]}")
        page.emulate_media(color_scheme="light")
        return told

    return found
