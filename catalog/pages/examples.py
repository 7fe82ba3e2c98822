"""SQL to begin with, for one product: a day, a history, and what can be added up."""

from __future__ import annotations

from contracts.model import Column, Contract

Example = tuple[str, str, str]
SHOWN = 6


def examples_of(contract: Contract, newest: str | None) -> tuple[Example, ...]:
    """Questions in Chinese and English with SQL that runs against a published file.

    Nothing for a product that no audience gets.
    """
    if not contract.audiences or contract.layer == "bronze":
        return ()
    table = contract.product
    date = f"DATE '{newest}'" if newest and newest[:1].isdigit() else "DATE '2026-01-05'"
    names = [c.name for c in contract.business_columns][:SHOWN]
    columns = ", ".join(names)
    if contract.scd2:
        valid = f"valid_from <= {date} AND (valid_to IS NULL OR valid_to > {date})"
        return (
            ("某日有效的各行", "Rows as valid on a date",
             f"SELECT {columns}\nFROM {table}\nWHERE {valid}\nORDER BY ALL\nLIMIT 20"),
            _state(contract),
        )  # fmt: skip
    day = contract.interval_column
    where = f"\nWHERE {day} = {date}" if day else ""
    found: list[Example] = [
        ("一天的数据", "One day",
         f"SELECT {columns}\nFROM {table}{where}\nLIMIT 20"),
    ]  # fmt: skip
    sums = [c for c in contract.business_columns if _additive(c)]
    if day and sums:
        added = ", ".join(f"sum({c.name}) AS {c.name}" for c in sums[:3])
        found.append(
            ("按交易日合计", "Totals by trade date",
             f"SELECT {day}, count(*) AS rows, {added}\nFROM {table}\nGROUP BY ALL\nORDER BY {day}")
        )  # fmt: skip
    return (*found, _state(contract))


def _additive(column: Column) -> bool:
    return column.values_from == "sum" and column.type != "string"


def _state(contract: Contract) -> Example:
    sql = (
        "SELECT interval, state, partial, waiting_on\nFROM _meta.interval\n"
        f"WHERE product = '{contract.product}'\nORDER BY interval DESC\nLIMIT 10"
    )
    return ("数据是否完整", "Is it complete?", sql)
