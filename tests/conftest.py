"""What all tests share: one small Spark session with the Delta jars."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from offline import browser, faults, page  # noqa: F401 - fixtures for every test of a page

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]
_main = sys.modules["__main__"]
if not hasattr(_main, "__file__"):
    # A worker of pytest-xdist: pyspark takes a main module without a file for its own doctests,
    # and ends the process.
    _main.__file__ = __file__
WHOLE = (
    "tests/catalog/test_analyst_page.py",
    "tests/catalog/test_as_of.py",
    "tests/catalog/test_changes.py",
    "tests/catalog/test_earlier.py",
    "tests/catalog/test_export.py",
    "tests/catalog/test_product_pages.py",
    "tests/catalog/test_publish.py",
    "tests/catalog/test_query.py",
    "tests/exlake/test_decide.py",
    "tests/exlake/test_member_pages.py",
    "tests/exlake/test_messages.py",
    "tests/exlake/test_news.py",
    "tests/exlake/test_serve.py",
    "tests/exlake/test_shell.py",
    "tests/exlake/test_surveil_history.py",
    "tests/pipelines/engine/test_backup.py",
    "tests/pipelines/engine/test_kills.py",
    "tests/pipelines/engine/test_maintenance.py",
    "tests/pipelines/external/test_real_files.py",
    "tests/pipelines/simulation/",
    "tests/pipelines/sources/",
)
"""Tests over whole worlds of files, whole lakes or real servers: no Spark, yet seconds each."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a session or a whole lake, and put the longest files first.

    `make test-unit` leaves the marked ones out, `make test` does not. A long file that begins
    last would leave one of two workers idle.
    """
    for item in items:
        if item.nodeid.startswith(WHOLE):
            item.add_marker(pytest.mark.whole)
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.spark)
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    """Slow proofs, then Spark, then everything else; the order within each stays."""
    if item.get_closest_marker("full") or item.get_closest_marker("slow"):
        return 0
    return 1 if item.get_closest_marker("spark") else 2


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session of two cores in UTC; skipped when the Delta jars were not fetched."""
    jars = sorted((ROOT / ".jars").glob("*.jar"))
    if not jars:
        pytest.skip("no Delta jars in .jars: run `make setup`")
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Collected timestamps are naive local times: make that UTC on every machine.
    os.environ["TZ"] = "UTC"
    time.tzset()
    from pyspark.sql import SparkSession

    from pipelines.engine.jvm import java_options
    from pipelines.engine.settings import load_settings

    class_path = os.pathsep.join(str(jar) for jar in jars)
    compiler = load_settings(environ={}, jvm_compiler="quick")
    home = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("exlake-tests")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.extraClassPath", class_path)
        .config(
            "spark.driver.extraJavaOptions",
            f"-Dderby.system.home={home}{java_options(compiler, class_path, None)}",
        )
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.databricks.delta.snapshotPartitions", "2")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
