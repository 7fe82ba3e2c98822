"""The quality of a small recording in which every defect stands once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from pipelines.marts.tick_quality import tick_quality

pytestmark = pytest.mark.spark
RunJob = Callable[..., list[Any]]
DAY = "2026-01-05"


def tick(time: str, received: str, **more: str) -> dict[str, Any]:
    """A delivered snapshot of cu2603 at HHMMSSmmm."""
    return {
        "exchange": "SHFE", "instrument": "cu2603", "trading_day": "20260105",
        "action_day": "20260105", "action_time": time, "recv_time": received, "last": "100",
        "cum_volume": "10", "bid1": "99", "bid1_qty": "1", "ask1": "101", "ask1_qty": "1",
        "_delivery_id": "d", "_interval": DAY, "_sequence": 1, **more,
    }  # fmt: skip


RECORDED = [
    tick("090000000", "09:00:00", last="0", bid1="0", ask1="0"),  # empty, no book
    tick("090001000", "09:00:01"),
    tick("090001000", "09:00:01"),  # again
    tick("090000500", "09:00:01", cum_volume="11"),  # older
    tick("090201500", "09:05:00", cum_volume="9"),  # a gap, late, volume falls
    tick("090202000", "09:02:02", cum_volume="12", bid1="102"),  # crossed
    tick("103000000", "10:30:00", cum_volume="13"),  # the break before is no gap
    tick("171500000", "17:15:00", cum_volume="13"),
    tick("171900000", "17:19:00", cum_volume="13", bid1="0", bid1_qty="0"),
]
OTHER = [
    {"instrument": "rb1910", "action_time": "20260105 21:00:00", "last": "5", "cum_volume": "2",
     "_delivery_id": "d", "_interval": DAY, "_sequence": 1},
]  # fmt: skip


def test_every_defect_is_counted_in_its_session(run_job: RunJob) -> None:
    """Each defect counts once; breaks are no gaps; what was rejected still counts."""
    ticks = [{**row, "_row_number": i} for i, row in enumerate([*RECORDED, *OTHER], start=1)]
    published = {"trade_date": DAY, "contract_id": "cu2603", "tick_number": 2,
                 "event_time": "2026-01-05 01:00:01"}  # fmt: skip
    given = {"bronze.market_tick": ticks, "silver.market_tick": [published]}
    rows = run_job(tick_quality, given, [DAY])
    found = {(r["contract_id"], r["session"]): r for r in rows}
    assert set(found) == {
        ("cu2603", "MORNING"), ("cu2603", "LATE_MORNING"), ("cu2603", "OUTSIDE"),
        ("rb1910", "NIGHT"),
    }  # fmt: skip
    cu = found["cu2603", "MORNING"]
    assert (cu["exchange"], cu["commodity_id"], cu["tick_count"]) == ("SHFE", "cu", 6)
    assert cu["published_tick_count"] == 1
    assert (cu["gap_count"], cu["longest_gap_seconds"]) == (1, Decimal("120.500"))
    assert (cu["late_count"], cu["longest_delay_seconds"]) == (1, Decimal("178.500"))
    for column in (
        "duplicate_count", "out_of_order_count", "volume_fall_count", "zero_snapshot_count",
        "crossed_count", "one_sided_count",
    ):  # fmt: skip
        assert cu[column] == 1, column
    assert found["cu2603", "LATE_MORNING"]["gap_count"] == 0
    outside = found["cu2603", "OUTSIDE"]
    assert (outside["gap_count"], outside["longest_gap_seconds"]) == (0, None)
    assert outside["one_sided_count"] == 1
    rb = found["rb1910", "NIGHT"]
    assert (rb["late_count"], rb["crossed_count"], rb["one_sided_count"]) == (None, None, None)
    assert (rb["longest_gap_seconds"], rb["tick_count"]) == (None, 1)
