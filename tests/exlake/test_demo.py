"""`make demo`, end to end: the real DAGs in-process, over the simulated exchange's deliveries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from catalog.hashes import product_hash
from contracts.catalogue import load_catalogue
from exlake.summary import EXAMPLES
from pipelines.engine.settings import load_settings
from quality.hashing import portable_hash_sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PATIENCE = 1500
"""Seconds: beside another worker's Spark session one demonstration takes several minutes."""
pytestmark = [
    pytest.mark.airflow, pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(PATIENCE),
]  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
DATES = ("2026-01-05", "2026-01-06", "2026-01-07")
GOLD = ("gold.client_day", "gold.market_daily", "gold.member_day")


@dataclass(frozen=True)
class Demo:
    """A lake that the demonstration made, and what it printed."""

    home: Path
    printed: str
    exlake: Callable[..., subprocess.CompletedProcess[str]]

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """A listing's rows."""
        found: list[dict[str, Any]] = json.loads(self.exlake(*arguments, "--json").stdout)
        return found

    def hashes(self) -> dict[str, str]:
        """Hash of every built product, and its Delta version (as `exlake hash` prints them)."""
        settings, catalogue = load_settings(environ={}, home=self.home), load_catalogue()
        products = sorted({row["product"] for row in self.rows("status")})
        found = [product_hash(settings, catalogue, product) for product in products]
        return {each.product: f"{each.version} {each.hash}" for each in found}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One demonstration of the smallest scale, run as `make demo` runs it."""
    if not list((ROOT / ".jars").glob("*.jar")):
        pytest.skip("no Delta jars in .jars: run `make setup`")
    home = tmp_path_factory.mktemp("demo") / "lake"
    environment = os.environ | {
        "EXLAKE_HOME": str(home), "EXLAKE_MASTER": "local[2]", "EXLAKE_DRIVER_MEMORY": "1g"
    }  # fmt: skip

    def exlake(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "exlake.cli", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=PATIENCE - 100, check=False,
        )  # fmt: skip

    first = exlake("demo", "--scale", "tiny")
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    return Demo(home, first.stdout, exlake)


def test_every_dag_ran_for_every_date(demo: Demo) -> None:
    """One command drives all DAGs over three trade dates and shows progress all the while."""
    for day in DATES:
        for dag in (
            "reference",
            "trading_day",
            "external",
            "marts",
            "publish",
            "sentiment",
            "surveillance",
        ):
            assert f"{day} DAG {dag}\n" in demo.printed


def test_gold_is_there_for_every_date(demo: Demo) -> None:
    """The marts of all three dates are published, or say why not."""
    states = {(r["product"], r["interval"]): r["state"] for r in demo.rows("status")}
    for product in GOLD:
        for day in DATES:
            assert states[product, day] in ("published", "with_quarantine", "held", "blocked")
    published = [k for k, s in states.items() if s in ("published", "with_quarantine")]
    assert len(published) >= 0.8 * len(states)


def test_the_gate_found_what_was_dirty(demo: Demo) -> None:
    """The dirty deliveries of the demonstration end in quarantine or as refusals, visibly."""
    refused = [line for line in demo.printed.splitlines() if line.startswith("  refused")]
    assert refused
    assert demo.rows("quarantine", "list")


def test_the_summary_names_what_to_open_next(demo: Demo) -> None:
    """Paths of the lake, the quality report and the analyst's file are printed, and exist."""
    for path in (
        demo.home,
        demo.home / "reports" / "quality" / "index.html",
        demo.home / "reports" / "news" / f"brief-{DATES[-1]}.html",
        demo.home / "publish" / "analyst.duckdb",
    ):
        assert str(path) in demo.printed
        assert path.exists()


def test_the_example_queries_answer(demo: Demo) -> None:
    """The three queries that the summary prints run on the analyst's file and find rows."""
    assert len(EXAMPLES) == 3
    for question, sql in EXAMPLES.items():
        assert question in demo.printed
        answer = demo.exlake("sql", sql, "--json")
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["rows"]


def test_again_does_nothing_and_starts_no_jvm(demo: Demo) -> None:
    """A second demonstration changes no hash and no version, runs no DAG and needs no Java."""
    before = demo.hashes()
    reports = sorted(p.name for p in (demo.home / "reports").rglob("*.html"))
    again = demo.exlake("demo", "--scale", "tiny")
    assert again.returncode == 0
    assert "No DAG was run and no JVM started" in again.stdout
    assert demo.hashes() == before
    assert sorted(p.name for p in (demo.home / "reports").rglob("*.html")) == reports


def test_three_readers_agree_on_every_product(demo: Demo, spark: SparkSession) -> None:
    """Invariant 8: Spark, DuckDB and delta-rs read the same rows and the same portable hash, and
    no table asks more of its readers than version 1."""
    import duckdb
    from deltalake import DeltaTable
    from duckdb_extensions import import_extension

    import_extension("delta")
    catalogue = load_catalogue()
    told = {p: text.split(" ", 1)[1] for p, text in demo.hashes().items()}
    assert set(GOLD) < set(told)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; LOAD delta")
        for product, expected in told.items():
            contract, path = catalogue[product], demo.home / product.replace(".", "/")
            spark.read.format("delta").load(str(path)).createOrReplaceTempView("by_spark")
            by_spark = spark.sql(portable_hash_sql(contract, "spark", "by_spark")).first()
            scan = f"delta_scan('{path}')"
            by_duckdb = connection.sql(portable_hash_sql(contract, "duckdb", scan)).fetchone()
            table = DeltaTable(str(path))
            protocol = table.protocol()
            assert (protocol.min_reader_version, protocol.reader_features) == (1, None), product
            connection.register("by_delta_rs", table.to_pyarrow_table())
            by_delta_rs = connection.sql(
                portable_hash_sql(contract, "duckdb", "by_delta_rs")
            ).fetchone()
            readers = (by_spark, by_duckdb, by_delta_rs)
            found = {row[0] if row else None for row in readers} | {expected}
            assert len(found) == 1, f"{product}: {found}"


def test_every_page_is_self_contained(demo: Demo) -> None:
    """No report asks for anything outside itself."""
    pages = list((demo.home / "reports").rglob("*.html"))
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for word in ('src="http', 'href="http', "@import", "url(http", "fetch("):
            assert word not in text
