"""Validate a document against the official ODCS JSON schema, which the ODCS package ships."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from contracts.yaml_text import YamlPath


def schema_problems(
    document: dict[str, Any], schema: Path | None = None
) -> Iterator[tuple[YamlPath, str]]:
    """Yield (YAML path, message) for every violation; ``schema`` defaults to the shipped one."""
    document = document if schema is not None else _with_logical_types(document)
    for error in _validator(schema).iter_errors(document):
        # Alternatives (anyOf) fail as a whole; the deepest reason is the one that helps.
        while error.context:
            error = max(error.context, key=lambda e: len(e.absolute_path))
        message = error.message if len(error.message) <= 160 else error.message[:157] + "..."
        yield tuple(error.absolute_path), message


def _with_logical_types(document: dict[str, Any]) -> dict[str, Any]:
    """Fill in missing logical types.

    The shipped schema is v3.2.0's, whose condition for maps also holds where no logical type is
    given, so that it asks for a ``map`` there; v3.1.0 leaves the logical type free.
    """
    filled = deepcopy(document)
    tables = filled.get("schema")
    for table in tables if isinstance(tables, list) else []:
        properties = table.get("properties") if isinstance(table, dict) else None
        for prop in properties if isinstance(properties, list) else []:
            if isinstance(prop, dict):
                prop.setdefault("logicalType", "string")
    return filled


@cache
def _validator(schema: Path | None) -> Any:
    from jsonschema import Draft201909Validator

    if schema is None:
        import open_data_contract_standard

        schema = Path(open_data_contract_standard.__file__).parent / "schema.json"
    return Draft201909Validator(json.loads(schema.read_text(encoding="utf-8")))
