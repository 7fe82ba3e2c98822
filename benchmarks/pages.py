"""Measure the steward's pages: 60 products x 60 intervals x 20 rules, and where the time goes.

``python -m benchmarks.pages [--products 60 --intervals 60 --rules 20] [--profile N]`` makes the
ledgers of such a lake, then prints JSON: CPU and wall seconds of each step. ``--profile`` prints
the N functions that took the most time.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from catalog.pages.gather import catalog_of
from catalog.pages.render import render_all, write_pages
from catalog.trends import trends
from contracts.catalogue import Catalogue, load_catalogue
from contracts.model import Contract, Read
from exlake.steward.board import board_of
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.graph import Graph, Node
from pipelines.engine.incidents import bring_up_to_date
from pipelines.engine.lake import Lake
from pipelines.engine.ledgers import INTERVAL, RESULT, Ledgers
from pipelines.engine.rows import IntervalRow, ResultRow
from pipelines.engine.settings import load_settings
from quality.outcome import RuleResult, Verdict
from quality.report import ReportDocument, RunInfo, render

NOW = datetime(2026, 4, 10, 10, tzinfo=UTC)
FIRST = date(2026, 1, 5)


def contracts_of(products: int, rules: int) -> dict[str, Contract]:
    """Contracts with the columns of our trades and ``rules`` rules each."""
    trade = load_catalogue()["silver.trade"]
    kept = (trade.rules * (rules // len(trade.rules) + 1))[:rules]
    return {
        f"silver.p{n:02}": trade.model_copy(
            update={
                "product": f"silver.p{n:02}",
                "rules": tuple(
                    r.model_copy(update={"id": f"p{n:02}.{i:02}.{r.id}"})
                    for i, r in enumerate(kept)
                ),
            }
        )
        for n in range(products)
    }


def graph_of(contracts: dict[str, Contract]) -> Graph:
    """Each product reads the two before it."""
    names = list(contracts)
    return Graph(
        {
            name: Node(
                contracts[name], None, tuple(Read(product=p) for p in names[max(0, n - 2) : n]), ()
            )
            for n, name in enumerate(names)
        }
    )


def result(contract: Contract, rule: Any, interval: str, day: int, seed: int) -> dict[str, Any]:
    """A judgement; about one in fifty fails."""
    bad = (day * 7 + seed * 13) % 50 == 0
    return {
        "product": contract.product, "interval": interval, "rule_id": rule.id,
        "rule_fingerprint": rule.fingerprint, "kind": rule.kind, "dimension": rule.dimension,
        "severity": rule.severity, "scope": rule.scope, "outcome": "failed" if bad else "passed",
        "failing": 3 if bad else 0, "checked": 1000, "gx_failing": None, "tolerance": 0.0,
        "expected": None, "actual": None, "difference": None, "evidence": None,
        "message": "3 of 1000 rows" if bad else "", "decision_id": None,
    }  # fmt: skip


def verdicts_of(contracts: dict[str, Contract], days: list[str]) -> list[Verdict]:
    """A verdict per product and interval; some of the last day are blocked."""
    found = []
    for n, contract in enumerate(contracts.values()):
        for d, day in enumerate(days):
            judged = tuple(
                RuleResult(**result(contract, r, day, d, n + i))
                for i, r in enumerate(contract.rules)
            )
            kind = "block" if d == len(days) - 1 and n % 6 == 0 else "publish"
            found.append(
                Verdict(contract.product, day, kind, 1000, 1000, 0, judged, ())  # type: ignore[arg-type]
            )
    return found


def ledgers_of(home: Path, verdicts: list[Verdict], days: list[str]) -> Ledgers:
    """The ledgers that runs of one day each would have left."""
    ledgers = Ledgers(home / "ops", home / "locks")
    for day in days:
        mine = [v for v in verdicts if v.interval == day]
        common = {
            "run_id": f"r{day}",
            "batch_id": f"b{day}",
            "contract_version": "1",
            "job_version": 1,
        }
        results = [r for v in mine for r in v.results]
        ledgers.append(
            (RESULT, [ResultRow(**vars(r), **common, judged_at=NOW) for r in results]),
            (INTERVAL, [
                IntervalRow(
                    product=v.product, interval=day, **common, schema_fingerprint="s",
                    state="blocked" if v.decision == "block" else "published",
                    rules_fingerprint="f", decisions_fingerprint="", committed_at=NOW,
                    fingerprint=None if v.decision == "block" else "1", delta_version=1,
                    built=1000, accepted=1000,
                )
                for v in mine
            ]),
        )  # fmt: skip
    return ledgers


def bare(page: str) -> int:
    """Bytes of a page without its drawings."""
    return len(re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).encode())


def main() -> None:
    """Make the lake, run each step once, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = {"products": 60, "intervals": 60, "rules": 20, "profile": 0}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    contracts = contracts_of(given.products, given.rules)
    calendar = TradingCalendar.default()
    days = [d.isoformat() for d in calendar.between(FIRST, FIRST + timedelta(days=120))]
    days = days[: given.intervals]
    verdicts = verdicts_of(contracts, days)
    catalogue = Catalogue(contracts, load_catalogue().standards)
    graph = graph_of(contracts)
    steps: dict[str, dict[str, float]] = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        steps[name] = {
            "seconds": round(time.perf_counter() - wall, 2),
            "cpu": round(time.process_time() - cpu, 2),
        }

    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({}, home=Path(folder) / "lake")
        ledgers = ledgers_of(settings.home, verdicts, days)
        lake = Lake(settings, catalogue, graph, calendar, ledgers)

        def work() -> None:
            with step("incidents, everything replayed"):
                bring_up_to_date(ledgers, contracts, NOW, "r")
            with step("first screen"):
                board = board_of(lake, NOW)
            with step("trends"):
                found = trends(ledgers, until=days[-1])
            with step("report of all intervals"):
                pages = render(
                    ReportDocument(
                        RunInfo("bench", NOW, NOW), contracts, tuple(verdicts), board=board,
                        trends={(p, r): t for p, of in found.items() for r, t in of.items()},
                    )
                )  # fmt: skip
                sizes_found = {k: bare(v) for k, v in pages.items()}
                steps["report bytes, without drawings"] = sizes_found
            with step("pages, read"):
                catalog = catalog_of(settings, catalogue, graph, NOW)
            with step("pages, drawn"):
                texts = render_all(catalog)
                largest = max(map(bare, texts.values()))
                steps["largest page bytes, without drawings"] = {"bytes": largest}
            with step("pages, written"):
                write_pages(settings, catalogue, graph, now=NOW)
            with step("pages, again"):
                write_pages(settings, catalogue, graph, now=NOW)

        total = time.process_time()
        _profiled(work, given.profile)
        total = time.process_time() - total
    print(json.dumps({"results": sum(len(v.results) for v in verdicts), "cpu": round(total, 1),
                      "steps": steps}, indent=2))  # fmt: skip


def _profiled(work: Callable[[], None], lines: int) -> None:
    if not lines:
        work()
        return
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(lines)


if __name__ == "__main__":
    main()
