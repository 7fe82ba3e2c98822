"""The index of error pages, made from the error classes in the source.

``python -m exlake.error_index`` writes ``docs/errors/README.md``; a test holds it equal.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("contracts", "quality", "pipelines", "catalog", "exlake")
PAGES = ROOT / "docs" / "errors"
INDEX = PAGES / "README.md"
KINDS = {"TransientError": "transient", "TerminalError": "terminal", "ExlakeError": "terminal"}
ABSTRACT = frozenset({"exlake-error", "transient", "terminal", "delivery"})
"""Codes of the bases, which are never raised themselves."""


@dataclass(frozen=True)
class ErrorClass:
    """One error class: its code, whether a retry can help, its sentence and where it lives."""

    code: str
    kind: str
    name: str
    summary: str
    module: str


@cache
def error_classes(root: Path = ROOT) -> tuple[ErrorClass, ...]:
    """Every class with its own code, by code. Read from the source, nothing is imported."""
    bases: dict[str, list[str]] = {}
    found: list[tuple[str, ast.ClassDef, str]] = []
    for path, node in _classes(root):
        bases[node.name] = [_name(base) for base in node.bases]
        code = _code(node)
        if code is not None and code not in ABSTRACT:
            found.append((code, node, path.relative_to(root).as_posix()))
    return tuple(
        ErrorClass(code, _kind(node.name, bases), node.name, _summary(node), module)
        for code, node, module in sorted(found, key=lambda each: each[0])
    )


def index_text(errors: tuple[ErrorClass, ...]) -> str:
    """The page: one line per code."""
    lines = [
        "# Errors",
        "",
        "Every error the platform raises on purpose has a stable code and a page here. *Transient*",
        "ones are retried by Airflow with back-off; *terminal* ones fail at once, because a person",
        "has to change something. The command line prints the code, what happened and what to do",
        "next; its exit code is 4 for transient errors and 3 for terminal ones.",
        "",
        "| code | kind | what |",
        "|---|---|---|",
    ]
    lines += [f"| [{e.code}]({e.code}.md) | {e.kind} | {e.summary} |" for e in errors]
    return "\n".join(lines) + "\n"


def _classes(root: Path) -> Iterator[tuple[Path, ast.ClassDef]]:
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                    yield path, node


def _code(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        target: ast.expr
        if isinstance(statement, ast.AnnAssign):
            target = statement.target
        elif isinstance(statement, ast.Assign):
            target = statement.targets[0]
        else:
            continue
        value = statement.value
        if isinstance(target, ast.Name) and target.id == "code" and isinstance(value, ast.Constant):
            return str(value.value)
    return None


def _kind(name: str, bases: dict[str, list[str]]) -> str:
    if name in KINDS:
        return KINDS[name]
    return next((_kind(base, bases) for base in bases.get(name, [])), "terminal")


def _name(base: ast.expr) -> str:
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


def _summary(node: ast.ClassDef) -> str:
    text = " ".join((ast.get_docstring(node) or node.name).split("\n\n")[0].split())
    return text.replace("|", "\\|")


if __name__ == "__main__":
    INDEX.write_text(index_text(error_classes()), encoding="utf-8")
