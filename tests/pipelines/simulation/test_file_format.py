"""Deliveries as Parquet say the same as deliveries as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from delivered import SEED, trade_dates
from deltalake import DeltaTable

from contracts.load import load_catalogue
from pipelines.engine.settings import Settings
from pipelines.simulation.file_format import UnknownFileFormatError
from pipelines.simulation.world import simulate
from pipelines.sources.landing import land


def bronze_rows(home: Path) -> dict[str, list[dict[str, Any]]]:
    """All bronze rows by dataset, without what names the delivery itself."""
    found = {}
    for table in sorted((home / "bronze").iterdir()):
        rows = DeltaTable(table).to_pyarrow_table()
        kept = [n for n in rows.column_names if n not in ("_delivery_id", "_received_at")]
        found[table.name] = sorted(rows.select(kept).to_pylist(), key=repr)
    return found


def test_parquet_lands_the_same_rows(tmp_path: Path) -> None:
    """Every table of a dirty date arrives as Parquet, lands with the same status and gives
    exactly the rows of its CSV twin."""
    landed = {}
    for name in ("csv", "parquet"):
        home = tmp_path / name
        simulate(home / "inbox", trade_dates(2), SEED, "tiny", dirty="demo", file_format=name)
        done = land(Settings(home=home), load_catalogue())
        landed[name] = sorted((d.dataset, d.interval, d.sequence, d.status) for d in done)
    tables = {path.name for path in (tmp_path / "parquet" / "inbox").rglob("*.parquet")}
    assert len({name.split("_20")[0] for name in tables}) == 20
    assert not list((tmp_path / "csv" / "inbox").rglob("*.parquet"))
    assert landed["csv"] == landed["parquet"]
    rows = {name: bronze_rows(tmp_path / name) for name in landed}
    assert rows["csv"] == rows["parquet"]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """Only csv and parquet exist."""
    with pytest.raises(UnknownFileFormatError):
        simulate(tmp_path / "inbox", trade_dates(1), SEED, "tiny", file_format="xlsx")
    assert not (tmp_path / "inbox").exists()
