"""Reads simulated deliveries back as a consumer would: text first, then exact numbers."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.engine.calendar import TradingCalendar

START = date(2026, 1, 5)
SEED = 7


def trade_dates(count: int, start: date = START) -> tuple[date, ...]:
    """The first trade dates of the simulated worlds."""
    calendar = TradingCalendar.default()
    return calendar.between(start, calendar.next(start, count))[:count]


_MONEY = (
    "margin", "close_profit", "holding_profit", "fee", "message_fee", "prev_balance", "deposit",
    "withdrawal", "delivery_payment", "balance", "available", "turnover", "amount",
)  # fmt: skip


def read(home: Path, dataset: str, day: str) -> pd.DataFrame:
    """A CSV delivery: lots as integers, prices and money as integers in 0.01, weights in
    0.001."""
    found = sorted((home / "inbox").glob(f"*/{day}/{dataset}_{day}.csv.gz"))
    frame = pd.read_csv(found[0], dtype=str, keep_default_na=False)
    for name in frame.columns:
        if name.endswith("_lots") or name == "lots":
            frame[name] = frame[name].astype("int64")
        elif name.endswith("price") or name in _MONEY:
            frame[name] = [None if v == "" else int(Decimal(v) * 100) for v in frame[name]]
        elif name.endswith("_weight"):
            frame[name] = [int(Decimal(v) * 1000) for v in frame[name]]
    return frame


def records(home: Path, name: str, day: str) -> dict[str, Any]:
    """A JSON delivery, numbers as decimals."""
    path = next((home / "inbox" / "public" / day).glob(name))
    content: dict[str, Any] = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    return content


def days(home: Path) -> list[str]:
    """The simulated dates as YYYYMMDD."""
    return sorted(p.name for p in (home / "inbox" / "trading").iterdir())


def truth(home: Path) -> list[dict[str, Any]]:
    """All records of the truth, each with its date."""
    return [
        {"date": path.stem[6:], **json.loads(line)}
        for path in sorted((home / "truth").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
