"""The compiled files that are committed, so that people can read and review them.

``quality/suites/<layer>/<name>.json`` for every product with row rules. A test fails when they
differ from what the contracts compile to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contracts.catalogue import HOME, Catalogue
from contracts.compile.suite import suite_json

SUITES = HOME.parent / "quality" / "suites"


def compiled_suites(catalogue: Catalogue) -> dict[str, str]:
    """Return the text of every suite by its path below ``quality/suites``."""
    return {
        f"{contract.layer}/{contract.name}.json": suite_json(contract, catalogue)
        for contract in catalogue.contracts.values()
        if any(r.is_row_rule for r in contract.rules)
    }


def drift(catalogue: Catalogue, folder: Path = SUITES) -> tuple[str, ...]:
    """Name the suites that are missing, changed or no longer wanted in ``folder``."""
    wanted = compiled_suites(catalogue)
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.json")}
    changed = (n for n, t in wanted.items() if n not in found or _text(found[n]) != t)
    return tuple(sorted({*changed, *(found.keys() - wanted.keys())}))


def write_suites(catalogue: Catalogue, folder: Path = SUITES) -> tuple[str, ...]:
    """Bring ``folder`` in line with the contracts; return the paths written or removed."""
    wanted = compiled_suites(catalogue)
    touched = drift(catalogue, folder)
    for name in touched:
        file = folder / name
        if name not in wanted:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(wanted[name], encoding="utf-8")
    return touched


def pages(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Yield a Markdown page per product: (``<layer>/<name>.md``, text)."""
    from contracts.compile.markdown import page

    for contract in catalogue.contracts.values():
        yield f"{contract.layer}/{contract.name}.md", page(contract, catalogue)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
