"""The standards every contract shares: field dictionary, code lists, audiences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from contracts.yaml_text import Reader, YamlPath, read_yaml

TYPE = re.compile(r"string|int|bigint|boolean|date|timestamp|decimal\((\d+),(\d+)\)")
SOURCE_CODES = "data_source"
"""Code list of the sources that authority.yaml ranks."""
_FIELD_KEYS = frozenset(
    {
        "type",
        "title",
        "title_zh",
        "description",
        "description_zh",
        "unit",
        "code_list",
        "classification",
        "critical",
        "mask",
        "sum",
    }
)


@dataclass(frozen=True)
class FieldDefinition:
    """The one meaning of a column name; ``type`` is a Spark SQL type."""

    name: str
    type: str
    title: str
    title_zh: str
    description: str
    description_zh: str = ""
    unit: str | None = None
    code_list: str | None = None
    classification: int = 1
    critical: bool = False
    mask: Literal["hash", "drop"] | None = None
    sum: bool = False


@dataclass(frozen=True)
class CodeValue:
    """One code with its English and Chinese meaning."""

    code: str
    title: str
    title_zh: str


@dataclass(frozen=True)
class CodeList:
    """The codes a column may hold, in the order they are shown."""

    name: str
    title: str
    title_zh: str
    values: tuple[CodeValue, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes alone."""
        return tuple(v.code for v in self.values)


@dataclass(frozen=True)
class Audience:
    """A named group of readers; ``clearance`` is the highest classification it sees in clear."""

    name: str
    clearance: int
    title: str
    title_zh: str
    description: str


@dataclass(frozen=True)
class Standards:
    """Everything under ``contracts/standards/``."""

    fields: Mapping[str, FieldDefinition] = field(default_factory=dict)
    code_lists: Mapping[str, CodeList] = field(default_factory=dict)
    audiences: Mapping[str, Audience] = field(default_factory=dict)
    nulls: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    authority: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> the sources that tell it, the most authoritative first."""

    def null_meaning(self, name: str, column: str) -> tuple[str, str]:
        """What an empty value of a column says, in English and Chinese; empty when not said."""
        return self.nulls.get(f"{name}.{column}") or self.nulls.get(column) or ("", "")

    def field(self, name: str, column: str) -> FieldDefinition | None:
        """Find a column's definition: ``<name>.<column>`` goes before ``<column>``."""
        return self.fields.get(f"{name}.{column}") or self.fields.get(column)


def valid_type(text: str) -> bool:
    """Say whether a column type is one the platform stores.

    >>> valid_type("decimal(18,4)"), valid_type("decimal(40,2)"), valid_type("double")
    (True, False, False)
    """
    match = TYPE.fullmatch(text)
    if match is None:
        return False
    precision, scale = match.groups()
    return precision is None or (0 < int(precision) <= 38 and int(scale) <= int(precision))


def load_standards(folder: Path) -> Standards:
    """Read fields.yaml, fields/*.yaml, codes.yaml, audiences.yaml, nulls.yaml, authority.yaml.

    A missing file is an empty standard; a field defined in two files is refused.
    """
    codes = _load(folder / "codes.yaml", _code_list)
    fields: dict[str, FieldDefinition] = {}
    for file in (folder / "fields.yaml", *sorted((folder / "fields").glob("*.yaml"))):
        _add_fields(file, fields, codes)
    return Standards(
        fields,
        codes,
        _load(folder / "audiences.yaml", _audience),
        _load(folder / "nulls.yaml", _null_meaning),
        _authority(folder / "authority.yaml", fields, codes),
    )


def _authority(
    file: Path, fields: Mapping[str, FieldDefinition], codes: Mapping[str, CodeList]
) -> dict[str, tuple[str, ...]]:
    """Columns with their sources in order; unknown columns and sources are refused."""
    reader = Reader(file)
    known = codes[SOURCE_CODES].codes if SOURCE_CODES in codes else ()
    ranked: dict[str, tuple[str, ...]] = {}
    for column, sources in (read_yaml(file) if file.exists() else {}).items():
        ranked[column] = reader.texts(sources, (column,))
        if column not in fields:
            raise reader.refuse((column,), f"unknown column {column!r}", "Name a field.")
        for source in ranked[column]:
            if source not in known:
                mend = f"Use the code list {SOURCE_CODES}: {', '.join(known)}."
                raise reader.refuse((column,), f"unknown source {source!r}", mend)
        if len(set(ranked[column])) != len(ranked[column]):
            raise reader.refuse((column,), "a source has two ranks", "Name each once.")
    return ranked


