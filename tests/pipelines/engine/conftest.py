"""One small lake, built once; tests that change it work on a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipelines.engine.small_lake import D1, D2, SmallLake

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Two days landed and published; never changed."""
    lake = SmallLake.at(tmp_path_factory.mktemp("small") / "lake").deliver_days(D1, D2)
    lake.run()
    return lake


@pytest.fixture
def lake(built: SmallLake, tmp_path: Path) -> SmallLake:
    """A copy of the built lake."""
    return built.copied(tmp_path / "lake")
