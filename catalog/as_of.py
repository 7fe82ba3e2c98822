"""Table macros in a published file: each dimension as valid, and as known, on a date.

They are plain SQL over the dimension's own table in the same file, so they need no extension and
show nothing that the table does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog.masking import MaskPlan
from catalog.snapshot import literal, quote

NEEDED = frozenset({"valid_from", "valid_to", "known_from", "known_to"})
_VALID = (
    "valid_from <= CAST(on_date AS DATE) AND (valid_to IS NULL OR CAST(on_date AS DATE) < valid_to)"
)
_KNOWN = (
    "known_from <= CAST(known_on AS DATE)"
    " AND (known_to IS NULL OR CAST(known_on AS DATE) < known_to)"
)


@dataclass(frozen=True)
class AsOfMacro:
    """One table macro: ``schema.name(parameters)``, and the SQL that makes it."""

    product: str
    name: str
    parameters: tuple[str, ...]
    title: str
    title_zh: str
    statement: str

    @property
    def call(self) -> str:
        """How it is written in a FROM clause."""
        return f"{self.product.split('.')[0]}.{self.name}({', '.join(self.parameters)})"


def as_of_macros(plan: MaskPlan) -> tuple[AsOfMacro, ...]:
    """The macros of one product in the audience's file: two for a dimension, none otherwise.

    ``<name>_as_of(on_date)`` gives the rows valid on a business date, as known today;
    ``<name>_as_known(on_date, known_on)`` the same, as it was known at the end of a date.
    """
    contract = plan.published
    if not contract.scd2 or not NEEDED.issubset(c.name for c in contract.columns):
        return ()
    title, title_zh = contract.title, contract.title_zh
    return (
        _macro(
            contract.product, f"{contract.name}_as_of", ("on_date",),
            f"known_to IS NULL AND {_VALID}",
            f"{title} as valid on a date, as known now",
            f"{title_zh}：某日有效（按目前所知）",
        ),
        _macro(
            contract.product, f"{contract.name}_as_known", ("on_date", "known_on"),
            f"{_KNOWN} AND {_VALID}",
            f"{title} as valid on a date, as known on another",
            f"{title_zh}：某日有效（按另一日所知）",
        ),
    )  # fmt: skip


def _macro(
    product: str, name: str, parameters: tuple[str, ...], where: str, title: str, title_zh: str
) -> AsOfMacro:
    schema, table = product.split(".", 1)
    at = f"{quote(schema)}.{quote(name)}"
    statement = (
        f"CREATE MACRO {at}({', '.join(parameters)}) AS TABLE"
        f" SELECT * FROM {quote(schema)}.{quote(table)} WHERE {where};"
        f" COMMENT ON MACRO TABLE {at} IS {literal(f'{title_zh} | {title}')};"
    )
    return AsOfMacro(product, name, parameters, title, title_zh, statement)
