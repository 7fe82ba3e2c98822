"""Spark schemas as JSON text, without a session."""

from __future__ import annotations

import json

from contracts.model import Contract

_JSON_TYPE = {"int": "integer", "bigint": "long"}


def schema_json(contract: Contract) -> str:
    """Return the JSON of the contract's StructType (``StructType.fromJson(json.loads(...))``).

    Columns are in contract order, technical ones last, and nullable (the gate, not the format,
    refuses nulls). No metadata: text in a contract must not change a table.
    """
    fields = [
        {
            "name": column.name,
            "type": _JSON_TYPE.get(column.type, column.type),
            "nullable": True,
            "metadata": {},
        }
        for column in contract.columns
    ]
    return json.dumps({"type": "struct", "fields": fields})


def schema_ddl(contract: Contract) -> str:
    """Return the same schema as Spark DDL text: ``trade_date date, price decimal(18,4), ...``."""
    return ", ".join(f"`{c.name}` {c.type}" for c in contract.columns)
