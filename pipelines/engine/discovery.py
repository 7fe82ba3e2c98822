"""Finding jobs: every ``@job`` declaration below ``pipelines/<area>/``, read without importing.

Importing a job imports Spark, which ``plan`` and ``status`` must not. So a
declaration is written with literals (module-level constants may be named), and
is read from the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import TerminalError
from contracts.model import Read
from pipelines.engine import job as declare
from pipelines.engine.job import Job

PIPELINES = Path(__file__).resolve().parents[1]
NOT_AREAS = frozenset({"engine", "sources", "simulation"})
READS = {
    name: getattr(declare, name) for name in ("same", "previous", "as_of", "latest", "history")
}


class JobDeclarationError(TerminalError):
    """Raised when a ``@job`` declaration cannot be read, or a product has two."""

    code = "job-declaration"

    def __init__(self, what: str, where: str, product: str | None = None):
        self.where = where
        super().__init__(
            f"{where}: {what}.",
            next_step='write @job("layer.name", version=N, inputs=(same("..."),)) with literals.',
            product=product,
        )


@dataclass(frozen=True)
class SourceJob:
    """A declaration with its place in the source."""

    job: Job
    path: Path
    line: int


def discover(root: Path = PIPELINES, package: str = "pipelines") -> dict[str, Job]:
    """Every job below ``root`` by product; areas are its folders except the engine's own.

    Raises JobDeclarationError for a declaration that is not literal or given twice.
    """
    return {found.job.product: found.job for found in declarations(root, package)}


def declarations(root: Path = PIPELINES, package: str = "pipelines") -> tuple[SourceJob, ...]:
    """As ``discover``, with file and line, in order of area and module."""
    found: list[SourceJob] = []
    places: dict[str, str] = {}
    for path in _modules(root):
        text = path.read_text(encoding="utf-8")
        if "@job(" not in text:
            continue
        dotted = ".".join([package, *path.relative_to(root).with_suffix("").parts])
        for each in _in_module(ast.parse(text, str(path)), path, dotted):
            where = f"{path}:{each.line}"
            if each.job.product in places:
                first = places[each.job.product]
                raise JobDeclarationError(f"declared in {first} already", where, each.job.product)
            places[each.job.product] = where
            found.append(each)
    return tuple(found)


def _modules(root: Path) -> Iterator[Path]:
    for area in sorted(p for p in root.iterdir() if p.is_dir()):
        if area.name not in NOT_AREAS and not area.name.startswith(("_", ".")):
            yield from sorted(area.rglob("*.py"))


def _in_module(tree: ast.Module, path: Path, dotted: str) -> Iterator[SourceJob]:
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and _called(mark) == "job":
                where = f"{path}:{mark.lineno}"
                yield SourceJob(
                    _declared(mark, node.name, dotted, constants, where), path, node.lineno
                )


def _declared(
    call: ast.Call, function: str, dotted: str, constants: Mapping[str, ast.expr], where: str
) -> Job:
    names = ["product"][: len(call.args)]
    given = {
        **dict(zip(names, call.args, strict=False)),
        **{k.arg or "": k.value for k in call.keywords},
    }
    values = {name: _value(node, constants, where) for name, node in given.items()}
    if set(values) != {"product", "version", "inputs"} or len(call.args) > 1:
        raise JobDeclarationError("needs a product, version=, inputs= and nothing else", where)
    product, version, inputs = values["product"], values["version"], tuple(values["inputs"])
    if not isinstance(product, str) or product.count(".") != 1:
        raise JobDeclarationError(f"{product!r} is not named layer.name", where)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise JobDeclarationError("version must be a positive integer", where, product)
    if not all(isinstance(i, Read) for i in inputs):
        raise JobDeclarationError("inputs must be same(...), previous(...), ...", where, product)
    return Job(product=product, version=version, inputs=inputs, module=dotted, function=function)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _value(node: ast.expr, constants: Mapping[str, ast.expr], where: str) -> Any:
    """The value of a literal expression, of the read constructors and named constants."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Tuple() | ast.List():
            parts: list[Any] = []
            for item in node.elts:
                if isinstance(item, ast.Starred):
                    parts += _value(item.value, constants, where)
                else:
                    parts.append(_value(item, constants, where))
            return tuple(parts)
        case ast.Name() if node.id in constants:
            return _value(
                constants[node.id], {k: v for k, v in constants.items() if k != node.id}, where
            )
        case ast.BinOp(op=ast.Add()):
            return _value(node.left, constants, where) + _value(node.right, constants, where)
        case ast.Call() if _called(node) in READS:
            args = [_value(a, constants, where) for a in node.args]
            named = {str(k.arg): _value(k.value, constants, where) for k in node.keywords}
            try:
                return READS[_called(node)](*args, **named)
            except (TypeError, ValueError) as error:
                raise JobDeclarationError(f"{_called(node)}(...): {error}", where) from None
    raise JobDeclarationError(f"`{ast.unparse(node)}` is not a literal", where)
