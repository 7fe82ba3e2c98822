"""Is a patch possible: a business column of the contract, and text that its type can hold.

What passes here is cast and judged like any delivered value; this only spares a steward the wait
for a run that would tell the same.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from contracts.model import Contract

INTEGERS = {"int": 2**31, "bigint": 2**63}


def patch_fault(contract: Contract, name: str, value: str | None) -> str | None:
    """Why a column cannot be patched with the text (empty or None: no value), or None."""
    column = next((c for c in contract.business_columns if c.name == name), None)
    if column is None:
        known = ", ".join(c.name for c in contract.business_columns)
        return f"there is no business column {name!r}; there are {known}."
    if name == contract.interval_column:
        return f"{name} names the interval: a row cannot move to another by a patch."
    if value and not _fits(value.strip(), column.type):
        return f"{value!r} is no {column.type} ({name})."
    return None


def _fits(text: str, sql_type: str) -> bool:
    try:
        if sql_type in INTEGERS:
            return -INTEGERS[sql_type] <= int(text) < INTEGERS[sql_type]
        if sized := re.match(r"decimal\((\d+),\s*(\d+)\)", sql_type):
            return _fits_decimal(Decimal(text), int(sized[1]), int(sized[2]))
        if sql_type == "date":
            date.fromisoformat(text)
        if sql_type == "timestamp":
            datetime.fromisoformat(text)
        if sql_type == "boolean":
            return text.upper() in {"1", "0", "Y", "N", "TRUE", "FALSE"}
    except (ValueError, InvalidOperation):
        return False
    return True


def _fits_decimal(number: Decimal, precision: int, scale: int) -> bool:
    if not number.is_finite():
        return False
    digits, exponent = number.normalize().as_tuple()[1:]
    assert isinstance(exponent, int)
    return -exponent <= scale and len(digits) + exponent <= precision - scale
