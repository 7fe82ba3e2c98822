"""Small contracts and rules for tests of the gate: a few words instead of a YAML file."""

from __future__ import annotations

from typing import Any

from contracts.catalogue import Catalogue
from contracts.model import Column, Contract, Rule
from contracts.standards import CodeList, CodeValue, Standards


def column(name: str, type_: str, **more: Any) -> Column:
    """A column with throw-away titles."""
    more.setdefault("technical", name.startswith("_"))
    return Column(name=name, type=type_, title=name, title_zh=name, description=name, **more)


def rule(id_: str, kind: str, severity: str = "error", **more: Any) -> Rule:
    """A validity rule of a kind; ``more`` are Rule's own fields."""
    more.setdefault("dimension", "validity")
    return Rule(id=id_, kind=kind, severity=severity, description=id_, **more)  # type: ignore[arg-type]


def contract(
    columns: tuple[Column, ...],
    rules: tuple[Rule, ...] = (),
    key: tuple[str, ...] = ("trade_date", "id"),
    interval_column: str | None = "trade_date",
    product: str = "silver.thing",
) -> Contract:
    """A contract around columns and rules."""
    return Contract(
        product=product,
        version="1.0.0",
        status="active",
        title="Thing",
        title_zh="事物",
        description="A thing.",
        domain="test",
        owner="owner@example.test",
        steward="steward@example.test",
        columns=columns,
        key=key,
        interval_column=interval_column,
        rules=rules,
        retention_days=30,
        flow="trading_day",
    )


def catalogue(*contracts: Contract, **code_lists: tuple[str, ...]) -> Catalogue:
    """A catalogue of these contracts and code lists."""
    lists = {
        name: CodeList(name, name, name, tuple(CodeValue(c, c, c) for c in codes))
        for name, codes in code_lists.items()
    }
    return Catalogue({c.product: c for c in contracts}, Standards(code_lists=lists))
