"""Row rules as Spark SQL text.

``failing_sql`` is TRUE exactly when the row fails and FALSE otherwise, never NULL: SQL's unknown
passes, except in not_null.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from contracts.catalogue import Catalogue
from contracts.model import Contract, Rule
from contracts.standards import CodeList

CheckKind = Literal["expr", "unique", "reference", "rows"]
_NUMBERS = ("int", "bigint", "decimal")


@dataclass(frozen=True)
class RowCheck:
    """One row rule, ready to run.

    ``expr`` has ``failing_sql`` over the row's own columns. The others need more than the row:
    ``unique`` (rule.columns; later rows fail), ``reference`` (rule.columns, to_product, to_columns)
    and ``rows`` (rule.sql, a SELECT of the failing rows' keys).
    """

    rule: Rule
    kind: CheckKind
    failing_sql: str | None


def row_checks(contract: Contract, catalogue: Catalogue) -> tuple[RowCheck, ...]:
    """Compile every row rule of a contract, in order.

    Raises SqlRefusedError for SQL that may not run and ValueError for an unknown code list (which
    lint reports with its place).
    """
    return tuple(_check(contract, rule, catalogue) for rule in contract.rules if rule.is_row_rule)


def _check(contract: Contract, rule: Rule, catalogue: Catalogue) -> RowCheck:
    if rule.sql is not None:
        from contracts.sql_guard import guard

        guard(rule)
    match rule.kind:
        case "unique":
            return RowCheck(rule, "unique", None)
        case "reference":
            return RowCheck(rule, "reference", None)
        case "rows":
            return RowCheck(rule, "rows", None)
        case _:
            return RowCheck(rule, "expr", failing_sql(contract, rule, catalogue))


def failing_sql(contract: Contract, rule: Rule, catalogue: Catalogue) -> str:
    """Return the boolean that is TRUE exactly on failing rows (kinds one row decides)."""
    match rule.kind:
        case "not_null":
            return f"{quoted(rule.columns[0])} IS NULL"
        case "parsed":
            return "`_unparsed` IS NOT NULL"
        case "range":
            return f"coalesce({' OR '.join(out_of_range(contract, rule))}, false)"
        case "codes":
            column = contract.column(rule.columns[0])
            codes = ", ".join(literal(column.type, c) for c in allowed(rule, catalogue))
            return f"coalesce({quoted(column.name)} NOT IN ({codes}), false)"
        case "matches":
            pattern = literal("string", full_pattern(str(rule.pattern)))
            return f"coalesce(NOT ({quoted(rule.columns[0])} RLIKE {pattern}), false)"
        case "expression":
            return f"coalesce(NOT ({one_line(str(rule.sql))}), false)"
        case _:
            raise ValueError(f"{rule.id}: {rule.kind} is not decided by one row")


def out_of_range(contract: Contract, rule: Rule) -> list[str]:
    """Return the conditions under which a range rule fails."""
    column = contract.column(rule.columns[0])
    name, failing = quoted(column.name), []
    if rule.min is not None:
        below = "<=" if rule.exclusive_min else "<"
        failing.append(f"{name} {below} {literal(column.type, rule.min)}")
    if rule.max is not None:
        above = ">=" if rule.exclusive_max else ">"
        failing.append(f"{name} {above} {literal(column.type, rule.max)}")
    return failing


def allowed(rule: Rule, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the codes a codes rule allows, from its values or its code list."""
    if rule.values:
        return rule.values
    codes: CodeList | None = catalogue.code_lists.get(str(rule.code_list))
    if codes is None:
        raise ValueError(f"{rule.id}: unknown code list {rule.code_list}")
    return codes.codes


def full_pattern(pattern: str) -> str:
    """Anchor a pattern so that it has to match the whole text."""
    return f"^(?:{pattern})$"


def quoted(name: str) -> str:
    """Quote an identifier."""
    return f"`{name}`"


def quoted_list(names: Iterable[str], alias: str = "") -> str:
    """Quote identifiers and join them with commas."""
    return ", ".join(f"{alias}{quoted(n)}" for n in names)


def one_line(sql: str) -> str:
    """Put SQL of several lines on one (the guard refuses comments)."""
    return re.sub(r"\s*\n\s*", " ", sql.strip())


def literal(type_: str, value: str) -> str:
    """Write a constant of a column's type in Spark SQL (timestamps are UTC).

    >>> literal("decimal(18,4)", "0.05"), literal("string", "it's"), literal("date", "2026-01-05")
    ('0.05', "'it\\\\'s'", "DATE '2026-01-05'")
    """
    text = value.replace("\\", "\\\\").replace("'", "\\'")
    if type_.startswith(_NUMBERS):
        return value
    if type_ == "boolean":
        return value.lower()
    if type_ in {"date", "timestamp"}:
        return f"{type_.upper()} '{text}'"
    return f"'{text}'"
