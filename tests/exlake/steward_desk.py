"""A lake with a few rows in quarantine, made without Spark: what steward's commands look at."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from exlake.cli import main
from pipelines.engine.ledgers import INTERVAL, RESULT, Ledgers
from pipelines.engine.quarantine import COLUMNS
from pipelines.engine.rows import IntervalRow, ResultRow

DAY = "2026-01-05"
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
DELIVERY = "trade-20260105-001-0123456789ab"
ROWS = (
    (3, ["trade.price.range", "trade.fee.tariff"]),
    (4, ["unit:trade.price.range"]),
    (7, ["trade.client.known"]),
    (9, ["trade.client.known"]),
)
"""Lines in quarantine and what they broke; line 4 is the other leg of line 3's trade."""


def plant(home: Path, **changes: Any) -> Ledgers:
    """Blocked trades of one day: by rows, by a total, and by a rule that could not be judged."""
    ledgers = Ledgers(home / "ops", home / "locks")
    rows = [
        {
            "product": "silver.trade", "interval": DAY, "batch_id": "b1", "run_id": "r1",
            "state": "blocked", "rules": json.dumps(rules), "delivery_id": DELIVERY,
            "row_key": json.dumps({"trade_date": DAY, "trade_id": f"t{line}", "side": "B"}),
            "row_number": line, "row": json.dumps({"trade_id": f"t{line}", "client_id": "secret"}),
            "original": json.dumps({"price": "-1", "client_id": "secret"}),
        }
        for line, rules in ROWS
    ]  # fmt: skip
    table = pa.table({c: [r[c] for r in rows] for c in COLUMNS})
    write_deltalake(home / "quarantine" / "silver_trade", table, partition_by=["interval"])
    ledgers.append(
        (INTERVAL, [interval_row("silver.trade", state="blocked", batch_id="b1", **changes)]),
        (RESULT, [
            result("trade.volume.settled", "failed", "critical", "20 of 31 contracts differ"),
            result("trade.high_low.settled", "not_evaluated", "critical", "no such column"),
            result("trade.price.range", "failed", "error"),
            result("trade.client.known", "failed", "error"),
            result("trade.lots.range", "passed", "error"),
        ]),
    )  # fmt: skip
    return ledgers


def interval_row(product: str, **terms: Any) -> IntervalRow:
    """One ledger row of the day."""
    given: dict[str, Any] = {
        "interval": DAY, "state": "published", "run_id": "r1", "batch_id": f"b-{product}",
        "job_version": 1, "schema_fingerprint": "s", "contract_version": "1.0.0",
        "rules_fingerprint": "f", "decisions_fingerprint": "", "committed_at": NOW,
        "built": 100, "accepted": 96, "quarantined": 4,
        "reasons": ("trade.volume.settled (critical): 20 of 31 fail",),
    }  # fmt: skip
    return IntervalRow(product=product, **{**given, **terms})


def result(rule: str, outcome: str, severity: str, message: str = "") -> ResultRow:
    """One result of the day's trades."""
    return ResultRow(
        run_id="r1", batch_id="b1", product="silver.trade", interval=DAY, rule_id=rule,
        rule_fingerprint="f", kind="reconcile", dimension="consistency", severity=severity,
        scope="built", outcome=outcome, contract_version="1.0.0", job_version=1, judged_at=NOW,
        failing=2, checked=100, message=message,
    )  # fmt: skip


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """What a command answers: exit code, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["exlake", *arguments])
    code = 0
    try:
        main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    answer = capsys.readouterr()
    return code, answer.out, answer.err
