"""Column-level lineage as declared in ``column_sources.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

DECLARED = Path(__file__).with_name("column_sources.yaml")


@dataclass(frozen=True)
class ColumnSource:
    """One declared origin of an output column."""

    product: str
    column: str


ColumnSources = Mapping[str, Mapping[str, Sequence[ColumnSource]]]
"""Product -> output column -> where its values come from."""


@cache
def column_sources() -> ColumnSources:
    """Everything that is declared, read once."""
    body = yaml.safe_load(DECLARED.read_text(encoding="utf-8"))
    return {
        product: {
            column: tuple(ColumnSource(*origin.rsplit(".", 1)) for origin in origins)
            for column, origins in columns.items()
        }
        for product, columns in body.items()
    }
