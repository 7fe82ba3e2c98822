"""Dirty deliveries are labelled, and landing does with each what its label says."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from delivered import SEED, trade_dates

from contracts.load import load_catalogue
from pipelines.engine.settings import Settings
from pipelines.simulation.dirt import CSV_KINDS, OWN_KINDS
from pipelines.simulation.dirty import UnknownDirtError
from pipelines.simulation.world import simulate
from pipelines.sources.landing import land


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world of twelve dates with all of its deliveries spoiled."""
    root = tmp_path_factory.mktemp("dirty")
    simulate(root / "inbox", trade_dates(12), SEED, "tiny", dirty=1.0)
    return root


def labels(home: Path) -> list[dict[str, Any]]:
    """The truth about dirt."""
    lines = [
        json.loads(line)
        for path in sorted((home / "truth").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    return [r for r in lines if r["kind"] == "dirty"]


def test_every_kind_occurs(dirty: Path) -> None:
    """A rate spoils deliveries of every kind."""
    kinds = set(CSV_KINDS).union(*OWN_KINDS.values())
    assert set(Counter(r["dirt"] for r in labels(dirty))) == kinds


def test_landing_does_what_the_truth_says(dirty: Path) -> None:
    """Refused with the expected code, landed, or a duplicate that changes nothing; after a
    refusal the file sent again lands, and a missing file leaves no delivery at all."""
    recorded = land(Settings(home=dirty), load_catalogue())
    by_file = {(d.dataset, d.interval, d.sequence): d for d in recorded}
    refused = {d.file for d in recorded if d.status == "refused"}
    expected = labels(dirty)
    assert {Path(f).name for f in refused} == {
        r["file"] for r in expected if r["land"] == "refused"
    }
    last = max(d.interval for d in recorded)
    for label in expected:
        mine = by_file.get((label["dataset"], label["interval"], label["sequence"]))
        if label["land"] == "missing" or (label["land"] == "late" and label["interval"] == last):
            assert mine is None
        elif label["land"] == "refused":
            assert mine is not None
            assert mine.error_code == label["rule"]
            of = (label["dataset"], label["interval"], "landed")
            assert [d for d in recorded if (d.dataset, d.interval, d.status) == of]
        else:
            assert mine is not None
            assert mine.status == "landed"
    assert land(Settings(home=dirty), load_catalogue()) == []  # nothing is new the second time


def test_spoiled_rows_are_the_labelled_ones(tmp_path: Path) -> None:
    """In the demo set only the labelled order events differ from the clean file."""
    for name, dirt in (("clean", None), ("demo", "demo")):
        simulate(tmp_path / name / "inbox", trade_dates(3), SEED, "tiny", dirty=dirt)
    path = "inbox/trading/20260106/order_event_20260106.csv.gz"
    clean, spoiled = (
        gzip.decompress((tmp_path / n / path).read_bytes()).decode().splitlines()
        for n in ("clean", "demo")
    )
    changed = {a.split(",")[0] for a, b in zip(clean, spoiled, strict=True) if a != b}
    told = [r for r in labels(tmp_path / "demo") if r["dataset"] == "order_event"]
    assert changed == {key for r in told for key in r["keys"]}
    assert 2 <= len(changed) <= 12


def test_dirt_must_be_a_rate_or_the_demo(tmp_path: Path) -> None:
    """Anything else is refused before a file is written."""
    with pytest.raises(UnknownDirtError):
        simulate(tmp_path / "inbox", trade_dates(1), SEED, "tiny", dirty="very")
    assert not (tmp_path / "inbox").exists()
