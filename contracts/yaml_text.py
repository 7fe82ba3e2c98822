"""Read one YAML file strictly: no duplicate keys, no surprising types.

Scalars follow YAML 1.2's core schema: ``16:30``, ``NO``, ``0012`` and dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import TerminalError

YamlPath = tuple[str | int, ...]


class ContractInvalidError(TerminalError):
    """Raised when a file under ``contracts/`` does not say what the platform can read.

    ``file``, ``path`` (into the YAML), ``line`` (from 1, None when unknown), ``problem`` and
    ``mend`` say where, what and how to put it right.
    """

    code = "contract-invalid"

    def __init__(
        self, file: str, path: YamlPath, problem: str, mend: str, line: int | None = None
    ) -> None:
        self.file, self.path, self.problem, self.mend, self.line = file, path, problem, mend, line
        at = f"{file}:{line}" if line else file
        super().__init__(f"{at} at {path_text(path)}: {problem}", next_step=mend)


def path_text(path: YamlPath) -> str:
    """Write a YAML path the way people do: ``schema[0].properties[3].name``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text or "the top"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The C loader with YAML 1.2 scalars and without duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} is written twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?", "-0123456789"),
    ("null", r"~|null|", ["~", "n", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML mapping; raise ContractInvalidError when it is none."""
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except FileNotFoundError:
        raise ContractInvalidError(
            str(file), (), "the file does not exist", "Check the name, or create the file."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ContractInvalidError(
            str(file),
            (),
            f"not readable as YAML: {getattr(error, 'problem', None) or error}",
            "Mend the YAML at that line (indent, quotes, a key written twice); use UTF-8.",
            mark.line + 1 if mark else None,
        ) from None
    if not isinstance(document, dict):
        raise ContractInvalidError(
            str(file), (), "the file must hold a mapping", "Write `key: value` lines at the top."
        )
    return document


def line_of(file: Path, path: YamlPath) -> int | None:
    """Return the line (from 1) of a YAML path, or of its nearest existing parent."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None
    line: int | None = None
    for part in path:
        found: Any = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, found = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            found = node.value[part] if part < len(node.value) else None
            line = found.start_mark.line + 1 if found is not None else line
        if found is None:
            break
        node = found
    return line


class Reader:
    """Takes typed values out of one YAML file and refuses what nobody reads.

    Every refusal is a ContractInvalidError that names file, path, line and mend.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def refuse(self, path: YamlPath, problem: str, mend: str) -> ContractInvalidError:
        """Build the error for a place in the file (the caller raises it)."""
        return ContractInvalidError(str(self.file), path, problem, mend, line_of(self.file, path))

    def only(self, value: Any, path: YamlPath, allowed: frozenset[str]) -> dict[str, Any]:
        """Return a mapping whose keys are all known."""
        if not isinstance(value, dict):
            raise self.refuse(path, "must be a mapping", "Write `key: value` pairs here.")
        for key in value:
            if key not in allowed:
                raise self.refuse(
                    (*path, str(key)),
                    f"unknown key {key!r}",
                    f"Remove it, or use one of: {', '.join(sorted(allowed))}.",
                )
        return value

    def text(self, value: Any, path: YamlPath) -> str:
        """Return a non-empty string."""
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(path, "must be a text that is not empty", "Write a text, in quotes.")
        return " ".join(value.split()) if "\n" in value else value.strip()

    def texts(self, value: Any, path: YamlPath) -> tuple[str, ...]:
        """Return a tuple of strings; a single string counts as one."""
        if isinstance(value, str):
            return (self.text(value, path),)
        return tuple(self.text(v, (*path, i)) for i, v in enumerate(self.items(value, path)))

    def items(self, value: Any, path: YamlPath) -> list[Any]:
        """Return a list."""
        if not isinstance(value, list):
            raise self.refuse(path, "must be a list", "Write `- item` lines, or `[a, b]`.")
        return value

    def flag(self, value: Any, path: YamlPath) -> bool:
        """Return a boolean."""
        if not isinstance(value, bool):
            raise self.refuse(path, f"must be true or false, is {value!r}", "Write true or false.")
        return value

    def day(self, value: Any, path: YamlPath) -> date:
        """Return a date (YAML reads an unquoted one as a date)."""
        if type(value) is date:
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            raise self.refuse(path, f"{value!r} is not a date", "Write YYYY-MM-DD.") from None

    def number(self, value: Any, path: YamlPath) -> int:
        """Return an integer."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(path, f"must be a whole number, is {value!r}", "Write an integer.")
        return value
