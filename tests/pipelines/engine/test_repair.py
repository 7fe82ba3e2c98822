"""Ledgers are mended from what the commits say of themselves."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.engine.ledgers import INTERVAL, LINEAGE, RESULT
from pipelines.engine.repair import repair
from tests.pipelines.engine.small_lake import ALL, NOW, SmallLake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def mend(lake: SmallLake) -> int:
    """What a run does first; how many interval rows it appended."""
    opened = lake.lake
    from pipelines.engine.state import load_state

    state = load_state(opened.ledgers, opened.graph, opened.settings.storage)
    return len(repair(opened.ledgers, opened.settings.storage, opened.graph.built, state, NOW))


def lines(lake: SmallLake, ledger: Any) -> Counter[Any]:
    """A ledger's rows without their order, evidence and time of recording."""
    rows = lake.lake.ledgers.read(ledger)
    drop: dict[str, Any] = {"sequence": 0}
    if ledger is RESULT:
        drop["evidence"] = None
    if ledger is LINEAGE:
        drop |= {"recorded_at": NOW, "input_version": None}
    return Counter(repr(replace(r, **drop)) for r in rows)


@pytest.mark.parametrize("lost", [("interval", "result", "lineage"), ("interval",)])
def test_lost_ledgers_are_restored(
    built: SmallLake, lake: SmallLake, lost: tuple[str, ...]
) -> None:
    """Flow 5: after a commit whose record was lost, ledgers end as if it had been kept."""
    for name in lost:
        shutil.rmtree(lake.home / "ops" / name)
    assert lake.planned() == {}, "planning already reads the commits"
    assert mend(lake) == 7
    for ledger in (INTERVAL, RESULT, LINEAGE):
        assert lines(lake, ledger) == lines(built, ledger)
    assert lake.ledger() == built.ledger()
    assert mend(lake) == 0, "once"


def test_nothing_is_built_again_after_a_repair(
    spark: SparkSession, built: SmallLake, lake: SmallLake
) -> None:
    """Invariant 3: the run that repairs finds everything fresh."""
    shutil.rmtree(lake.home / "ops" / "interval")
    summary = lake.run()
    assert (summary.idle, summary.repaired) == (True, 7)
    assert {p for p in ALL if lake.lake.state().records.get(p)} == set(ALL)
    assert lake.versions() == built.versions()
