"""Read the columns of one table from its ODCS properties and the field dictionary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts.model import Column, Reference
from contracts.standards import FieldDefinition, Standards, classification, column_type, mask
from contracts.yaml_text import Reader, YamlPath

_PROPERTY = frozenset(
    {
        "name",
        "logicalType",
        "physicalType",
        "businessName",
        "description",
        "required",
        "primaryKey",
        "primaryKeyPosition",
        "classification",
        "criticalDataElement",
        "relationships",
        "quality",
        "customProperties",
    }
)
_OURS = frozenset(
    {"titleZh", "descriptionZh", "unit", "codeList", "mask", "sum", "renamedFrom", "nullBefore"}
)
_MEANING = {
    "physicalType": "type", "businessName": "title", "description": "description",
    "titleZh": "title_zh", "descriptionZh": "description_zh", "unit": "unit",
    "codeList": "code_list", "sum": "sum",
}  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LOGICAL = {
    "string": "string", "int": "integer", "bigint": "integer", "boolean": "boolean",
    "date": "date", "timestamp": "timestamp",
}  # fmt: skip
_SHORT = re.compile(r"(?P<table>[a-z][a-z0-9_]*)\.(?P<column>[a-z][a-z0-9_]*)")
_FULL = re.compile(
    r"(?P<layer>bronze|silver|gold)/(?P<table>[a-z0-9_]+)\.yaml#"
    r"schema/[a-z0-9_]+/properties/(?P<column>[a-z0-9_]+)"
)


@dataclass(frozen=True)
class Columns:
    """The declared columns, the key in its order, and the references of single columns."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...]


def logical_type(type_: str) -> str:
    """Return the ODCS logical type of a Spark SQL type."""
    return _LOGICAL.get(type_, "number")


def read_columns(
    reader: Reader, properties: list[Any], layer: str, name: str, standards: Standards
) -> Columns:
    """Build the columns in order.

    A column in the field dictionary takes its meaning from there and may not contradict it. Bronze
    columns are strings, whatever the dictionary's type.
    """
    columns: list[Column] = []
    key: list[tuple[int, str]] = []
    references: list[Reference] = []
    for i, prop in enumerate(properties):
        path: YamlPath = ("schema", 0, "properties", i)
        prop = reader.only(prop, path, _PROPERTY)
        column = _column(reader, prop, path, layer, name, standards)
        if any(c.name == column.name for c in columns):
            raise reader.refuse(path, f"column {column.name} is written twice", "Remove one.")
        columns.append(column)
        if "primaryKeyPosition" in prop and not prop.get("primaryKey"):
            raise reader.refuse(path, "primaryKeyPosition without primaryKey", "Add it.")
        if reader.flag(prop.get("primaryKey", False), (*path, "primaryKey")):
            at = (*path, "primaryKeyPosition")
            key.append((reader.number(prop.get("primaryKeyPosition", i + 1), at), column.name))
        for j, relationship in enumerate(prop.get("relationships", [])):
            references.append(
                _reference(reader, column.name, relationship, (*path, "relationships", j))
            )
    if len({position for position, _ in key}) != len(key):
        raise reader.refuse(
            ("schema", 0, "properties"), "two key columns share a position", "Number all or none."
        )
    return Columns(tuple(columns), tuple(n for _, n in sorted(key)), tuple(references))


