"""Read one ODCS ``quality`` entry as a Rule.

The rule's id is the entry's ``name`` (ODCS allows no dots in ``id``).
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from pydantic import ValidationError

from contracts.model import Dimension, How, Read, Rule, RuleKind, Severity
from contracts.yaml_text import Reader, YamlPath

ENTRY_KEYS = frozenset(
    {"name", "description", "dimension", "severity", "type", "engine", "implementation"}
)
RULE_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_READ = re.compile(
    r"(?P<how>[a-z_]+)(?:\((?P<n>\d+)\))? (?P<product>(?:bronze|silver|gold)\.[a-z0-9_]+)"
    r"(?P<optional> optional)?"
)
_SHARED = frozenset({"kind", "description_zh", "tolerance", "scope", "unit", "effective_from"})
_OWN: dict[str, frozenset[str]] = {
    "not_null": frozenset({"column"}),
    "unique": frozenset({"columns"}),
    "range": frozenset({"column", "min", "max", "exclusive_min", "exclusive_max"}),
    "codes": frozenset({"column", "code_list", "values"}),
    "matches": frozenset({"column", "pattern"}),
    "parsed": frozenset(),
    "expression": frozenset({"sql", "columns"}),
    "reference": frozenset({"column", "columns", "to", "to_columns", "reads"}),
    "rows": frozenset({"sql", "reads", "columns"}),
    "row_count": frozenset(),
    "reconcile": frozenset({"sql", "reads", "tolerance_abs", "columns"}),
    "freshness": frozenset(),
}
_AS_TEXT = ("min", "max", "tolerance_abs")
_AS_IS = ("exclusive_min", "exclusive_max", "code_list", "pattern", "sql", "scope", "tolerance")
_NEEDS: dict[str, tuple[str, ...]] = {
    "not_null": ("column",), "codes": ("column",), "matches": ("column", "pattern"),
    "range": ("column",), "expression": ("sql",), "rows": ("sql",), "reconcile": ("sql",),
    "reference": ("to",),
}  # fmt: skip
DIMENSIONS: dict[str, Dimension] = {
    "not_null": "completeness", "row_count": "completeness", "unique": "uniqueness",
    "range": "validity", "codes": "validity", "matches": "validity", "parsed": "validity",
    "expression": "consistency", "reference": "consistency", "rows": "consistency",
    "reconcile": "accuracy", "freshness": "timeliness",
}  # fmt: skip
ODCS_DIMENSIONS: dict[str, Dimension] = {
    "accuracy": "accuracy", "completeness": "completeness", "conformity": "validity",
    "consistency": "consistency", "coverage": "completeness", "timeliness": "timeliness",
    "uniqueness": "uniqueness",
}  # fmt: skip


def read_rule(
    reader: Reader,
    entry: Any,
    path: YamlPath,
    *,
    name: str,
    key: tuple[str, ...],
    unit: tuple[str, ...],
    column: str | None = None,
) -> Rule:
    """Build the Rule of one entry.

    ``name``: the product's name after the dot; ``key``, ``unit``: the contract's, as defaults;
    ``column``: the column an entry written below a property belongs to.
    """
    entry = reader.only(entry, path, ENTRY_KEYS)
    if entry.get("type") != "custom" or entry.get("engine") != "exlake":
        raise reader.refuse(
            path, "a rule must be of our engine", "Write `type: custom, engine: exlake`."
        )
    at = (*path, "implementation")
    kind, body = _body(reader, entry.get("implementation"), at, column)
    columns = _columns(reader, body, at, kind, key)
    fields: dict[str, Any] = {
        "id": _rule_id(reader, entry, path, name, kind, columns),
        "kind": kind,
        "columns": columns,
        "unit": reader.texts(body["unit"], (*at, "unit")) if "unit" in body else unit,
        **_meaning(reader, entry, path, kind, columns, body),
        **_arguments(reader, body, at),
    }
    if kind == "reference":
        fields |= _target(reader, body, at, columns, fields["reads"])
    _check_numbers(reader, fields, at)
    try:
        return Rule(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise reader.refuse(
            (*at, *(str(p) for p in first["loc"])), first["msg"], "Correct the value."
        ) from None


def _body(reader: Reader, raw: Any, at: YamlPath, column: str | None) -> tuple[str, dict[str, Any]]:
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if kind not in _OWN:
        raise reader.refuse(
            (*at, "kind"), f"unknown rule kind {kind!r}", f"Use one of: {', '.join(_OWN)}."
        )
    body = reader.only(raw, at, _OWN[kind] | _SHARED)
    if column is not None and "column" in _OWN[kind]:
        body = {"column": column, **body}
    for needed in _NEEDS.get(kind, ()):
        if needed not in body:
            raise reader.refuse(at, f"{kind} needs {needed}", f"Add `{needed}:`.")
    if kind == "range" and "min" not in body and "max" not in body:
        raise reader.refuse(at, "range needs a bound", "Add `min:` or `max:`.")
    return kind, body


def _meaning(
    reader: Reader,
    entry: dict[str, Any],
    path: YamlPath,
    kind: str,
    columns: tuple[str, ...],
    body: dict[str, Any],
) -> dict[str, Any]:
    described = entry.get("description")
    if described is None and kind in {"expression", "rows", "reconcile"}:
        raise reader.refuse(path, f"a rule of kind {kind} needs a description", "Say what it asks.")
    ours = ODCS_DIMENSIONS.get(entry["dimension"]) if "dimension" in entry else DIMENSIONS[kind]
    if ours is None:
        raise reader.refuse(
            (*path, "dimension"),
            f"unknown dimension {entry['dimension']!r}",
            f"Use an ODCS word: {', '.join(ODCS_DIMENSIONS)}.",
        )
    severity = entry.get("severity", "error")
    if severity not in get_args(Severity):
        raise reader.refuse(
            (*path, "severity"), f"severity {severity!r}", "critical, error, warning or info."
        )
    said_text = said(kind, columns, body)
    if described is not None:
        said_text = reader.text(described, (*path, "description"))
    return {
        "description": said_text,
        "description_zh": body.get("description_zh", ""),
        "dimension": ours,
        "severity": severity,
    }


def _arguments(reader: Reader, body: dict[str, Any], at: YamlPath) -> dict[str, Any]:
    fields: dict[str, Any] = {k: str(body[k]) for k in _AS_TEXT if k in body}
    fields |= {k: body[k] for k in _AS_IS if k in body}
    several = body.get("reads", [])
    several = several if isinstance(several, list) else [several]
    fields["reads"] = tuple(read_read(reader, r, (*at, "reads", i)) for i, r in enumerate(several))
    if "values" in body:
        fields["values"] = tuple(str(v) for v in reader.items(body["values"], (*at, "values")))
    if "effective_from" in body:
        fields["effective_from"] = _date(reader, body["effective_from"], (*at, "effective_from"))
    return fields


def _target(
    reader: Reader,
    body: dict[str, Any],
    at: YamlPath,
    columns: tuple[str, ...],
    reads: tuple[Read, ...],
) -> dict[str, Any]:
    product = reader.text(body["to"], (*at, "to"))
    to_columns = columns
    if "to_columns" in body:
        to_columns = reader.texts(body["to_columns"], (*at, "to_columns"))
    if not columns or len(to_columns) != len(columns):
        raise reader.refuse(at, "columns and to_columns differ in number", "Pair them up.")
    if not reads:
        reads = (Read(product=product, how="as_of"),)
    if product not in {r.product for r in reads}:
        raise reader.refuse((*at, "reads"), f"does not read {product}", f"Add `as_of {product}`.")
    return {"to_product": product, "to_columns": to_columns, "reads": reads}


def read_read(reader: Reader, value: Any, path: YamlPath) -> Read:
    """Read ``as_of silver.contract``, ``previous(3) silver.position``, ``same gold.x optional``."""
    match = _READ.fullmatch(value) if isinstance(value, str) else None
    if match is None or match["how"] not in get_args(How):
        raise reader.refuse(
            path,
            f"not a read: {value!r}",
            f"Write `<how> <layer.name>[ optional]`, how being {', '.join(get_args(How))}; "
            "e.g. `as_of silver.contract` or `previous(1) silver.position`.",
        )
    return Read(
        product=match["product"],
        how=match["how"],  # checked above
        n=int(match["n"] or 1),
        optional=bool(match["optional"]),
    )


def said(kind: str, columns: tuple[str, ...], body: dict[str, Any]) -> str:
    """Describe a rule whose kind says everything."""
    names = ", ".join(columns)
    match kind:
        case "not_null":
            return f"{names} is always given."
        case "unique":
            return f"({names}) occurs once; of several, the later rows fail."
        case "range":
            low, high = body.get("min"), body.get("max")
            above = f"{'above' if body.get('exclusive_min') else 'at least'} {low}"
            below = f"{'below' if body.get('exclusive_max') else 'at most'} {high}"
            bounds = [t for t, b in ((above, low), (below, high)) if b is not None]
            return f"{names} is {' and '.join(bounds)}."
        case "codes":
            what = f"a code of the list {body['code_list']}" if body.get("code_list") else None
            return f"{names} is {what or 'one of the values given'}."
        case "matches":
            return f"{names} looks like {body.get('pattern')}."
        case "reference":
            return f"({names}) exists in {body.get('to')}."
        case "row_count":
            return "As many rows as the manifests of the effective deliveries say."
        case "freshness":
            return "Arrived before it was due."
        case _:
            return "Every delivered text could be read as its column's type."


def _columns(
    reader: Reader, body: dict[str, Any], at: YamlPath, kind: str, key: tuple[str, ...]
) -> tuple[str, ...]:
    if "column" in body:
        return (reader.text(body["column"], (*at, "column")),)
    if "columns" in body:
        return reader.texts(body["columns"], (*at, "columns"))
    return key if kind == "unique" else ()


def _rule_id(
    reader: Reader, entry: Any, path: YamlPath, name: str, kind: str, columns: tuple[str, ...]
) -> str:
    default = f"{name}.{columns[0]}.{kind}" if len(columns) == 1 else f"{name}.{kind}"
    rule_id = entry.get("name", default)
    if not isinstance(rule_id, str) or not RULE_ID.fullmatch(rule_id):
        raise reader.refuse(
            (*path, "name"),
            f"rule name {rule_id!r}",
            f"Write `{name}.<word>[.<word>]`, lower case.",
        )
    if not rule_id.startswith(f"{name}."):
        raise reader.refuse(
            (*path, "name"), f"rule {rule_id!r} of another product", f"Start it with `{name}.`."
        )
    return rule_id


def _date(reader: Reader, value: Any, path: YamlPath) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise reader.refuse(path, f"not a date: {value!r}", "Write YYYY-MM-DD.") from None


def _check_numbers(reader: Reader, fields: dict[str, Any], at: YamlPath) -> None:
    tolerance = fields.get("tolerance", 0.0)
    if (
        isinstance(tolerance, bool)
        or not isinstance(tolerance, int | float)
        or not (0 <= tolerance <= 1)
    ):
        raise reader.refuse(
            (*at, "tolerance"), f"tolerance {tolerance!r}", "A share of rows, 0 to 1 (0.01 = 1 %)."
        )
    try:
        if Decimal(fields.get("tolerance_abs", "0")) < 0:
            raise InvalidOperation
    except InvalidOperation:
        raise reader.refuse(
            (*at, "tolerance_abs"), "not a decimal >= 0", "Write it as text, e.g. '0.01'."
        ) from None


KINDS: tuple[str, ...] = get_args(RuleKind)
