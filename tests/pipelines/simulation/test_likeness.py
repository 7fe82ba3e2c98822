"""The simulated market is as near to real ones as docs/simulation.md says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.simulation.likeness import CANCEL_RATIO, likeness

SHARED = Path(os.environ.get("EXLAKE_SHARED", Path(__file__).resolve().parents[4] / "shared"))


@pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="needs the shared real data (EXLAKE_SHARED)"
)
def test_distances_keep_their_tolerance(small_home: Path) -> None:
    """Gaps, sizes, lots a snapshot and the cancel ratio of a small date."""
    found, cancels = likeness(small_home, "20260106", SHARED / "data")
    assert {item.measure: item.distance for item in found if item.distance > item.tolerance} == {}
    assert CANCEL_RATIO[0] <= cancels <= CANCEL_RATIO[1]
