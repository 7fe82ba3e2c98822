"""Masks: what an audience gets of each column, decided from the contract alone.

A column within the audience's clearance is copied. Above it, an identifier is
replaced by a keyed hash (so joins still work) and everything else is left out.
``mask: drop`` leaves out even identifiers, ``mask: hash`` hashes what is no key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Literal

from catalog.keys import MaskKey
from contracts.model import Column, Contract
from contracts.standards import Audience

Treatment = Literal["clear", "hash", "drop"]
MASK_LENGTH = 16
"""Hex digits kept of the HMAC: 64 bits, one expected clash among 6 thousand million ids."""
BLOCK = 64
"""SHA-256's block size in bytes (RFC 2104)."""


@dataclass(frozen=True)
class MaskPlan:
    """How one product looks to one audience: each column of the contract and its treatment."""

    contract: Contract
    audience: Audience
    treatments: tuple[tuple[Column, Treatment], ...]

    @property
    def published(self) -> Contract:
        """The contract of the masked copy: dropped columns gone, hashed ones text."""
        columns = tuple(
            c.model_copy(update={"type": "string", "code_list": None}) if t == "hash" else c
            for c, t in self.treatments
            if t != "drop"
        )
        kept = {c.name for c in columns}
        return self.contract.model_copy(
            update={
                "columns": columns,
                "key": self.contract.key if kept.issuperset(self.contract.key) else (),
                "sort_key": tuple(n for n in self.contract.sort_key if n in kept),
            }
        )

    @property
    def is_masked(self) -> bool:
        """True when a business column is hashed or left out."""
        return any(t != "clear" and not c.technical for c, t in self.treatments)

    @property
    def hashed(self) -> tuple[str, ...]:
        """Names of the columns that are replaced by a keyed hash."""
        return tuple(c.name for c, t in self.treatments if t == "hash")

    def fingerprint(self, key: MaskKey | None) -> str:
        """Digest of everything that shapes the copied rows: columns, order, masks, key version."""
        version = key.version if key is not None and self.hashed else 0
        body = [
            [(c.name, c.type, t) for c, t in self.treatments],
            list(self.contract.sort_key),
            self.contract.interval_column,
            version,
            MASK_LENGTH,
        ]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:16]


def mask_plan(contract: Contract, audience: Audience) -> MaskPlan:
    """Decide every column of a product for an audience.

    Technical columns (delivery and line number) are never served: the order of a delivered file
    would give the order of the ids that a mask hides. ``exlake trace`` follows a row instead.
    """
    return MaskPlan(
        contract,
        audience,
        tuple(
            (c, "drop" if c.technical else _treatment(c, contract, audience))
            for c in contract.columns
        ),
    )


def _treatment(column: Column, contract: Contract, audience: Audience) -> Treatment:
    if column.classification <= audience.clearance:
        return "clear"
    if column.mask == "drop":
        return "drop"
    references = {name for r in contract.references for name in r.columns}
    is_id = column.name in contract.key or column.name in references or column.name.endswith("_id")
    is_text = column.type in ("string", "int", "bigint")
    return "hash" if is_text and (is_id or column.mask == "hash") else "drop"


def mask_sql(value: str) -> str:
    """DuckDB SQL of the keyed hash of a text expression: HMAC-SHA256 (RFC 2104), shortened.

    Two parameters go with it, ``mask_pads``: the key is never part of a statement's text, so
    no error message can show it. ``value`` is not null.
    """
    digest = f"sha256(?::BLOB || unhex(sha256(?::BLOB || encode({value}))))"
    return f"left({digest}, {MASK_LENGTH})"


def mask_pads(key: MaskKey) -> tuple[bytes, bytes]:
    """The parameters of ``mask_sql``: the outer and inner padded key."""
    block = key.secret.ljust(BLOCK, b"\0")
    return bytes(b ^ 0x5C for b in block), bytes(b ^ 0x36 for b in block)


def mask(key: MaskKey, value: str) -> str:
    """The keyed hash of one value, as ``mask_sql`` computes it."""
    return hmac.new(key.secret, value.encode(), hashlib.sha256).hexdigest()[:MASK_LENGTH]
