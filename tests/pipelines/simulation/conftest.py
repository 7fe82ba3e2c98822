"""Simulated homes shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from delivered import SEED, trade_dates

from pipelines.simulation.world import simulate


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean tiny world of ten trade dates (contracts expire on the ninth)."""
    root = tmp_path_factory.mktemp("world")
    simulate(root / "inbox", trade_dates(10), SEED, "tiny")
    return root


@pytest.fixture(scope="session")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean small world of two trade dates."""
    root = tmp_path_factory.mktemp("small")
    simulate(root / "inbox", trade_dates(2), SEED, "small")
    return root


@pytest.fixture(scope="session")
def small_fortnight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean small world of ten trade dates."""
    root = tmp_path_factory.mktemp("fortnight")
    simulate(root / "inbox", trade_dates(10), SEED, "small")
    return root
