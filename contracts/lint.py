"""Every problem of the contracts at once: the official schema, the loader, our policy.

Three steps: each file on its own (schema, TODO marks, loading), each contract's policy, and what
only all contracts together can tell (references, reads, SQL).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.catalogue import HOME, Catalogue, contract_files
from contracts.finding import Finding, finding, from_error
from contracts.load import load_contract
from contracts.model import Contract
from contracts.odcs_schema import schema_problems
from contracts.policy import cross_policy, policy
from contracts.standards import load_standards
from contracts.yaml_text import ContractInvalidError, YamlPath, read_yaml


def lint(root: Path | None = None, *, schema: Path | None = None) -> tuple[Finding, ...]:
    """Check every contract and standard under ``root``; an empty tuple means all is well.

    ``root`` defaults to this package's folder, ``schema`` to the ODCS schema of the installed
    package. Contracts that cannot be loaded give one finding each and do not hide the others'.
    """
    root = root or HOME
    findings: list[Finding] = []
    for file in sorted((root / "standards").rglob("*.yaml")):
        findings += _todos(root, file)
    try:
        standards = load_standards(root / "standards")
    except ContractInvalidError as error:
        return (*findings, from_error(root, error))
    loaded: dict[str, Contract] = {}
    files: dict[str, Path] = {}
    for file in contract_files(root):
        findings += _file(root, file, schema)
        try:
            contract = load_contract(file, standards)
        except ContractInvalidError as error:
            findings.append(from_error(root, error))
            continue
        loaded[contract.product], files[contract.product] = contract, file
    catalogue = Catalogue(loaded, standards)
    for product, contract in loaded.items():
        place = Places(files[product])
        for check in (policy, cross_policy):
            findings += [
                finding(root, files[product], place.of(where), message, mend)
                for where, message, mend in check(contract, catalogue)
            ]
    return tuple(sorted(set(findings), key=lambda f: (f.file, f.line or 0, f.path, f.message)))


class Places:
    """Finds the YAML path of what a policy talks about: a key, ``column:x`` or ``rule:x``."""

    def __init__(self, file: Path) -> None:
        self.document = read_yaml(file)

    def of(self, where: str) -> YamlPath:
        """Return the path of ``where``, or the nearest that exists."""
        kind, _, name = where.partition(":")
        properties = self.document["schema"][0].get("properties", [])
        if kind == "column":
            return self._named(properties, name, ("schema", 0, "properties"))
        if kind == "rule":
            return self._rule(name, properties)
        if kind == "ours":
            ours = self.document.get("customProperties", [])
            for i, entry in enumerate(ours):
                if entry.get("property") == name:
                    return ("customProperties", i, "value")
            return ("customProperties",)
        return (where,)

    def _rule(self, rule_id: str, properties: list[dict[str, Any]]) -> YamlPath:
        table = self.document["schema"][0].get("quality", [])
        for entries, base, column in [
            (table, ("schema", 0, "quality"), None),
            *(
                (p.get("quality", []), ("schema", 0, "properties", i, "quality"), p["name"])
                for i, p in enumerate(properties)
            ),
        ]:
            for i, entry in enumerate(entries):
                body = entry.get("implementation", {})
                on = body.get("column", column)
                tail = f".{on}.{body.get('kind')}" if on else f".{body.get('kind')}"
                if entry.get("name", tail) in (rule_id, tail) and rule_id.endswith(
                    entry.get("name", tail)
                ):
                    return (*base, i)
        return ("schema", 0, "properties")

    def _named(self, entries: list[dict[str, Any]], name: str, base: YamlPath) -> YamlPath:
        for i, entry in enumerate(entries):
            if entry.get("name") == name:
                return (*base, i)
        return base


def _file(root: Path, file: Path, schema: Path | None) -> Iterator[Finding]:
    try:
        document = read_yaml(file)
    except ContractInvalidError:
        return  # loading reports it
    for path, message in schema_problems(document, schema):
        yield finding(root, file, path, f"ODCS: {message}", "Follow the ODCS v3.1.0 schema.")
    yield from _todos(root, file, document)


def _todos(root: Path, file: Path, document: Any = None) -> Iterator[Finding]:
    try:
        document = read_yaml(file) if document is None else document
    except ContractInvalidError:
        return
    for path, text in _texts(document, ()):
        if "TODO" in text:
            yield finding(root, file, path, "is undecided (TODO)", "Decide it and write it down.")


def _texts(value: Any, path: YamlPath) -> Iterator[tuple[YamlPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _texts(item, (*path, i))
