"""Ledgers: append-only, typed, in order, and as quick on the hundredth day as on the first."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine import ledgers as module
from pipelines.engine.ledgers import (
    ALERT,
    DECISION,
    DELIVERY,
    DISPOSITION,
    EXPORT,
    INCIDENT,
    INTERVAL,
    LEDGERS,
    LINEAGE,
    MESSAGE,
    RESULT,
    RUN,
    Ledgers,
)
from pipelines.engine.place import LocalStorage
from pipelines.engine.rows import (
    AlertRow,
    Change,
    DecisionRow,
    DispositionRow,
    ExportRow,
    IncidentRow,
    IntervalRow,
    LineageRow,
    MessageRow,
    Pin,
    ResultRow,
    RunRow,
)
from pipelines.engine.staleness import plan
from pipelines.engine.state import load_state, periods_for
from tests.pipelines.engine.planning import CALENDAR, NOW, World, delivered, exchange

DAY = "2026-01-05"


@pytest.fixture
def ledgers(tmp_path: Path) -> Ledgers:
    """Ledgers of an empty lake whose path has a blank and a Chinese character."""
    return Ledgers(tmp_path / "my 湖" / "ops", tmp_path / "locks")


def interval_row(product: str, interval: str, number: int = 0, **other: Any) -> IntervalRow:
    """A published row that differs by its number."""
    row = IntervalRow(
        product=product, interval=interval, state="published", run_id=f"r{number}",
        batch_id=f"b{number}", job_version=1, schema_fingerprint="s", contract_version="1.0.0",
        rules_fingerprint="f", decisions_fingerprint="", committed_at=NOW,
        fingerprint=f"{number}", delta_version=number,
        inputs=(Pin("silver.trade", interval, f"{number}", number),),
    )  # fmt: skip
    return replace(row, **other)


ROWS: dict[Any, Any] = {
    DELIVERY: delivered("trade", DAY, "x"),
    RUN: RunRow(run_id="r", status="started", command="run", at=NOW, pid=1),
    INTERVAL: interval_row(
        "silver.trade", DAY, incomplete_because=("a, \"b\"", "缺"), changed_from=date(1, 1, 1),
        changed_to=date(9999, 12, 31), partial=True,
    ),
    RESULT: ResultRow(
        run_id="r", batch_id="b", product="silver.trade", interval=DAY, rule_id="x",
        rule_fingerprint="f", kind="range", dimension="validity", severity="error", scope="built",
        outcome="passed", contract_version="1", job_version=1, judged_at=NOW, tolerance=0.5,
    ),
    DECISION: DecisionRow(
        decision_id="d", kind="patch", product="silver.trade", reason="r", decided_by="a",
        decided_at=NOW, row_number=3, column="lots", value="7",
    ),
    LINEAGE: LineageRow(
        run_id="r", batch_id="b", product="silver.trade", interval="all",
        input_product="bronze.trade", input_at="history", input_fingerprint="f", recorded_at=NOW,
    ),
    INCIDENT: IncidentRow(
        incident_id="i", product="p", rule_id="x", interval=DAY, state="opened", severity="error",
        at=NOW, run_id="r", details={"expected": "1"},
    ),
    MESSAGE: MessageRow(
        message_id="m", kind="blocked", channel="log", event="queued", at=NOW, body="拦截\n",
        changes=(Change("silver.trade", DAY, "blocked", 1),),
    ),
    EXPORT: ExportRow(
        person="ana", audience="analyst", query="SELECT 1", rows=1, file="a.csv", bytes=2,
        sha256="x", at=NOW, state="published",
    ),
    ALERT: AlertRow(
        alert_id="A1", interval=DAY, event="changed", rule_id="SHFE.self_trade", rule_version=1,
        nature="ABNORMAL", subject_kind="CLIENT", subject_id="c", contract_id="cu2605", figure=5,
        threshold=5, evidence_count=5, next_measure="call", next_measure_zh="电话",
        explanation_en="e", explanation_zh="说明", at=NOW, batch_id="b", because=("delivery d",),
    ),
    DISPOSITION: DispositionRow(
        alert_id="A1", interval=DAY, kind="phoned", reason="事由", person="ana", at=NOW,
        recorded_at=NOW, entered_by="ana",
    ),
}  # fmt: skip


def test_every_ledger_gives_back_what_was_appended(ledgers: Ledgers) -> None:
    """Typed rows survive the way through Delta, in all ledgers, before and after compaction."""
    assert set(ROWS) == set(LEDGERS)
    assert all(ledgers.read(ledger) == [] for ledger in LEDGERS)
    ledgers.append(*[(ledger, [row]) for ledger, row in ROWS.items()])
    assert {ledger: ledgers.read(ledger) for ledger in LEDGERS} == {k: [v] for k, v in ROWS.items()}
    ledgers.compact()
    assert {ledger: ledgers.read(ledger) for ledger in LEDGERS} == {k: [v] for k, v in ROWS.items()}


def test_order_is_the_ledgers_own(ledgers: Ledgers) -> None:
    """The newest row of an interval is the one appended last, whatever the clocks said."""
    late, early = datetime(2030, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    ledgers.append((INTERVAL, [interval_row("silver.trade", DAY, 1, committed_at=late)]))
    ledgers.append((INTERVAL, [interval_row("silver.trade", DAY, 2, committed_at=early)]))
    assert [r.batch_id for r in ledgers.latest_intervals()] == ["b2"]
    numbers = [r.sequence for r in ledgers.read(INTERVAL)]
    assert numbers == sorted(set(numbers))


def test_reading_a_period_reads_only_it(ledgers: Ledgers) -> None:
    """Months select partitions, `where` selects rows; nothing wanted is nothing read."""
    rows = [interval_row("silver.trade", i) for i in ("2026-01-05", "2026-02-02", "all")]
    ledgers.append((INTERVAL, rows))
    found = ledgers.read(INTERVAL, periods=["2026-02", "all"])
    assert [r.interval for r in found] == ["2026-02-02", "all"]
    assert ledgers.read(INTERVAL, periods=[]) == []
    assert ledgers.read(INTERVAL, where={"product": []}) == []
    assert len(ledgers.read(INTERVAL, where={"interval": ["all"]})) == 1


def test_a_ledger_may_gain_columns(ledgers: Ledgers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows written before a column existed read as its null or empty value."""
    schema = module.schema_of(INTERVAL)
    narrow = schema.remove(schema.get_field_index("waiting_on"))
    narrow = narrow.remove(narrow.get_field_index("reasons"))
    full = module._table
    with monkeypatch.context() as patch:
        patch.setattr(
            module, "_table", lambda ledger, rows: full(ledger, rows).select(narrow.names)
        )
        ledgers.append((INTERVAL, [interval_row("silver.trade", DAY, 1)]))
    ledgers.append((INTERVAL, [interval_row("silver.trade", DAY, 2, waiting_on="x")]))
    assert [(r.waiting_on, r.reasons) for r in ledgers.read(INTERVAL)] == [(None, ()), ("x", ())]


