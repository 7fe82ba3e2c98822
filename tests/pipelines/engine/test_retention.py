"""Retention: what is past it goes everywhere, what a legal hold or a reader needs stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from catalog.publish import publish, read_states
from contracts.model import LegalHold
from pipelines.engine.faults import RETENTION_POINTS, VARIABLE
from pipelines.engine.ledgers import DELIVERY
from pipelines.engine.maintenance import maintain, plan_care
from pipelines.engine.retention import Retention, first_kept
from tests.pipelines.engine.killing import lake_at
from tests.pipelines.engine.small_lake import D1, D2, NOW, SmallLake, orders

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
ROOT = Path(__file__).resolve().parents[3]
TODAY = date(2026, 2, 10)
"""More than the thirty days of the contracts after both trade dates."""
GONE = ("bronze.order", "bronze.settle", "gold.order_day", "silver.order", "silver.settle")


def with_hold(lake: SmallLake) -> SmallLake:
    """The lake, published to an audience, with a legal hold on the second day of everything."""
    made = lake_at(lake.home)
    hold = LegalHold(first=date.fromisoformat(D2), last=date(2026, 1, 31), reason="case 12")
    for contract in list(made.catalogue.contracts.values()):
        made = made.with_contract(contract.model_copy(update={"legal_holds": (hold,)}))
    return made


def retention(lake: SmallLake) -> Retention:
    """What decides, on a day when both dates are past their retention."""
    made = lake.lake
    kept = first_kept(made.ledgers)
    return Retention(made.catalogue.contracts, made.graph, made.state(), TODAY, kept)


def products(lake: SmallLake) -> list[str]:
    """Every product of the lake."""
    return [c.product for c in lake.catalogue.contracts.values()]


def settle(lake: SmallLake) -> None:
    """Maintain the lake with retention."""
    maintain(lake.lake.settings, products(lake), retention=retention(lake))


def test_what_is_past_its_retention_goes_and_is_not_built_again(
    spark: SparkSession, lake: SmallLake
) -> None:
    """Rows, quarantined rows and landed copies of one date; a held date and dimensions stay."""
    held = with_hold(lake)
    settings = held.lake.settings
    publish(settings, held.catalogue, now=NOW)
    rows = {p: held.rows(p, D2) for p in GONE if not p.startswith("bronze")}
    clients = held.rows("silver.client")
    cares = {c.table: c for c in plan_care(settings, products(held), retention(held))}
    assert {t for t, c in cares.items() if c.retired} == set(GONE)
    assert all(cares[p].retired == (D1,) and cares[p].on_hold == (D2,) for p in GONE)
    assert held.rows("silver.order", D1), "a plan removes nothing"
    fresh = {key: date(2026, 2, 1) for key in retention(held).first_kept}
    lately = replace(retention(held), first_kept=fresh)
    assert not any(c.retired for c in plan_care(settings, products(held), lately)), (
        "history that was landed a week ago"
    )
    settle(held)
    for product in GONE:
        column = "_interval" if product.startswith("bronze") else "trade_date"
        assert {str(r[column]) for r in held.rows(product)} == {D2}
    assert {p: held.rows(p, D2) for p in rows} == rows
    assert held.rows("silver.client") == clients
    assert held.rows("bronze.client"), "read whole by a dimension"
    landed = {(d.dataset, d.interval): (settings.home / str(d.path)).exists()
              for d in held.lake.ledgers.read(DELIVERY)}  # fmt: skip
    assert not landed["order", D1]
    assert landed["order", D2]
    assert landed["client", D1]
    assert held.planned() == {}
    held.deliver("order", D1, [r for r in orders(D1, o03="9.00") if r[0] == "o03"], sequence=2,
                 mode="correction")  # fmt: skip
    assert held.planned() == {}, "a correction of what has expired changes nothing"
    assert held.run(force=True).failures == ()
    assert held.rows("silver.order", D1) == []
    publish(settings, held.catalogue, now=datetime(2026, 2, 10, tzinfo=UTC))
    listed = {s.interval for s in read_states(settings, held.catalogue, NOW)}
    assert D1 not in listed
    with duckdb.connect(str(settings.publish / "analyst.duckdb"), read_only=True) as connection:
        days = connection.execute(
            "SELECT DISTINCT trade_date::VARCHAR FROM silver.order"
        ).fetchall()
        causes = connection.execute("SELECT DISTINCT kind FROM _meta.change_cause").fetchall()
    assert days == [(D2,)]
    assert causes == [("retention",)]
    settle(held)
    assert all(not c.retired for c in plan_care(settings, products(held), retention(held)))


@pytest.mark.parametrize("point", RETENTION_POINTS)
def test_killed_between_two_steps_the_next_one_finishes(
    spark: SparkSession, lake: SmallLake, point: str
) -> None:
    """SIGKILL after the ledger or after the first table: the rest is removed, nothing else is."""
    code = (
        "import sys; from pathlib import Path;"
        "from tests.pipelines.engine.test_retention import settle, with_hold;"
        "from tests.pipelines.engine.small_lake import SmallLake;"
        "settle(with_hold(SmallLake.at(Path(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(lake.home)], cwd=ROOT, check=False, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: point},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    held = with_hold(lake)
    assert held.planned() == {}
    settle(held)
    for product in GONE:
        column = "_interval" if product.startswith("bronze") else "trade_date"
        assert {str(r[column]) for r in held.rows(product)} == {D2}
