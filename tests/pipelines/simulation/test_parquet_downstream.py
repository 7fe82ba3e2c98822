"""A world delivered as Parquet ends in the same tables as the same world delivered as CSV."""

from __future__ import annotations

from pathlib import Path

import pytest
from delivered import SEED, trade_dates

from pipelines.engine.lake import open_lake
from pipelines.engine.ledgers import INTERVAL
from pipelines.engine.run import run
from pipelines.engine.settings import load_settings
from pipelines.simulation.world import simulate
from pipelines.sources.landing import land

pytestmark = [pytest.mark.spark, pytest.mark.full, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[3]


def downstream(home: Path, file_format: str) -> dict[tuple[str, str], tuple[str, str | None]]:
    """State and content fingerprint of every silver and gold interval after landing and running."""
    simulate(home / "inbox", trade_dates(2), SEED, "tiny", file_format=file_format)
    options = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    settings = load_settings(
        environ={}, home=home, master="local[2]", driver_memory="1g", spark_options=options
    )
    lake = open_lake(settings)
    assert {d.status for d in land(settings, lake.catalogue)} == {"landed"}
    for failure in run(settings, lake=lake).failures:
        raise failure.error
    newest = sorted(lake.ledgers.read(INTERVAL), key=lambda row: row.sequence)
    return {
        (r.product, r.interval): (r.state, r.fingerprint)
        for r in newest
        if r.product.startswith(("silver.", "gold."))
    }


def test_parquet_ends_in_the_same_tables(tmp_path: Path) -> None:
    """Every silver and gold interval has the same state and the same content fingerprint, all
    are published, and every area's products are there."""
    if not list((ROOT / ".jars").glob("*.jar")):
        pytest.skip("no Delta jars in .jars: run `make setup`")
    text = downstream(tmp_path / "csv", "csv")
    binary = downstream(tmp_path / "parquet", "parquet")
    assert text == binary
    assert {state for state, _ in text.values()} == {"published"}
    assert {"silver.order_event", "silver.client_fund", "gold.client_day",
            "gold.surveillance_day"} <= {product for product, _ in text}  # fmt: skip
