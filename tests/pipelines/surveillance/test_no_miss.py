"""A simulated market through the whole spine: against an independent counter, then corrected."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from naive import count, fees, files, findings

from catalog.publish import publish
from exlake.cli import main
from exlake.orchestration.flows import run_products
from pipelines.engine.lake import open_lake
from pipelines.engine.ledgers import DELIVERY, INTERVAL
from pipelines.engine.settings import load_settings
from pipelines.simulation.world import simulate

pytestmark = [pytest.mark.spark, pytest.mark.full, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[3]
DAYS = (date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7), date(2026, 1, 8))
"""Of this seed: self-trades of clients and of a group, frequent cancels, accidental ones too."""
PRODUCTS = (
    "silver.commodity", "silver.contract", "silver.member", "silver.client", "silver.control_group",
    "silver.settlement", "silver.order_event", "silver.trade", "silver.position",
    "silver.member_fund", "silver.quote_request", "gold.surveillance_day",
    "gold.surveillance_exemption", "gold.surveillance_alert",
)  # fmt: skip
Row = dict[str, Any]
Say = Callable[..., Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lake of four dates, landed and run as the commands do."""
    if not list((ROOT / ".jars").glob("*.jar")):
        pytest.skip("no Delta jars in .jars: run `make setup`")
    home = tmp_path_factory.mktemp("no_miss")
    options = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "HOME": str(home), "MASTER": "local[2]", "DRIVER_MEMORY": "1g",
            "SPARK_OPTIONS": json.dumps(options),
        }.items():  # fmt: skip
            patch.setenv(f"EXLAKE_{name}", value)
        simulate(home / "inbox", list(DAYS), 7, "tiny")
        command("land")
        run_products(PRODUCTS, None)
        yield home


