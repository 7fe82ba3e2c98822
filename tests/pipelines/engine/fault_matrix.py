"""The fault matrix: kill at every named point, heal, compare with an undisturbed lake.

``python -m tests.pipelines.engine.fault_matrix`` does all of it (20 minutes on two cores)
and writes ``docs/fault-matrix.md``. ``--short`` does what ``make test`` holds and
``--only=TEXT`` the cases whose name contains it; both print the table and write nothing. Exit 1
when a case is not as it must be.

Victims are processes of their own that end by SIGKILL. Another process, whose JVM stays up, runs
what the victims left; a third one reads Delta tables and the published DuckDB file all the while.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.engine import faults
from tests.pipelines.engine.comparing import differences, rows_moved
from tests.pipelines.engine.fault_page import Case, line, page
from tests.pipelines.engine.killing import EVERYTHING, Order, drop, lake_at
from tests.pipelines.engine.small_lake import D1, SmallLake
from tests.pipelines.engine.watching import seen

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "fault-matrix.md"
GROUPS = 8
"""Groups of deliveries whose undisturbed states are known (8 looks like 6, 9 like 7, ...)."""
SEQUENCE = 20
KILLED = -9


class Worker:
    """A process that takes orders (see ``killing``)."""

    def __init__(self, kind: str, scratch: Path) -> None:
        self.log = scratch / f"{kind}.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EXLAKE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.engine.killing", kind, str(self.log)],
            cwd=ROOT, env={**kept, "PYTHONPATH": str(ROOT), "TZ": "UTC"}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(scratch / f"{kind}.err").open("w"),
        )  # fmt: skip
        self.answer()

    def send(self, order: Order) -> None:
        """Give an order without waiting."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asdict(order)) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for the answer to the oldest order."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended: see {self.log.parent}")
        found: dict[str, Any] = json.loads(line)
        return found

    def do(self, lake: SmallLake, *what: str, **how: Any) -> dict[str, Any]:
        """Give an order and wait."""
        self.send(Order(str(lake.home), what or EVERYTHING, **how))
        return self.answer()

    def close(self) -> None:
        """Let the process end."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)


class Reader:
    """The process that looks at one lake after the other."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch

    @contextmanager
    def watching(self, lake: SmallLake) -> Iterator[dict[str, Any]]:
        """Look at the lake while the block runs; the dict holds what was seen afterwards."""
        current, notes = self.scratch / "current", self.scratch / "notes.json"
        current.write_text(str(lake.home), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.engine.watching", str(current), str(notes)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout
        process.stdout.readline()  # it has looked once
        found: dict[str, Any] = {}
        try:
            yield found
        finally:
            current.unlink()
            process.wait(120)
        found |= json.loads(notes.read_text(encoding="utf-8"))


@dataclass
class Bench:
    """Everything a matrix needs: workers, undisturbed lakes and what readers may see."""

    scratch: Path
    victims: Worker
    healer: Worker
    reader: Reader
    calm: dict[int, SmallLake] = field(default_factory=dict)
    allowed: set[tuple[str, ...]] = field(default_factory=set)
    count: int = 0

    def undisturbed(self, groups: int) -> None:
        """Carry out group after group without a disturbance, and note every state on the way."""
        lake = lake_at(self.scratch / "undisturbed")
        for number in range(1, groups + 1):
            drop(lake, number)
            done = self.healer.do(lake)
            assert done["status"] == 0, done
            self.allowed |= set(seen(lake.home))
            self.calm[number] = _copied(lake, self.scratch / f"calm-{number}")

    def copy(self, lake: SmallLake | None = None) -> SmallLake:
        """A lake to disturb: a copy, or a new one."""
        self.count += 1
        home = self.scratch / f"lake-{self.count}"
        if lake is None:
            home.mkdir()
            return lake_at(home)
        return _copied(lake, home)

    def heal(self, lake: SmallLake) -> list[str]:
        """Run what is left, twice: the second time there must be nothing to do."""
        done = self.healer.do(lake)
        found = [] if done["status"] == 0 else [f"healing: {done['said']}"]
        versions = lake.versions()
        again = self.healer.do(lake)
        if again["status"] or lake.versions() != versions or not lake.lake.plan(
            lake.lake.request()
        ).idle:  # fmt: skip
            found.append(f"not at rest after healing: {again['said']}")
        return found

    def case(
        self,
        name: str,
        how: str,
        lake: SmallLake,
        calm: SmallLake,
        disturb: Callable[[SmallLake], tuple[int, list[str]]],
    ) -> Case:
        """Disturb, heal, compare."""
        began = time.monotonic()
        with self.reader.watching(lake) as notes:
            kills, wrong = disturb(lake)
            wrong += self.heal(lake)
        strange = [s for s in map(tuple, notes["seen"]) if s not in self.allowed]
        lost, doubled = rows_moved(calm, lake)
        wrong += [*differences(calm, lake), *notes["errors"][:3]]
        shutil.rmtree(lake.home, ignore_errors=True)
        return Case(
            name, how, kills, lost, doubled, len(strange), notes["looks"], tuple(wrong),
            round(time.monotonic() - began, 1),
        )  # fmt: skip


def _copied(lake: SmallLake, home: Path) -> SmallLake:
    shutil.copytree(lake.home, home, ignore=shutil.ignore_patterns("spark"))
    return lake_at(home)


# --- comparing ----------------------------------------------------------------------------------


def killed(bench: Bench, what: tuple[str, ...], *points: str, **how: Any) -> Any:
    """A disturbance: one victim after the other, each killed at its point."""

    def disturb(lake: SmallLake) -> tuple[int, list[str]]:
        wrong = []
        for point in points:
            done = bench.victims.do(lake, *what, fault=point, **how)
            if done["status"] != KILLED:
                wrong.append(f"{point} was not reached ({done['status']}): {done['said'][-300:]}")
        return len(points), wrong

    return disturb


def alone(bench: Bench, only: str) -> Iterator[Case]:
    """Each point by itself, on a lake that holds a day and gets a new one and a correction."""
    base = bench.copy(bench.calm[1])
    drop(base, 2)
    drop(base, 3)
    landed = bench.copy(base)
    assert bench.healer.do(landed, "land")["status"] == 0
    built = bench.copy(landed)
    assert bench.healer.do(built, "run")["status"] == 0
    stale = built.home / "publish" / "earlier" / "analyst" / "analyst-20250101T000000Z-0.duckdb"
    stale.write_bytes(b"an edition that is masked as nobody masks today")
    stale.with_suffix(".json").write_text('{"gold.order_day": "other"}', encoding="utf-8")
    worn = bench.copy(built)
    _wear(worn)
    torn = bench.copy(landed)
    plans: list[tuple[str, str, SmallLake, tuple[str, ...], tuple[str, ...]]] = []
    for point in (*faults.LANDING_POINTS, "delivery-appended:2"):
        plans.append((point, "landing", base, ("land",), (point,)))
    for point in (*faults.ENGINE_POINTS, "files-written:3", "committed:3", "committing:0",
                  "committing:40", "committing:150"):  # fmt: skip
        plans.append((point, "run", landed, ("run",), (point,)))
    for point in ("appended-result", "appended-lineage", "appended-interval"):
        both = ("committed:3", point)
        plans.append((f"committed, then {point}", "run, repair", torn, ("run",), both))
    for point in faults.LINEAGE_POINTS:
        plans.append((point, "lineage", built, ("lineage",), (point,)))
    for point in faults.PUBLISHING_POINTS:
        plans.append((point, "publishing", built, ("publish",), (point,)))
    for point in faults.MAINTENANCE_POINTS:
        plans.append((point, "maintenance", worn, ("maintain",), (point,)))
    for name, how, lake, what, points in plans:
        if only in name:
            expire = {"expire": True} if how == "maintenance" else {}
            disturb = killed(bench, what, *points, **expire)
            yield bench.case(name, how, bench.copy(lake), bench.calm[3], disturb)


def _wear(lake: SmallLake) -> None:
    """Many small files in one interval, replaced files, and what a killed batch left."""
    from deltalake import DeltaTable, write_deltalake

    path = lake.home / "bronze" / "order"
    table = DeltaTable(str(path)).to_pyarrow_table()
    day = table.filter([str(v) == D1 for v in table.column("_interval").to_pylist()])
    write_deltalake(str(path), day.slice(0, 1), mode="overwrite", predicate=f"_interval = '{D1}'")
    for row in range(1, day.num_rows):
        write_deltalake(str(path), day.slice(row, 1), mode="append")
    (path / f"_interval={D1}" / "part-killed.parquet").write_bytes(b"never committed")


def sequences(bench: Bench, seeds: tuple[int, ...], kills: int) -> Iterator[Case]:
    """Random kills one after the other on one lake, deliveries coming in between."""
    points = [
        *faults.LANDING_POINTS, *faults.ENGINE_POINTS, *faults.LINEAGE_POINTS,
        *faults.PUBLISHING_POINTS, "orphan-removed", "committing:20", "committing:90",
        "files-written:2", "files-written:3", "committed:2", "verdict:2",
    ]  # fmt: skip
    for seed in seeds:
        yield bench_sequence(bench, seed, kills, points)


def bench_sequence(bench: Bench, seed: int, kills: int, points: list[str]) -> Case:
    """One sequence; the lake it is compared with got the same deliveries all at once."""
    chance = random.Random(seed)
    dropped = 0
    hit: list[str] = []

    def disturb(lake: SmallLake) -> tuple[int, list[str]]:
        nonlocal dropped
        wrong: list[str] = []
        idle = True
        for _ in range(kills * 5):
            if len(hit) == kills:
                break
            if idle or chance.random() < 0.25:
                dropped += 1
                drop(lake, dropped)
            point = chance.choice(points)
            done = bench.victims.do(lake, fault=point)
            if done["status"] == KILLED:
                hit.append(point)
            elif done["status"]:
                wrong.append(f"{point}: {done['status']} {done['said'][-300:]}")
            idle = done["status"] == 0
        if len(hit) < kills:
            wrong.append(f"only {len(hit)} kills")
        return len(hit), wrong

    lake = bench.copy()
    began = time.monotonic()
    with bench.reader.watching(lake) as notes:
        _, wrong = disturb(lake)
        wrong += bench.heal(lake)
    calm = bench.copy()
    for number in range(1, dropped + 1):
        drop(calm, number)
    assert bench.healer.do(calm)["status"] == 0
    strange = [s for s in map(tuple, notes["seen"]) if s not in bench.allowed]
    lost, doubled = rows_moved(calm, lake)
    wrong += [*differences(calm, lake), *notes["errors"][:3]]
    shown = ", ".join(f"{p} {n}x" for p, n in sorted(Counter(hit).items()))
    return Case(
        f"random sequence, seed {seed}", f"everything, {dropped} groups of files: {shown}",
        len(hit), lost, doubled, len(strange), notes["looks"], tuple(wrong),
        round(time.monotonic() - began, 1),
    )  # fmt: skip


def short(bench: Bench) -> Iterator[Case]:
    """What `make test` holds: one lake, killed at points of every kind, one after the other."""
    # Each leaves what the next one needs, whether or not the commit came through at "committing".
    first = (
        "delivery-copied", "delivery-appended:2", "quarantine-written", "committing:20",
        "appended-result", "appended-interval",
    )  # fmt: skip
    then = ("before-ledger", "lineage-emitted", "draft-written", "file-published", "orphan-removed")

    def disturb(lake: SmallLake) -> tuple[int, list[str]]:
        kills, wrong = killed(bench, EVERYTHING, *first)(lake)
        drop(lake, 2)
        lost = bench.victims.do(lake, fault="lose-jvm")
        if lost["status"] != 4 or "spark-lost" not in lost["said"]:
            wrong.append(f"a lost JVM ended with {lost['status']}: {lost['said'][-300:]}")
        more, also = killed(bench, EVERYTHING, *then)(lake)
        return kills + 1 + more, wrong + also

    lake = bench.copy()
    drop(lake, 1)
    yield bench.case("one after the other", "everything", lake, bench.calm[2], disturb)


@contextmanager
def bench(scratch: Path, groups: int) -> Iterator[Bench]:
    """Start the workers, and carry the groups out undisturbed."""
    with ExitStack() as stack:
        victims, healer = Worker("fork", scratch), Worker("stay", scratch)
        stack.callback(victims.close)
        stack.callback(healer.close)
        made = Bench(scratch, victims, healer, Reader(scratch))
        made.undisturbed(groups)
        yield made


def main(arguments: list[str]) -> int:
    """Carry the matrix out; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as folder, bench(
        Path(folder), 2 if given.short else GROUPS
    ) as made:  # fmt: skip
        from tests.pipelines.engine.fault_places import places

        found: list[Iterator[Case]] = [short(made)] if given.short else [alone(made, given.only)]
        if not given.short and not given.only:
            found += [places(made), sequences(made, tuple(range(1, given.seeds + 1)), SEQUENCE)]
        for each in found:
            for case in each:
                cases.append(case)
                print(line(case), flush=True)
    if not (given.short or given.only):
        given.page.write_text(page(cases), encoding="utf-8")
    return 0 if cases and all(case.good for case in cases) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
