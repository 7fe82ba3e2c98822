"""The simulated market is as near to real ones as docs/simulation.md says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.simulation.likeness import CANCEL_RATIO, TIGHT, likeness, spreads_by_contract

SHARED = Path(os.environ.get("EXLAKE_SHARED", Path(__file__).resolve().parents[4] / "shared"))


@pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="needs the shared real data (EXLAKE_SHARED)"
)
def test_distances_keep_their_tolerance(small_home: Path) -> None:
    """Gaps, sizes, lots a snapshot, spreads and the cancel ratio of a small date."""
    found, cancels = likeness(small_home, "20260106", SHARED / "data")
    assert {item.measure: item.distance for item in found if item.distance > item.tolerance} == {}
    assert CANCEL_RATIO[0] <= cancels <= CANCEL_RATIO[1]


def test_main_contracts_quote_one_tick(small_home: Path) -> None:
    """The busiest contracts' median spread is one tick, as in the recording of a real day."""
    ticks = small_home / "inbox/public/20260106/market_tick_20260106.csv.gz"
    medians = [float(np.median(spread)) for spread in spreads_by_contract(ticks).values()]
    assert medians.count(1.0) >= TIGHT
    assert min(medians) == 1.0