def test_threads_append_every_row_once(ledgers: Ledgers) -> None:
    """Concurrent writers wait for each other: no row lost, no sequence given twice."""

    def write(number: int) -> None:
        for k in range(3):
            ledgers.append((RUN, [replace(ROWS[RUN], run_id=f"{number}-{k}")]))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = ledgers.read(RUN)
    assert sorted(r.run_id for r in rows) == sorted(f"{n}-{k}" for n in range(4) for k in range(3))
    assert len({r.sequence for r in rows}) == 12


def test_small_files_are_compacted_in_bounded_steps(ledgers: Ledgers) -> None:
    """Many appends leave few files to read, and every row once."""
    for number in range(2 * module.COMPACT_EVERY + 5):
        ledgers.append((INTERVAL, [interval_row("silver.trade", DAY, number)]))
    rows = ledgers.read(INTERVAL)
    assert [r.batch_id for r in rows] == [f"b{n}" for n in range(len(rows))]
    assert len(rows) == 2 * module.COMPACT_EVERY + 5
    files = module.DeltaTable(str(ledgers.ops / "interval")).file_uris()
    assert len(files) <= module.COMPACT_EVERY


def test_the_newest_state_of_sixty_days_and_forty_products(ledgers: Ledgers) -> None:
    """Each of 2,400 intervals has one newest row (``benchmarks.looking`` says how quickly)."""
    days = [d.isoformat() for d in CALENDAR.between(date(2026, 1, 5), date(2026, 6, 30))][:60]
    for number, day in enumerate(days):
        rows = [interval_row(f"silver.p{p}", day, number) for p in range(40)]
        ledgers.append((INTERVAL, rows))
    newest = ledgers.latest_intervals()
    assert len(newest) == len({(r.product, r.interval) for r in newest}) == 2400


NAMES = st.sampled_from(["client", "trade", "position", "quote"])
EVENTS = st.lists(st.tuples(NAMES, st.integers(0, 2), st.booleans()), min_size=1, max_size=10)


@settings(max_examples=8, deadline=None)
@given(EVENTS)
def test_the_state_read_back_plans_the_same(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int, bool]]
) -> None:
    """What the ledgers give back leads to the plan that the rows themselves lead to."""
    home = tmp_path_factory.mktemp("lake")
    ledgers = Ledgers(home / "ops", home / "locks")
    days = [d.isoformat() for d in CALENDAR.between(date(2026, 1, 29), date(2026, 2, 3))]
    world = World(graph=exchange())
    world.verdict = lambda p, i, c: "blocked" if c.startswith("a") else "published"
    for number, (dataset, day, runs) in enumerate(events):
        world.deliver(dataset, days[day], f"{dataset}{number}")
        if runs:
            world.run()
    ledgers.append((DELIVERY, world.deliveries), (INTERVAL, world.rows))
    storage = LocalStorage(ledgers.ops.parent)
    loaded = load_state(ledgers, world.graph, storage)
    assert plan(world.request(), loaded) == plan(world.request(), world.state)
    for first, last in ((days[0], days[0]), (days[2], days[2])):
        dates = (date.fromisoformat(first), date.fromisoformat(last))
        narrow = load_state(
            ledgers,
            world.graph,
            LocalStorage(ledgers.ops.parent),
            periods_for(world.graph, CALENDAR, dates),
        )
        assert plan(world.request(dates), narrow) == plan(world.request(dates), world.state)
