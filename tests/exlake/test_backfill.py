"""Backfills: every interval is told, stopped ones go on, and only what failed is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exlake.orchestration.backfilling import Backfill, carry_out_backfill, plan_backfill
from pipelines.engine import batch
from pipelines.engine.calendar import TradingCalendar
from tests.pipelines.engine.small_lake import (
    CLIENTS,
    D1,
    DELIVERED_LOTS,
    SmallLake,
    orders,
    settled,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
DAYS = [
    d.isoformat() for d in TradingCalendar.default().between(date(2026, 1, 6), date(2026, 2, 4))
]
BUILD = batch.build


def delivered(home: Path, days: Sequence[str]) -> SmallLake:
    """A lake with the clients and, for each day, two orders and what was settled of them."""
    lake = SmallLake.at(home)
    lake.drop("client", D1, CLIENTS[D1])
    for number, day in enumerate(days):
        lake.drop("settle", day, settled(day, carried=10 * number - DELIVERED_LOTS))
        lake.drop("order", day, orders(day))
    lake.land()
    return lake


def planned(lake: SmallLake, days: Sequence[str], **how: Any) -> Backfill:
    """The backfill of the last product of the chain."""
    span = (date.fromisoformat(days[0]), date.fromisoformat(days[-1]))
    return plan_backfill(lake.lake, "gold.order_day", span, **how)


def states(backfill: Backfill, **how: Any) -> dict[str, str]:
    """Carry it out: ``product interval`` -> state of the two last products."""
    outcomes, _ = carry_out_backfill(backfill, lambda line: None, **how)
    return {f"{o.product} {o.interval}": o.state for o in outcomes
            if o.product in ("silver.order", "gold.order_day")}  # fmt: skip


def test_each_interval_is_told_and_only_what_failed_is_repeated(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blocked day holds its own mart and no other; ``--failed`` repeats these two alone.

    A day that breaks its batch is found by halving it, and the others are done.
    """
    days = DAYS[:4]
    lake = delivered(tmp_path / "lake", days)
    lake.deliver("order", days[1], [*orders(days[1]), *orders(days[1])[:1]], sequence=2)

    def build(context: Any, state: Any, product: str, plans: Any, **how: Any) -> Any:
        if product == "silver.order" and days[2] in [p.interval for p in plans]:
            raise ValueError("a bad day")
        return BUILD(context, state, product, plans, **how)

    monkeypatch.setattr(batch, "build", build)
    first = planned(lake, days)
    said: list[str] = []
    outcomes, summary = carry_out_backfill(first, said.append)
    assert {(o.product, o.interval) for o in outcomes} == set(first.plan.touched())
    found = {f"{o.product} {o.interval}": o for o in outcomes}
    assert {k: o.state for k, o in found.items() if "order" in k} == {
        f"silver.order {days[0]}": "published", f"gold.order_day {days[0]}": "published",
        f"silver.order {days[1]}": "blocked", f"gold.order_day {days[1]}": "held",
        f"silver.order {days[2]}": "failed", f"gold.order_day {days[2]}": "held",
        f"silver.order {days[3]}": "published", f"gold.order_day {days[3]}": "published",
    }  # fmt: skip
    assert "order.lots.settled" in "; ".join(found[f"silver.order {days[1]}"].reasons)
    assert found[f"silver.order {days[2]}"].reasons == ("a bad day",)
    assert [str(f.error) for f in summary.failures] == ["a bad day"]
    assert any(line.startswith(f"[{first.intervals}/") or "[4/" in line for line in said), said
    monkeypatch.undo()
    lake.deliver("order", days[1], orders(days[1]), sequence=3)
    again = planned(lake, days, failed=True)
    failed = {f"{p} {d}" for p in ("silver.order", "gold.order_day") for d in days[1:3]}
    assert {f"{p} {i}" for p, i in again.plan.touched()} == failed
    assert states(again) == dict.fromkeys(sorted(failed), "published")
    assert planned(lake, days, failed=True).plan.idle


def test_stopped_it_goes_on_where_it_was(spark: SparkSession, tmp_path: Path) -> None:
    """Asked to stop, a backfill ends after the batch at work; the next one does the rest."""
    days = DAYS[:2]
    lake = delivered(tmp_path / "lake", days)
    said: list[str] = []
    outcomes, summary = carry_out_backfill(
        planned(lake, days), said.append, lambda: any("silver.order" in s for s in said)
    )
    assert summary.stopped
    told = {f"{o.product} {o.interval}": (o.state, o.reasons) for o in outcomes}
    assert [told[f"silver.order {d}"][0] for d in days] == ["published", "published"]
    assert [told[f"gold.order_day {d}"] for d in days] == [("not done", ("stopped",))] * 2
    rest = planned(lake, days)
    assert {p for p, _ in rest.plan.touched()} == {"gold.order_day"}
    assert set(states(rest).values()) == {"published"}
    assert planned(lake, days).plan.idle


def test_intervals_of_a_backfill_share_a_batch(spark: SparkSession, tmp_path: Path) -> None:
    """Fixed costs are paid once: twenty intervals are one batch of each product, judged apart.

    What that saves is measured by ``benchmarks.backfill``.
    """
    lake = delivered(tmp_path / "lake", DAYS[:20])
    lake.run("silver.client", "silver.settle")
    done = lake.run("silver.order", "gold.order_day")
    assert [(o.product, len(o.rows)) for o in done.outcomes] == [
        ("silver.order", 20), ("gold.order_day", 20),
    ]  # fmt: skip
    assert len({(v.product, v.interval) for v in done.verdicts}) == 40
