"""Render the pages and put in place those that changed.

A page is written anew when its values, the templates or this version of the code differ from
what it was made of; the list of what that was lies beside the pages.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.pages.document import Catalog
from catalog.pages.drawing import drawn
from catalog.pages.gather import catalog_of
from quality.report import TEMPLATES as REPORT_TEMPLATES
from quality.report import environment

if TYPE_CHECKING:
    from jinja2 import Environment

    from contracts.catalogue import Catalogue
    from pipelines.engine.graph import Graph
    from pipelines.engine.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
FOLDER = "catalog"
LIST = ".pages.json"


@dataclass(frozen=True)
class Written:
    """What a call did: pages written anew, and pages there are."""

    folder: Path
    written: int
    pages: int


def write_pages(
    settings: Settings,
    catalogue: Catalogue,
    graph: Graph,
    *,
    force: bool = False,
    now: datetime | None = None,
) -> Written:
    """Bring ``reports/catalog`` up to date with contracts and ledgers; no Spark is started."""
    folder = settings.reports / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    catalog = catalog_of(settings, catalogue, graph, now)
    before = {} if force else _made_of(folder)
    made: dict[str, str] = {}
    written = 0
    for name, (value, page) in _pages(catalog).items():
        made[name] = hashlib.sha256(f"{_version()}{value!r}".encode()).hexdigest()
        if before.get(name) != made[name] or not (folder / name).exists():
            _put(folder / name, page())
            written += 1
    for old in set(before) - set(made):
        (folder / old).unlink(missing_ok=True)
    if made != before:
        _put(folder / LIST, json.dumps(made, indent=0) + "\n")
    return Written(folder, written, len(made))


def render_all(catalog: Catalog) -> dict[str, str]:
    """Every page as text, by file name."""
    return {name: page() for name, (_, page) in _pages(catalog).items()}


def _pages(catalog: Catalog) -> dict[str, tuple[Any, Callable[[], str]]]:
    """File name -> what the page is made of, and how to make it."""

    def of(template: str, **values: Any) -> tuple[Any, Callable[[], str]]:
        return values, lambda: _environment().get_template(template).render(**values)

    pages = {
        f"{page.contract.product}.html": of("product.html.j2", page=page)
        for page in catalog.products
    }
    pages["index.html"] = of("catalog.html.j2", lines=catalog.index)
    pages["standards.html"] = of("standards.html.j2", lines=catalog.coverage, unused=catalog.unused)
    return pages


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = environment(TEMPLATES)
    made.filters["drawn"] = drawn
    script = (TEMPLATES / "search.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made.globals |= {"search_script": script, "search_hash": f"sha256-{digest}"}
    return made


@lru_cache(maxsize=1)
def _version() -> str:
    """Digest of templates and of the code that fills them."""
    files = [
        *TEMPLATES.iterdir(),
        *Path(__file__).parent.glob("*.py"),
        *(f for f in REPORT_TEMPLATES.iterdir() if f.name in ("base.html.j2", "style.css")),
        REPORT_TEMPLATES.parent / "trend.py",
    ]
    return hashlib.sha256(b"".join(f.read_bytes() for f in sorted(files))).hexdigest()


def _made_of(folder: Path) -> dict[str, str]:
    """What the pages there were made of; nothing when the list is lost or damaged."""
    try:
        found = json.loads((folder / LIST).read_text(encoding="utf-8"))
        return {str(k): str(v) for k, v in found.items() if Path(str(k)).name == str(k)}
    except (OSError, ValueError, AttributeError):
        return {}


def _put(path: Path, text: str) -> None:
    """Write beside, then rename over: a reader never sees half a page."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
