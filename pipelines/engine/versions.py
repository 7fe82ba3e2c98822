"""Versions of jobs: code that changed its meaning needs a new declared version.

Each job has a fingerprint over its function and every project function, class
and constant it uses, wherever it stands: syntax only, so that comments, doc
strings, annotations and formatting don't count and helpers do. They are kept
in ``pipelines/versions.json``; a test fails when code changed under an old
version.

    python -m pipelines.engine.versions                     # what differs
    python -m pipelines.engine.versions --write             # record raised versions
    python -m pipelines.engine.versions --write --same-meaning   # a change that changes no result
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from pipelines.engine.discovery import PIPELINES, SourceJob, declarations

RECORDED = PIPELINES / "versions.json"
ROOMS = ("contracts", "quality", "pipelines")
OUTSIDE = frozenset({"contracts.model", "contracts.errors", "pipelines.engine.job"})
"""Vocabulary: it declares and names, and changes no result."""

Kind = Literal["new", "gone", "code", "version"]


@dataclass(frozen=True)
class Version:
    """A job's declared version and the fingerprint of its code."""

    version: int
    fingerprint: str


@dataclass(frozen=True)
class Difference:
    """How a job differs from what was recorded; only ``code`` is forbidden."""

    product: str
    kind: Kind
    recorded: Version | None
    found: Version | None

    @property
    def sentence(self) -> str:
        """What happened and what to do."""
        match self.kind:
            case "code":
                version = self.found.version if self.found else 0
                return (
                    f"{self.product}: the code changed under version {version}. Raise the version "
                    "in its @job, or record it with --write --same-meaning when no result changes."
                )
            case "version":
                return f"{self.product}: a new version is not recorded yet. Run with --write."
            case "new":
                return f"{self.product}: a new job is not recorded yet. Run with --write."
        return f"{self.product}: the job is gone. Run with --write."


