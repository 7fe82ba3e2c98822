"""A lake of the small estate: deliveries in by the real landing, products by the real engine."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from contracts.catalogue import Catalogue
from contracts.load import load_catalogue
from contracts.model import Contract, Rule
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.delivery import Delivery
from pipelines.engine.discovery import discover
from pipelines.engine.graph import build_graph
from pipelines.engine.incidents import CURSOR
from pipelines.engine.ledgers import DECISION, INCIDENT, INTERVAL, LINEAGE, RESULT, Ledgers
from pipelines.engine.rows import DecisionRow, IntervalRow, ResultRow
from pipelines.engine.run import Lake, RunSummary, run
from pipelines.engine.settings import load_settings
from pipelines.engine.tables import exists
from pipelines.sources.landing import land
from quality.hashing import EMPTY, portable_hash_sql

ESTATE = Path(__file__).parent / "estate"
D1, D2 = "2026-01-05", "2026-01-06"
NOW = datetime(2026, 1, 6, 10, 0, tzinfo=UTC)
SILVER = ("silver.client", "silver.settle", "silver.order")
ALL = (*SILVER, "gold.order_day")

CLIENTS = {
    D1: [("c1", 1, "A", "20260105"), ("c2", 1, "A", "20260105")],
    D2: [("c2", 2, "U", "20260106")],
}
DIRTY = {
    "o03": ["order.price.range"],  # the price is below zero
    "o04": ["unit:order.price.range"],
    "o05": ["order.client.known"],
    "o06": ["unit:order.client.known"],
    "o09": ["order.parsed", "order.price.not_null"],
    "o10": ["unit:order.parsed", "unit:order.price.not_null"],
    "o11": ["order.key.unique"],  # the second of two
    "o12": ["unit:order.key.unique"],
    "o13": ["order.pair.both"],
}
"""What each rejected order of the first day broke (``o11`` twice: its first row moves too)."""
CLEAN = ("o01", "o02", "o07", "o08")
PUBLISHED_LOTS, DELIVERED_LOTS = 212, 238


def orders(day: str, **prices: str) -> list[tuple[Any, ...]]:
    """A day's orders; ``prices`` changes single orders' prices."""
    at, stamp = day.replace("-", ""), f"{day} 09:00:00"
    rows: list[tuple[Any, ...]] = [
        ("o01", "p1", "c1", "B", "10.00", 5, stamp, "first", at),
        ("o02", "p1", "c2", "S", "10.00", 5, stamp, "o02", at),  # a warning
    ]
    if day == D1:
        rows += [
            ("o03", "p2", "c1", "B", "-1.00", 3, stamp, "", at),
            ("o04", "p2", "c2", "S", "10.00", 3, stamp, "", at),
            ("o05", "p3", "c9", "B", "10.00", 2, stamp, "", at),
            ("o06", "p3", "c1", "S", "10.00", 2, stamp, "", at),
            ("o07", "p4", "c1", "B", "11.50", 101, stamp, "", at),  # a warning
            ("o08", "p4", "c2", "S", "11.50", 101, stamp, "", at),
            ("o09", "p5", "c1", "B", "about ten", 1, stamp, "", at),
            ("o10", "p5", "c2", "S", "9.00", 1, stamp, "", at),
            ("o11", "p6", "c1", "B", "9.00", 2, stamp, "", at),
            ("o11", "p6", "c1", "B", "9.00", 2, stamp, "", at),
            ("o12", "p6", "c2", "S", "9.00", 2, stamp, "", at),
            ("o13", "p7", "c2", "S", "9.00", 8, stamp, "", at),
        ]
    return [(*r[:4], prices.get(r[0], r[4]), *r[5:]) for r in rows]


def settled(day: str, lots: int | None = None, carried: int = 0) -> list[tuple[Any, ...]]:
    """What was settled: the lots of ``orders``, in the name of one client."""
    total = (DELIVERED_LOTS if day == D1 else 10) if lots is None else lots
    before = carried if day == D1 else carried + DELIVERED_LOTS
    return [("c1", before, total, before + total, day.replace("-", ""))]


@dataclass(frozen=True)
class SmallLake:
    """One lake below ``home``; ``catalogue`` may be one with other rules."""

    home: Path
    catalogue: Catalogue
    commit: str = "auto"
    master: str = "local[2]"
    storage: Mapping[str, str] = field(default_factory=dict)
    """The settings that say where its tables are; none: in its home."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Other settings than the engine's own."""

    @classmethod
    def at(cls, home: Path, commit: str = "auto") -> SmallLake:
        """A new, empty lake."""
        return cls(home, load_catalogue(ESTATE / "contracts"), commit)

    def copied(self, home: Path) -> SmallLake:
        """A copy to change."""
        shutil.copytree(self.home, home)
        return replace(self, home=home)

    def with_rule(self, product: str, rule: Rule) -> SmallLake:
        """The same lake under a contract with one more rule, or another form of one."""
        contract = self.catalogue[product]
        rules = (*(r for r in contract.rules if r.id != rule.id), rule)
        return self.with_contract(contract.model_copy(update={"rules": rules}))

    def with_contract(self, contract: Contract, **how: Any) -> SmallLake:
        """The same lake with another form of one contract."""
        contracts = {**self.catalogue.contracts, contract.product: contract}
        return replace(self, catalogue=replace(self.catalogue, contracts=contracts), **how)

    @property
    def lake(self) -> Lake:
        """The engine's view of it."""
        spark_options = {
            # Compiling code for a dozen rows costs a third of the time.
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        }
        settings = load_settings(
            environ={}, home=self.home, commit=self.commit, master=self.master,
            driver_memory="1g", jvm_compiler="quick", spark_options=spark_options,
            **self.storage, **self.settings,
        )  # fmt: skip
        jobs = discover(root=ESTATE, package="tests.pipelines.engine.estate")
        return Lake(
            settings,
            self.catalogue,
            build_graph(self.catalogue.contracts, jobs),
            TradingCalendar.default(),
            Ledgers(settings.ops, settings.locks),
        )

    def deliver(
        self, dataset: str, day: str, rows: Sequence[Sequence[Any]], *, sequence: int = 1,
        mode: str = "full",
    ) -> Delivery:  # fmt: skip
        """Drop one file with its manifest and land it."""
        self.drop(dataset, day, rows, sequence=sequence, mode=mode)
        (landed,) = self.land()
        assert landed.status == "landed", landed.message
        return landed

    def land(self) -> list[Delivery]:
        """Land what was dropped."""
        return land(self.lake.settings, self.catalogue, now=lambda: NOW)

    def drop(
        self, dataset: str, day: str, rows: Sequence[Sequence[Any]], *, sequence: int = 1,
        mode: str = "full",
    ) -> None:  # fmt: skip
        """Leave one file and its manifest in the inbox."""
        columns = [c.name for c in self.catalogue[f"bronze.{dataset}"].business_columns]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        data = text.getvalue().encode()
        at = day.replace("-", "")
        corrected = f".c{sequence}" if sequence > 1 else ""
        path = self.home / "inbox" / "test" / at / f"{dataset}_{at}{corrected}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        manifest = {
            "manifest_version": 1, "system": "test", "dataset": dataset, "interval": day,
            "mode": mode, "part": None, "parts": None, "sequence": sequence, "file": path.name,
            "rows": len(rows), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
            "encoding": "utf-8", "generated_at": f"{day}T16:00:00+08:00",
        }  # fmt: skip
        path.with_name(f"{path.name}.manifest.json").write_text(json.dumps(manifest))

    def deliver_days(self, *days: str) -> SmallLake:
        """Everything of these days."""
        for day in days:
            self.deliver("client", day, CLIENTS[day])
            self.deliver("settle", day, settled(day))
            self.deliver("order", day, orders(day))
        return self

    def run(self, *products: str, **how: Any) -> RunSummary:
        """Run (all products unless some are named); every failure is raised."""
        lake = self.lake
        summary = run(lake.settings, lake=lake, products=products or None, now=lambda: NOW, **how)
        for failure in summary.failures:
            raise failure.error
        return summary

    def planned(self) -> dict[str, Any]:
        """(product, interval) -> why, of all that will or may run or be judged again."""
        plan = self.lake.plan(self.lake.request())
        found = {
            f"{stage.product} {p.interval}": (kind, {r.why for r in p.reasons})
            for stage in plan
            for kind in ("will_run", "may_run", "judge_again")
            for p in getattr(stage, kind)
        }
        assert {tuple(k.split()) for k in found} == plan.touched()
        return found

    def decide(self, *decisions: DecisionRow) -> None:
        """Record stewards' decisions."""
        self.lake.ledgers.append((DECISION, decisions))

    def forget(self, *products: str) -> None:
        """As if these products had never been built."""
        ledgers = self.lake.ledgers
        for ledger in (INTERVAL, RESULT, LINEAGE):
            kept = [r for r in ledgers.read(ledger) if r.product not in products]
            shutil.rmtree(self.home / "ops" / ledger.name)
            ledgers.append((ledger, kept))
        # These ledgers' sequences begin anew, so what counted on the old ones does too.
        shutil.rmtree(self.home / "ops" / INCIDENT.name, ignore_errors=True)
        (self.home / "ops" / CURSOR).unlink(missing_ok=True)
        for product in products:
            shutil.rmtree(self.lake.settings.table(product))
            shutil.rmtree(self.lake.settings.storage.quarantine(product), ignore_errors=True)

    # --- what is there ------------------------------------------------------------------------

    def state(self, product: str, interval: str) -> IntervalRow:
        """The newest ledger row of an interval."""
        record = self.lake.state().record(product, interval)
        assert record is not None, f"{product} {interval} is not there"
        return record.latest

    def states(self) -> dict[str, str]:
        """``product interval`` -> state, by the ledger."""
        rows = self.lake.ledgers.read(INTERVAL)
        return {f"{r.product} {r.interval}": r.state for r in rows}

    def results(self, product: str, interval: str) -> list[ResultRow]:
        """The results of the newest attempt."""
        rows = [
            r
            for r in self.lake.ledgers.read(RESULT, where={"product": [product]})
            if r.interval == interval
        ]
        last = max((r.sequence, r.batch_id) for r in rows)[1]
        return [r for r in rows if r.batch_id == last]

    def rows(self, product: str, interval: str | None = None) -> list[dict[str, Any]]:
        """Published rows as delta-rs reads them, in key order."""
        place = self.lake.settings.table(product)
        if not exists(place):
            return []
        contract = self.catalogue[product]
        found: list[dict[str, Any]] = place.rows([]).to_pylist()
        column = contract.interval_column
        kept = [r for r in found if interval is None or str(r[str(column)]) == interval]
        return sorted(kept, key=lambda r: tuple(str(r[k]) for k in contract.key))

    def ids(self, interval: str = D1) -> tuple[str, ...]:
        """Published orders of a day."""
        return tuple(r["order_id"] for r in self.rows("silver.order", interval))

    def aside(self, product: str = "silver.order", interval: str = D1) -> list[dict[str, Any]]:
        """Quarantined rows that count: those of the batch the ledger names."""
        place = self.lake.settings.storage.quarantine(product)
        if not exists(place):
            return []
        attempt = self.lake.state().records[product][interval].attempt
        assert attempt is not None
        rows: list[dict[str, Any]] = place.rows([]).to_pylist()
        return [r for r in rows if r["interval"] == interval and r["batch_id"] == attempt.batch_id]

    def hashes(self, products: Iterable[str] = ALL) -> dict[str, str]:
        """The portable hash of each product's published content."""
        return {p: self.hash(p) for p in products}

    def hash(self, product: str) -> str:
        """The portable hash of one product, by DuckDB over delta-rs' rows."""
        place = self.lake.settings.table(product)
        if not exists(place):
            return EMPTY
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone='UTC'")
            connection.register("content", place.rows([]))
            sql = portable_hash_sql(self.catalogue[product], "duckdb", "content")
            (value,) = connection.execute(sql).fetchall()[0]
        return str(value)

    def versions(self) -> dict[str, int]:
        """Delta version of every table but the ledgers."""
        storage = self.lake.settings.storage
        products = tuple(self.catalogue.contracts)
        places = (*map(storage.table, products), *map(storage.quarantine, products))
        found = {"/".join(p.uri.split("/")[-2:]): p.version() for p in places}
        return {name: version for name, version in sorted(found.items()) if version >= 0}

    def ledger(self) -> dict[str, Mapping[str, Any]]:
        """What the ledgers say of each interval, without what differs between two runs."""
        found: dict[str, Mapping[str, Any]] = {}
        for product in ALL:
            for interval, record in self.lake.state().records.get(product, {}).items():
                row = record.latest
                found[f"{product} {interval}"] = {
                    "state": row.state, "fingerprint": row.fingerprint, "built": row.built,
                    "accepted": row.accepted, "quarantined": row.quarantined,
                    "aside": len(self.aside(product, interval)),
                    "inputs": [(p.product, p.at, p.fingerprint) for p in row.inputs if
                               p.at not in ("as_of", "all")],
                    "results": sorted((r.rule_id, r.outcome, r.failing) for r in
                                      self.results(product, interval)),
                }  # fmt: skip
        return found


def date_of(day: str) -> date:
    """The date of an interval."""
    return date.fromisoformat(day)
