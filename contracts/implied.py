"""The rules a schema implies, so that contracts need not spell them out.

Silver and gold only: bronze is evidence and is kept as delivered. A rule written with the same id
replaces the implied one.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.model import Column, Rule, RuleKind
from contracts.rule_text import DIMENSIONS, said


def implied_rules(
    name: str, columns: Sequence[Column], key: tuple[str, ...], unit: tuple[str, ...]
) -> tuple[Rule, ...]:
    """Return not_null, unique, codes and parsed as the columns imply them (severity error)."""

    def rule(
        rule_id: str, kind: RuleKind, on: tuple[str, ...], code_list: str | None = None
    ) -> Rule:
        return Rule(
            id=f"{name}.{rule_id}",
            kind=kind,
            description=said(kind, on, {"code_list": code_list}),
            dimension=DIMENSIONS[kind],
            severity="error",
            columns=on,
            code_list=code_list,
            unit=unit,
        )

    rules = []
    if any(c.name == "_unparsed" for c in columns):
        rules.append(rule("parsed", "parsed", ()))
    if key:
        rules.append(rule("key.unique", "unique", key))
    for column in columns:
        if column.technical:
            continue
        if column.required:
            rules.append(rule(f"{column.name}.not_null", "not_null", (column.name,)))
        if column.code_list is not None:
            rules.append(rule(f"{column.name}.codes", "codes", (column.name,), column.code_list))
    return tuple(rules)


def _technical(name: str, type_: str, title: str, title_zh: str, description: str) -> Column:
    return Column(
        name=name, type=type_, title=title, title_zh=title_zh, description=description,
        technical=True,
    )  # fmt: skip


_DELIVERY = _technical(
    "_delivery_id", "string", "Delivery", "交付批次", "The delivery this row came in."
)
_ROW = _technical(
    "_row_number", "bigint", "Row number", "行号", "The row's true ordinal in its file, from 1."
)
BRONZE_COLUMNS = (
    _DELIVERY,
    _ROW,
    _technical("_received_at", "timestamp", "Received at", "接收时间", "Receipt time, UTC."),
    _technical("_interval", "date", "Interval", "区间", "The delivery's interval."),
)
SILVER_COLUMNS = (
    _DELIVERY,
    _ROW,
    _technical(
        "_unparsed", "string", "Unparsed columns", "未解析列",
        "Comma-separated names of columns whose text could not be read as their type.",
    ),
)  # fmt: skip
SCD2_COLUMNS = ("valid_from", "valid_to", "is_current", "known_from", "known_to")