@dataclass
class Code:
    """The project's source below ``root``, parsed once per module and only when needed."""

    root: Path
    modules: dict[str, Module | None] = field(default_factory=dict)

    def module(self, dotted: str) -> Module | None:
        """The parsed module, None when it is not the project's (or vocabulary)."""
        if dotted not in self.modules:
            self.modules[dotted] = self._parse(dotted)
        return self.modules[dotted]

    def fingerprint(self, dotted: str, function: str) -> str:
        """Digest of a function's syntax and of everything of the project that it uses."""
        found: dict[str, str] = {}
        seen: set[tuple[str, str]] = set()
        todo = [(dotted, function)]
        while todo:
            place = todo.pop()
            module = self.module(place[0])
            if place in seen or module is None:
                continue
            seen.add(place)
            if place[1] not in module.definitions:
                todo += [module.imports[place[1]]] if place[1] in module.imports else []
                continue
            node = module.definitions[place[1]]
            found[".".join(place)] = dump(node)
            todo += self._used(module, node)
        # Where a function stands is not part of what it does.
        return hashlib.sha256(json.dumps(sorted(found.values())).encode()).hexdigest()[:16]

    def _parse(self, dotted: str) -> Module | None:
        if dotted.split(".")[0] not in ROOMS or dotted in OUTSIDE:
            return None
        base = self.root.joinpath(*dotted.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return Module(dotted, ast.parse(path.read_text(encoding="utf-8"), str(path)))
        return None

    def _used(self, module: Module, node: ast.AST) -> Iterator[tuple[str, str]]:
        """(module, name) of everything of the project that a definition mentions."""
        imports = {**module.imports, **_imports(node)}
        for part in _meaningful(node):
            if isinstance(part, ast.Name):
                if part.id in module.definitions:
                    yield (module.dotted, part.id)
                elif part.id in imports:
                    yield imports[part.id]
            elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                origin = imports.get(part.value.id)
                if origin is not None:  # `from pipelines.engine import conform; conform.cast(...)`
                    yield (".".join(filter(None, origin)), part.attr)


@dataclass
class Module:
    """One parsed module: its top-level definitions and what it imports."""

    dotted: str
    tree: ast.Module

    @cached_property
    def definitions(self) -> Mapping[str, ast.AST]:
        """Functions, classes and constants by name."""
        found: dict[str, ast.AST] = {}
        for node in self.tree.body:
            match node:
                case ast.FunctionDef() | ast.ClassDef():
                    found[node.name] = node
                case ast.Assign(targets=[ast.Name(id=name)]):
                    found[name] = node
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                    found[name] = node
        return found

    @cached_property
    def imports(self) -> Mapping[str, tuple[str, str]]:
        """Local name -> (module, name there; empty for the module itself)."""
        return dict(_imports(self.tree))


def _imports(tree: ast.AST) -> Mapping[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = (alias.name, "")
    return found


def dump(node: ast.AST) -> str:
    """A definition's syntax as text, the same for every supported Python version.

    Left out: positions, doc strings, annotations, decorators of functions named ``job``, and
    empty fields (Python versions differ in which they have).
    """
    body = [
        f"{name}={_dump_value(value)}"
        for name, value in _fields(node)
        if value is not None and value != []
    ]
    # An annotated constant means what the plain one means.
    kind = "Assign" if isinstance(node, ast.AnnAssign) else type(node).__name__
    return f"{kind}({','.join(body)})"


def _dump_value(value: object) -> str:
    if isinstance(value, ast.AST):
        return dump(value)
    if isinstance(value, list):
        return f"[{','.join(_dump_value(v) for v in value)}]"
    return repr(value)


_SILENT = frozenset({"annotation", "returns", "type_comment", "type_params", "kind", "ctx"})


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    if isinstance(node, ast.AnnAssign):
        yield from (("targets", [node.target]), ("value", node.value))
        return
    for name, value in ast.iter_fields(node):
        if name in _SILENT:
            continue
        if name == "body" and isinstance(value, list):
            yield name, [v for v in value if not _is_text(v)]
        elif name == "decorator_list":
            yield name, [d for d in value if not _declares(d)]
        else:
            yield name, value


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _declares(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "job"


def _meaningful(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below that ``dump`` looks at."""
    yield node
    for _, value in _fields(node):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                yield from _meaningful(part)


def found_versions(
    root: Path = PIPELINES.parent, jobs: Iterable[SourceJob] | None = None
) -> dict[str, Version]:
    """Declared version and code fingerprint of every job, by product."""
    code = Code(root)
    given = declarations(root / "pipelines") if jobs is None else jobs
    return {
        s.job.product: Version(s.job.version, code.fingerprint(s.job.module, s.job.function))
        for s in given
    }


def recorded_versions(path: Path = RECORDED) -> dict[str, Version]:
    """What ``--write`` recorded last; empty when nothing was."""
    if not path.is_file():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    return {p: Version(v["version"], v["fingerprint"]) for p, v in table.items()}


def differences(
    found: Mapping[str, Version], recorded: Mapping[str, Version]
) -> tuple[Difference, ...]:
    """What differs, by product."""
    differing = []
    for product in sorted({*found, *recorded}):
        now, old = found.get(product), recorded.get(product)
        if now == old:
            continue
        kind: Kind = "code"
        if old is None or now is None:
            kind = "new" if old is None else "gone"
        elif now.version != old.version:
            kind = "version"
        differing.append(Difference(product, kind, old, now))
    return tuple(differing)


def write_versions(found: Mapping[str, Version], path: Path = RECORDED) -> None:
    """Record what was found, sorted, one job per line."""
    lines = [
        f'  "{p}": {{"version": {v.version}, "fingerprint": "{v.fingerprint}"}}'
        for p, v in sorted(found.items())
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Show or record differences; 1 when code changed under an old version."""
    found = found_versions()
    differing = differences(found, recorded_versions())
    for difference in differing:
        print(difference.sentence)
    forbidden = [d for d in differing if d.kind == "code"]
    if "--write" in arguments and (not forbidden or "--same-meaning" in arguments):
        write_versions(found)
        print(f"recorded {len(found)} jobs")
        return 0
    return 1 if forbidden or ("--write" not in arguments and differing) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
