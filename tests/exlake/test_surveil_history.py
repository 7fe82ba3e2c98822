"""What becomes of alerts: history, causes, what officers did. Over ledgers, without Spark."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from exlake.surveillance import history
from exlake.surveillance.causes import DAY as FIGURES
from exlake.surveillance.dispositions import (
    DispositionTermsError,
    UnknownAlertError,
    desk,
    dispose,
)
from pipelines.engine.delivery import Delivery, effective
from pipelines.engine.ledgers import ALERT, DELIVERY, INTERVAL, Ledgers
from pipelines.engine.rows import IntervalRow, Pin
from pipelines.engine.settings import Settings, load_settings

DAY = "2026-01-06"
NOW = datetime(2026, 1, 6, 10, tzinfo=UTC)
SAID: dict[str, Any] = {
    "rule_id": "SHFE.frequent_cancel", "rule_version": 1, "nature": "ABNORMAL",
    "subject_kind": "CLIENT", "subject_id": "10009250", "contract_id": "ni2603", "figure": 908,
    "threshold": 500, "evidence_count": 908, "next_measure": "phone call",
    "next_measure_zh": "电话", "explanation_en": "e", "explanation_zh": "说明",
}  # fmt: skip


def delivery(dataset: str, sequence: int, mode: Any = "full") -> Delivery:
    return Delivery(
        delivery_id=f"{dataset}-{sequence}", system="x", dataset=dataset, interval=DAY, mode=mode,
        part=None, parts=None, sequence=sequence, file=f"{dataset}{sequence}.csv", rows=1, bytes=1,
        sha256=f"{dataset}{sequence}", encoding="utf-8", format="v1", path="p", status="landed",
        has_manifest=True, generated_at=None, received_at=NOW + timedelta(minutes=sequence),
    )  # fmt: skip


class World:
    """A lake of which only ledgers and the table of alerts exist."""

    def __init__(self, home: Path) -> None:
        self.settings: Settings = load_settings({"EXLAKE_HOME": str(home)})
        self.ledgers = Ledgers(self.settings.ops, self.settings.locks)
        self.landed: dict[str, list[Delivery]] = {}
        self.batches = 0

    def land(self, dataset: str, mode: Any = "full") -> str:
        """A delivery of the date arrives; its id."""
        rows = self.landed.setdefault(dataset, [])
        rows.append(delivery(dataset, len(rows) + 1, mode))
        self.ledgers.append((DELIVERY, [rows[-1]]))
        return rows[-1].delivery_id

    def publish(self, *alerts: dict[str, Any]) -> int:
        """Alerts of the date after a run that read all that has landed; events recorded."""
        rows = [a | {"trade_date": datetime.fromisoformat(DAY).date()} for a in alerts]
        names = ["trade_date", "alert_id", *SAID]
        types = {"figure": pa.int64(), "threshold": pa.int64(), "evidence_count": pa.int64(),
                 "rule_version": pa.int32(), "trade_date": pa.date32()}  # fmt: skip
        schema = pa.schema([(n, types.get(n, pa.string())) for n in names])
        table = self.settings.table(history.PRODUCT).uri
        write_deltalake(
            table, pa.Table.from_pylist(rows, schema), mode="overwrite",
            partition_by=["trade_date"],
        )  # fmt: skip
        pins = tuple(
            Pin(f"bronze.{name}", DAY, effective(rows).fingerprint)
            for name, rows in self.landed.items()
        )
        for product in (FIGURES, history.PRODUCT):
            self.ledgers.append((INTERVAL, [IntervalRow(
                product=product, interval=DAY, state="published", run_id="r",
                batch_id=f"b{self.batches}", job_version=2, schema_fingerprint="s",
                contract_version="1", rules_fingerprint="r", decisions_fingerprint="",
                committed_at=NOW + timedelta(hours=self.batches), fingerprint=str(self.batches),
                delta_version=self.batches, inputs=pins,
            )]))  # fmt: skip
        self.batches += 1
        return history.record(self.settings, self.ledgers, [DAY], NOW)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "lake")
    for dataset in ("order_event", "trade", "position"):
        made.land(dataset)
    return made


def test_a_correction_supersedes_or_withdraws_and_is_named(world: World) -> None:
    """Promise: every state an alert had stays visible, with the delivery that ended it; recording
    twice records nothing; a delivery of a table the rule does not count is not blamed."""
    alert = SAID | {"alert_id": "A1"}
    assert world.publish(alert) == 1
    assert world.publish(alert) == 0
    world.land("position")
    first = world.land("order_event", "correction")
    assert world.publish(alert | {"figure": 700}) == 1
    second = world.land("order_event", "correction")
    assert world.publish() == 1
    assert world.publish() == 0
    world.land("trade")
    third = world.land("order_event", "correction")
    assert world.publish(alert) == 1
    rows, _ = desk(world.ledgers)
    assert [(r["state"], r["figure"], r["because"], r["ended_because"]) for r in rows] == [
        ("SUPERSEDED", 908, [], [f"delivery {first}"]),
        ("WITHDRAWN", 700, [f"delivery {first}"], [f"delivery {second}"]),
        ("CURRENT", 908, [f"delivery {third}"], []),
    ]


def test_an_alert_that_a_late_delivery_raised_says_so(world: World) -> None:
    """Promise: an alert that came after the first count of its date names what raised it."""
    assert world.publish() == 0
    late = world.land("order_event", "correction")
    world.publish(SAID | {"alert_id": "A1"})
    [event] = world.ledgers.read(ALERT)
    assert event.because == (f"delivery {late}",)


def test_dispositions_stay_through_corrections_and_are_refused_without_terms(world: World) -> None:
    """Promise: what was done is append-only, attached to the id, and needs reason, person, time."""
    alert = SAID | {"alert_id": "A1"}
    world.publish(alert)
    terms: dict[str, Any] = {"reason": "asked", "person": "ana", "entered_by": "ana", "at": NOW,
                             "now": NOW}  # fmt: skip
    dispose(world.ledgers, "A1", "note", **terms)
    dispose(world.ledgers, "A1", "phoned", **terms)
    for wrong in ({"reason": " "}, {"person": ""}, {"at": NOW + timedelta(days=1)}):
        with pytest.raises(DispositionTermsError):
            dispose(world.ledgers, "A1", "phoned", **terms | wrong)
    with pytest.raises(DispositionTermsError):
        dispose(world.ledgers, "A1", "forgiven", **terms)
    with pytest.raises(UnknownAlertError):
        dispose(world.ledgers, "A' OR 1=1", "phoned", **terms)
    world.land("order_event", "correction")
    world.publish(alert | {"figure": 501})
    rows, of = desk(world.ledgers)
    assert [row["disposition"] for row in rows] == ["phoned", "phoned"]
    assert [d.kind for d in of["A1"]] == ["note", "phoned"]
    later = replace(world.ledgers.read(ALERT)[-1], at=NOW + timedelta(hours=1), figure=502)
    world.ledgers.append((ALERT, [later]))
    assert desk(world.ledgers)[0][-1]["changed_since"]


def test_a_table_of_an_older_contract_is_left_for_its_next_build(world: World) -> None:
    """Columns that came later say nothing about what stood before: no event, and no error."""
    world.land("trade")
    world.publish(SAID | {"alert_id": "A1"})
    old = pa.table({"trade_date": [datetime.fromisoformat(DAY).date()], "alert_id": ["A1"]})
    table = world.settings.table(history.PRODUCT).uri
    write_deltalake(table, old, mode="overwrite", schema_mode="overwrite")
    assert history.record(world.settings, world.ledgers, [DAY], NOW) == 0


def test_maintenance_takes_no_history_away(world: World) -> None:
    """The rows are read as they are now, not in a version whose files have gone."""
    world.land("trade")
    world.publish(SAID | {"alert_id": "A1"})
    world.publish(SAID | {"alert_id": "A1", "figure": 700})
    world.settings.table(history.PRODUCT).delta().vacuum(
        0, dry_run=False, enforce_retention_duration=False
    )
    assert history.record(world.settings, world.ledgers, [DAY], NOW) == 0
