"""Measure what bundling expectations does: one run of Great Expectations with all, or one for each.

``python -m benchmarks.bundling --home LAKE`` prints JSON over published intervals of a lake, per
engine: seconds of judging the same rows with all expectations that read nothing but the batch, in
one run and in a run each. One turn warms; then the median of three counts, on Spark one turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.days import note

if TYPE_CHECKING:
    from contracts.compile.suite import Suite
    from pipelines.engine.lake import Lake

PRODUCTS = ("silver.member_fund", "silver.trade", "silver.order_event")
TURNS = {"pandas": 3, "spark": 1}
"""A turn on Spark is a job or more per expectation: minutes on a busy machine."""
HEADS = ("engine", "product", "rows", "expectations", "one run", "a run each", "ratio")


def compared(lake: Lake, product: str) -> list[dict[str, Any]]:
    """Both ways on both engines, over the first published date of a product."""
    from contracts.compile.suite import suite
    from pipelines.engine.session import spark_session
    from pipelines.engine.tables import open_table, read_files
    from quality.expectations import judge
    from quality.relations import read_batch

    contract = lake.catalogue[product]
    own = {r.id for r in contract.rules if not r.reads and not r.to_product}
    whole = suite(contract, lake.catalogue)
    kept = tuple(e for e in whole.expectations if e.rule_id in own)
    together = replace(whole, expectations=kept)
    apart = [replace(whole, expectations=(e,)) for e in kept]
    stored = open_table(lake.settings.storage, product, contract.interval_column)
    interval = stored.intervals[0]
    paths = [file.path for file in stored.of({interval})]
    rows = read_batch(lake.settings.table(product).files(paths), contract)
    frame = read_files(spark_session(lake.settings), contract, stored.place, paths)
    found = []
    for engine, batch in (("pandas", rows), ("spark", frame)):

        def run(suites: list[Suite], engine: Any = engine, batch: Any = batch) -> int:
            counted = 0
            for one in suites:
                for of in judge(batch, contract, one, {}, (interval,), engine=engine).values():
                    assert all(count.error is None for count in of.values()), of
                    counted += len(of)
            return counted

        assert run([together]) == run(apart) == len(kept)
        turns = TURNS[engine]
        once = _median(turns, lambda r=run: r([together]))
        each = _median(turns, lambda r=run: r(apart))
        note(f"{product} on {engine}: {len(kept)} expectations, {once:.1f} s and {each:.1f} s")
        found.append(
            dict(
                zip(
                    HEADS,
                    (engine, product, rows.num_rows, len(kept), once, each, each / once),
                    strict=True,
                )
            )
        )
    return found


def _median(turns: int, call: Callable[[], Any]) -> float:
    spent = []
    for _ in range(turns):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def main() -> None:
    """Compare on each product of the lake."""
    from pipelines.engine.lake import open_lake
    from pipelines.engine.settings import load_settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    lake = open_lake(load_settings(home=parser.parse_args().home.absolute()))
    rows = [row for product in PRODUCTS for row in compared(lake, product)]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
