"""How a stored table differs from its contract, and what is done about each difference.

Additive columns are built for every interval, or stay null before a declared date. A rename that
the contract declares and a wider type rewrite the table once, in one commit. Anything that would
lose or reinterpret stored values is refused: it needs a new product of a new major version beside
the old one, which the old contract's ``endsOn`` and ``replacedBy`` announce.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal

from contracts.errors import TerminalError
from contracts.model import Column

Kind = Literal["added", "renamed", "widened", "dropped", "retyped", "reordered", "changed"]
REWRITTEN = frozenset({"renamed", "widened"})
REFUSED = frozenset({"dropped", "retyped"})
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_DIGITS = {"int": 10, "bigint": 19}


@dataclass(frozen=True)
class SchemaChange:
    """How one column differs between what is stored and what the contract promises."""

    product: str
    kind: Kind
    column: str
    stored: str | None
    promised: str | None
    null_before: date | None = None

    @property
    def refused(self) -> bool:
        """True when stored values would be lost or reinterpreted."""
        return self.kind in REFUSED

    @property
    def how(self) -> str:
        """What a run does about it."""
        if self.kind == "added" and self.null_before is not None:
            return f"null before {self.null_before}, built from then on"
        if self.kind == "added":
            return "built for every interval"
        if self.kind in REWRITTEN:
            return "the table is rewritten once, then built again"
        return "refused: needs a new product beside this one" if self.refused else "built again"


class SchemaChangeRefusedError(TerminalError):
    """Raised when a contract drops or narrows a column of a stored table; nothing is touched."""

    code: ClassVar[str] = "schema-change-refused"

    def __init__(self, product: str, changes: Sequence[SchemaChange]) -> None:
        self.changes = tuple(changes)
        said = "; ".join(
            f"{c.column} is {c.kind} ({c.stored} -> {c.promised or 'gone'})" for c in changes
        )
        layer, name = product.split(".", 1)
        super().__init__(
            f"the contract takes away what the stored table holds: {said}.",
            product=product,
            next_step=f"Keep the columns, and write a product {layer}.{name}_v2 with the next "
            "major version; let this contract end: endsOn, replacedBy. A renamed column says "
            "renamedFrom.",
        )


class SchemaPendingError(TerminalError):
    """Raised when an input's table is not rewritten yet to what its contract promises by now."""

    code: ClassVar[str] = "schema-pending"

    def __init__(self, product: str, changes: Sequence[SchemaChange]) -> None:
        self.changes = tuple(changes)
        columns = ", ".join(c.column for c in changes)
        super().__init__(
            f"its table has not been rewritten yet for the contract's new columns ({columns}).",
            product=product,
            next_step=f"exlake run --product {product}, then this again.",
        )


def widens(stored: str, promised: str) -> bool:
    """True when every value of one type is a value of the other, digit for digit.

    >>> widens("int", "bigint"), widens("decimal(10,2)", "decimal(12,2)"), widens("int", "string")
    (True, True, False)
    """
    if (stored, promised) == ("int", "bigint"):
        return True
    new = _DECIMAL.fullmatch(promised)
    if new is None:
        return False
    precision, scale = int(new[1]), int(new[2])
    old = _DECIMAL.fullmatch(stored)
    if old is not None:
        whole = int(old[1]) - int(old[2])
        return scale >= int(old[2]) and precision - scale >= whole
    return stored in _DIGITS and precision - scale >= _DIGITS[stored]


def describe_schema(
    product: str, stored: tuple[tuple[str, str], ...] | None, columns: Sequence[Column]
) -> tuple[SchemaChange, ...]:
    """Column by column what changed; one unnamed change when the stored schema is not known."""
    if stored is None:
        return (SchemaChange(product, "changed", "*", None, None),)
    old, names = dict(stored), {c.name for c in columns}
    changes: list[SchemaChange] = []
    taken: set[str] = set()
    for column in columns:
        before = column.name
        if before not in old and column.renamed_from in old and column.renamed_from not in names:
            before = str(column.renamed_from)
            taken.add(before)
        kind = _kind(column, before, old)
        if kind is not None:
            was = old.get(before)
            shown = was if before == column.name else f"{before} {was}"
            changes.append(
                SchemaChange(product, kind, column.name, shown, column.type, column.null_before)
            )
    changes += [
        SchemaChange(product, "dropped", name, type_, None)
        for name, type_ in stored
        if name not in names | taken
    ]
    if not changes and tuple(n for n, _ in stored) != tuple(c.name for c in columns):
        changes.append(SchemaChange(product, "reordered", "*", None, None))
    return tuple(changes)


def _kind(column: Column, before: str, old: dict[str, str]) -> Kind | None:
    was = old.get(before)
    if was is None:
        return "added"
    if was != column.type:
        fits = widens(was, column.type)
        return "retyped" if not fits else "widened" if before == column.name else "renamed"
    return "renamed" if before != column.name else None
