"""What a published file was made of, kept beside it: it makes "nothing new" a cheap answer.

Only a cache: without it, or when it describes another file, the file is built again in full.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from catalog.masking import MaskPlan
from catalog.snapshot import Head
from catalog.states import IntervalState
from contracts.catalogue import Catalogue
from contracts.model import Frozen
from contracts.standards import Audience

FORMAT = 2
"""Raised when the layout of published files changes: all are built again."""


class Stamp(Frozen):
    """Identity of a file on disk."""

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """The stamp of a file, None when it is not there."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return cls(size=found.st_size, modified_ns=found.st_mtime_ns, inode=found.st_ino)


class Part(Frozen):
    """One product in the file: its table's newest commit, and per interval source digest, rows
    and hash."""

    version: int
    log_mark: str = ""
    mask: str
    sources: dict[str, str]
    rows: dict[str, int]
    hashes: dict[str, str]


class Sidecar(Frozen):
    """Everything the file was made of."""

    shape: str
    """Digest of what forces a full rebuild: format, audience, columns, masks, key, texts."""
    states: str
    parts: dict[str, Part]
    publication_id: str
    published_at: str
    stamp: Stamp
    key_version: int = 0
    """Of the mask key; 0: nothing is hashed."""

    @property
    def heads(self) -> dict[str, Head]:
        """Product -> the commit that was copied."""
        return {product: Head(part.version, part.log_mark) for product, part in self.parts.items()}


def sidecar_path(published: Path) -> Path:
    """``publish/<audience>.json`` beside ``publish/<audience>.duckdb``."""
    return published.with_suffix(".json")


def read_sidecar(published: Path) -> Sidecar | None:
    """The sidecar of the file as it is on disk now; None when it is missing or of another one."""
    stamp = Stamp.of(published)
    try:
        found = Sidecar.model_validate_json(sidecar_path(published).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.stamp == stamp else None


def write_sidecar(published: Path, sidecar: Sidecar) -> None:
    """Replace the sidecar atomically."""
    path = sidecar_path(published)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(sidecar.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def shape_digest(
    audience: Audience, plans: Mapping[str, MaskPlan], masks: Mapping[str, str], codes: Catalogue
) -> str:
    """Digest of what shapes the file besides rows and states: any change rebuilds it in full."""
    products = {
        name: [masks[name], plan.contract.model_dump_json(exclude={"rules", "formats"})]
        for name, plan in sorted(plans.items())
    }
    lists = {c.code_list for p in plans.values() for c in p.contract.columns if c.code_list}
    values = {
        name: [[v.code, v.title, v.title_zh] for v in codes.code_lists[name].values]
        for name in sorted(lists)
    }
    return digest([FORMAT, audience.name, audience.clearance, products, values])


def states_digest(states: Sequence[IntervalState], products: Sequence[str]) -> str:
    """Digest of the states as readers see them; clock times aside (a re-run changes those)."""
    wanted = frozenset(products)
    return digest(
        [
            [
                s.product, s.interval, s.state, s.own_state, s.inherited_from, s.partial,
                s.built, s.accepted, s.quarantined, s.waiting_on, s.incomplete_because,
                str(s.due_at),
            ]
            for s in states
            if s.product in wanted
        ]
    )  # fmt: skip


def digest(body: Any) -> str:
    """SHA-256 of a JSON value, shortened."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