def _column(
    reader: Reader,
    prop: dict[str, Any],
    path: YamlPath,
    layer: str,
    table: str,
    standards: Standards,
) -> Column:
    name = prop.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise reader.refuse(
            (*path, "name"), f"column name {name!r}", "Lower case, digits and _, no leading _."
        )
    given: dict[str, Any] = {k: prop[k] for k in _MEANING if k in prop}
    for i, entry in enumerate(prop.get("customProperties", [])):
        at = (*path, "customProperties", i)
        entry = reader.only(entry, at, frozenset({"property", "value"}))
        if entry.get("property") not in _OURS:
            raise reader.refuse(
                at, f"unknown custom property {entry.get('property')!r}", ", ".join(sorted(_OURS))
            )
        given[entry["property"]] = entry.get("value")
    said_mask = given.pop("mask", None)
    renamed_from, null_before = _history(reader, given, path)
    definition = standards.field(table, name)
    if definition is not None:
        _refuse_drift(reader, given, definition, path, layer)
    else:
        definition = _own_definition(reader, given, path, name, layer)
    if "logicalType" in prop:
        wanted = "string" if layer == "bronze" else logical_type(definition.type)
        if prop["logicalType"] != wanted:
            raise reader.refuse((*path, "logicalType"), "contradicts the type", f"Write {wanted}.")
    level = definition.classification
    if "classification" in prop:
        level = classification(reader, prop["classification"], (*path, "classification"))
        if level < definition.classification:
            raise reader.refuse(
                (*path, "classification"),
                f"{name} is classified {definition.classification} in the field dictionary",
                "A contract may raise a level, never lower it.",
            )
    required = reader.flag(prop.get("required", False), (*path, "required"))
    if null_before is not None and (required or prop.get("primaryKey")):
        raise reader.refuse(path, f"{name} is required and null before a date", "Choose one.")
    null_means, null_means_zh = standards.null_meaning(table, name)
    return Column(
        name=name,
        type="string" if layer == "bronze" else definition.type,
        title=definition.title,
        title_zh=definition.title_zh,
        description=definition.description,
        description_zh=definition.description_zh,
        unit=definition.unit,
        classification=level,
        required=required or bool(prop.get("primaryKey", False)),
        critical=reader.flag(
            prop.get("criticalDataElement", definition.critical), (*path, "criticalDataElement")
        ),
        code_list=definition.code_list,
        mask=mask(reader, said_mask, path) if said_mask is not None else definition.mask,
        values_from="sum" if definition.sum else None,
        null_means=null_means,
        null_means_zh=null_means_zh,
        renamed_from=renamed_from,
        null_before=null_before,
    )


def _history(
    reader: Reader, given: dict[str, Any], path: YamlPath
) -> tuple[str | None, date | None]:
    """What a column says of its past: the name it had, and since when it is filled."""
    before, since = given.pop("renamedFrom", None), given.pop("nullBefore", None)
    if before is not None and not (isinstance(before, str) and _NAME.fullmatch(before)):
        raise reader.refuse(path, f"renamedFrom {before!r}", "Write the column's earlier name.")
    return before, None if since is None else reader.day(since, path)


def _refuse_drift(
    reader: Reader, given: dict[str, Any], definition: FieldDefinition, path: YamlPath, layer: str
) -> None:
    for key, value in given.items():
        wanted = getattr(definition, _MEANING[key])
        if layer == "bronze" and key == "physicalType":
            wanted = "string"
        if value != wanted:
            raise reader.refuse(
                (*path, key),
                f"{definition.name}: {key} {value!r} differs from the field dictionary "
                f"({wanted!r})",
                "Remove it (the dictionary says it), or give the column another name.",
            )


def _own_definition(
    reader: Reader, given: dict[str, Any], path: YamlPath, name: str, layer: str
) -> FieldDefinition:
    if layer == "bronze":
        given.setdefault("physicalType", "string")
        if given["physicalType"] != "string":
            raise reader.refuse((*path, "physicalType"), "bronze keeps text", "Write string.")
    for key in ("physicalType", "businessName", "titleZh", "description"):
        if key not in given:
            raise reader.refuse(
                path,
                f"{name} is not in the field dictionary and has no {key}",
                "Correct the name, add the field to contracts/standards/fields.yaml, or give "
                "physicalType, businessName, description and the custom property titleZh here.",
            )
    texts: dict[str, Any] = {
        _MEANING[k]: reader.text(given[k], (*path, k))
        for k in given
        if k not in {"physicalType", "sum"}
    }
    type_ = column_type(reader, given["physicalType"], (*path, "physicalType"))
    return FieldDefinition(
        name=name, type=type_, sum=reader.flag(given.get("sum", False), (*path, "sum")), **texts
    )


def _reference(reader: Reader, column: str, value: Any, path: YamlPath) -> Reference:
    value = reader.only(value, path, frozenset({"to", "type"}))
    to = value.get("to")
    match = (_SHORT.fullmatch(to) or _FULL.fullmatch(to)) if isinstance(to, str) else None
    if match is None:
        raise reader.refuse(
            (*path, "to"),
            f"not a reference: {to!r}",
            "Write `<silver table>.<column>`, or "
            "`<layer>/<table>.yaml#schema/<table>/properties/<column>`.",
        )
    layer = match.groupdict().get("layer") or "silver"
    return Reference(
        columns=(column,), to_product=f"{layer}.{match['table']}", to_columns=(match["column"],)
    )