def command(*arguments: str) -> None:
    """One command of exlake, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["exlake", *arguments])
        with pytest.raises(SystemExit) as ending:
            main()
    assert ending.value.code in (0, None), arguments


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """A command's answer as data."""

    def said(*arguments: str) -> Any:
        capsys.readouterr()
        command(*arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return said


def table(home: Path, name: str, day: date) -> list[Row]:
    """The published rows of a date."""
    rows = DeltaTable(str(home / "gold" / name)).to_pyarrow_table().to_pylist()
    return [row for row in rows if row["trade_date"] == day]


def key(row: Row) -> tuple[str, str, str]:
    return row["rule_id"].partition(".")[2], row["subject_id"], row["contract_id"]


def test_no_miss_and_no_false_alarm(home: Path) -> None:
    """Promise: over simulated days every figure, alert and fee is that of the naive counter."""
    alerts = set()
    for day in DAYS:
        given = files(home / "inbox", day)
        naive, rows = count(given, day), table(home, "surveillance_day", day)
        billed = [r for r in rows if r["message_fee"] is not None]
        alerting = [r for r in rows if r["message_fee"] is None]
        assert len(naive) > 2000
        assert {key(r): r["figure"] for r in alerting if r["figure"]} == naive
        assert {r["missing_rows"] for r in rows} == {0}
        found = {key(r) for r in table(home, "surveillance_alert", day)}
        assert found == findings(given, day, naive)
        assert {
            (r["subject_id"], r["contract_id"]): (
                r["figure"], r["filled_orders"], Decimal(r["message_fee"])
            ) for r in billed if r["figure"]
        } == fees(given, day)  # fmt: skip
        alerts |= found
    assert {rule for rule, _, _ in alerts} >= {"self_trade", "frequent_cancel"}
    assert any(who.startswith("G") for _, who, _ in alerts)


def correct(home: Path, day: date, alert: Row, which: slice, sequence: int) -> str:
    """Deliver a correction and run: these of the alert's cancellations were the exchange's own, at
    the close. Returns the delivery's id."""
    folder = home / "inbox" / "trading" / f"{day:%Y%m%d}"
    with gzip.open(folder / f"order_event_{day:%Y%m%d}.csv.gz", "rt", encoding="utf-8") as text:
        wrong = [
            row for row in csv.DictReader(text)
            if row["client_id"] == alert["subject_id"] and row["event_type"] == "CANCEL"
            and row["contract_id"] == alert["contract_id"] and row["reason"] != "SESSION_END"
        ][which]  # fmt: skip
    out = io.StringIO()
    writer = csv.DictWriter(out, wrong[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"reason": "SESSION_END"} for row in wrong)
    data = gzip.compress(out.getvalue().encode())
    file = folder / f"order_event_{day:%Y%m%d}.c{sequence}.csv.gz"
    file.write_bytes(data)
    manifest = {
        "manifest_version": 1, "system": "trading", "dataset": "order_event",
        "interval": day.isoformat(), "mode": "correction", "sequence": sequence,
        "file": file.name, "rows": len(wrong), "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(), "encoding": "utf-8",
        "generated_at": f"{day.isoformat()}T20:0{sequence}:00+08:00",
    }  # fmt: skip
    (folder / f"{file.name}.manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    command("land")
    settings = load_settings()
    [landed] = [
        d for d in open_lake(settings).ledgers.read(DELIVERY)
        if (d.dataset, d.interval, d.sequence) == ("order_event", day.isoformat(), sequence)
    ]  # fmt: skip
    run_products(PRODUCTS, (day, day))
    publish(settings, open_lake(settings).catalogue, "surveillance", now=datetime.now(UTC))
    return str(landed.delivery_id)


def test_a_correction_supersedes_then_withdraws_and_dispositions_stay(home: Path, say: Say) -> None:
    """Promise: landed corrections change and end an alert through the spine, each named; the id,
    what the officer did and every earlier state stay; other alerts of the date say nothing new."""
    day = DAYS[-1]
    settings = load_settings()
    publish(settings, open_lake(settings).catalogue, "surveillance", now=datetime.now(UTC))
    dates = ("--dates", f"{day}..{day}")
    before = say("surveil", "list", *dates)
    alert = next(
        a for a in before if a["rule_id"].endswith("frequent_cancel") and a["figure"] > 500
    )
    name, figure = alert["alert_id"], int(alert["figure"])
    terms = ("--reason", "member asked", "--by", "ana", "--at", "2026-01-08 16:00")
    command("surveil", "close", name, "--as", "phoned", *terms)

    first = correct(home, day, alert, slice(1), 2)
    [now] = [a for a in say("surveil", "list", *dates) if a["alert_id"] == name]
    assert (now["figure"], now["disposition"]) == (figure - 1, "phoned")
    assert now["changed_since"]
    assert now["because"] == [f"delivery {first}"]
    told = say("surveil", "explain", name)
    assert [h["event"] for h in told["history"]] == ["raised", "changed"]
    assert told["acts_in_all"] == figure - 1
    assert (told["table"], told["beside_table"]) == ("silver.order_event", "silver.trade")
    assert told["beside_in_all"] > 0
    assert told["dispositions"][0]["person"] == "ana"

    second = correct(home, day, alert, slice(1, figure - 498), 3)
    assert name not in {a["alert_id"] for a in say("surveil", "list", *dates)}
    states = [a for a in say("surveil", "list", "--all", *dates) if a["alert_id"] == name]
    assert [(s["state"], s["ended_because"]) for s in states] == [
        ("SUPERSEDED", [f"delivery {first}"]), ("WITHDRAWN", [f"delivery {second}"]),
    ]  # fmt: skip
    gone = say("surveil", "explain", name)
    assert (gone["alert"], gone["dispositions"][0]["kind"]) == (None, "phoned")
    others = {a["alert_id"]: a["figure"] for a in before if a["alert_id"] != name}
    after = say("surveil", "list", *dates)
    assert {a["alert_id"]: a["figure"] for a in after} == others
    assert not any(a["because"] for a in after)
    states = {r.state for r in open_lake(settings).ledgers.read(INTERVAL) if r.interval == str(day)}
    assert "blocked" not in states