def _add_fields(
    file: Path, fields: dict[str, FieldDefinition], codes: Mapping[str, CodeList]
) -> None:
    reader = Reader(file)
    for name, definition in _load(file, _field).items():
        if name in fields:
            raise reader.refuse(
                (name,), f"{name} is defined in another file too", "Keep one of the definitions."
            )
        if definition.code_list is not None and definition.code_list not in codes:
            raise reader.refuse(
                (name, "code_list"),
                f"unknown code list {definition.code_list!r}",
                "Add the list to codes.yaml, or correct the name.",
            )
        fields[name] = definition


def _load(file: Path, build: Any) -> dict[str, Any]:
    if not file.exists():
        return {}
    reader = Reader(file)
    return {name: build(reader, name, body) for name, body in read_yaml(file).items()}


def classification(reader: Reader, value: Any, path: YamlPath) -> int:
    """Return a level 1 to 4 (JR/T 0158 style), written as a number or as text."""
    if str(value) not in {"1", "2", "3", "4"} or isinstance(value, bool):
        raise reader.refuse(path, f"classification {value!r}", 'Write "1", "2", "3" or "4".')
    return int(value)


def mask(reader: Reader, value: Any, path: YamlPath) -> Literal["hash", "drop"]:
    """Return how a column is masked above clearance."""
    if value not in ("hash", "drop"):
        raise reader.refuse(path, f"mask {value!r}", "Write hash or drop.")
    return cast(Literal["hash", "drop"], value)


def column_type(reader: Reader, value: Any, path: YamlPath) -> str:
    """Return a supported Spark SQL type, spelled the one way."""
    text = reader.text(value, path).lower().replace(" ", "")
    if not valid_type(text):
        raise reader.refuse(
            path,
            f"type {value!r} is not supported",
            "Use string, int, bigint, boolean, date, timestamp or decimal(p,s) with p <= 38; "
            "floats are not stored.",
        )
    return text


def _field(reader: Reader, name: str, body: Any) -> FieldDefinition:
    path: YamlPath = (name,)
    body = reader.only(body, path, _FIELD_KEYS)
    for key in ("type", "title", "title_zh", "description"):
        if key not in body:
            raise reader.refuse(path, f"{key} is missing", f"Add {key}: to the field.")

    def text(key: str) -> str | None:
        return reader.text(body[key], (*path, key)) if key in body else None

    return FieldDefinition(
        name=name,
        type=column_type(reader, body["type"], (*path, "type")),
        title=text("title") or "",
        title_zh=text("title_zh") or "",
        description=text("description") or "",
        description_zh=text("description_zh") or "",
        unit=text("unit"),
        code_list=text("code_list"),
        classification=classification(
            reader, body.get("classification", 1), (*path, "classification")
        ),
        critical=reader.flag(body.get("critical", False), (*path, "critical")),
        mask=mask(reader, body["mask"], (*path, "mask")) if "mask" in body else None,
        sum=reader.flag(body.get("sum", False), (*path, "sum")),
    )


def _code_list(reader: Reader, name: str, body: Any) -> CodeList:
    body = reader.only(body, (name,), frozenset({"title", "title_zh", "values"}))
    values = body.get("values")
    if not isinstance(values, dict) or not values:
        raise reader.refuse(
            (name, "values"), "must list the codes", "Write `values: {B: [Buy, 买]}`."
        )
    built = []
    for code, titles in values.items():
        path: YamlPath = (name, "values", str(code))
        pair = reader.texts(titles, path)
        if not isinstance(code, str) or len(pair) != 2:
            raise reader.refuse(
                path,
                "a code is a text with its English and Chinese title",
                'Write `"1": [Yes, 是]` (quote codes that look like numbers).',
            )
        built.append(CodeValue(code, pair[0], pair[1]))
    return CodeList(
        name,
        reader.text(body.get("title"), (name, "title")),
        reader.text(body.get("title_zh"), (name, "title_zh")),
        tuple(built),
    )


def _null_meaning(reader: Reader, name: str, body: Any) -> tuple[str, str]:
    pair = reader.texts(body, (name,))
    if len(pair) != 2:
        raise reader.refuse((name,), "not two texts", "Write `column: [English, 中文]`.")
    return pair[0], pair[1]


def _audience(reader: Reader, name: str, body: Any) -> Audience:
    allowed = frozenset({"clearance", "title", "title_zh", "description"})
    body = reader.only(body, (name,), allowed)
    return Audience(
        name,
        classification(reader, body.get("clearance"), (name, "clearance")),
        reader.text(body.get("title"), (name, "title")),
        reader.text(body.get("title_zh"), (name, "title_zh")),
        reader.text(body.get("description"), (name, "description")),
    )
