"""The tiny lake, fresh for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from catalog_cases import TinyLake, build_lake


@pytest.fixture
def lake(tmp_path: Path) -> TinyLake:
    """Three products, two trade dates."""
    return build_lake(tmp_path / "lake")


@pytest.fixture
def build() -> Callable[[Path], TinyLake]:
    """To build the lake somewhere else."""
    return build_lake
