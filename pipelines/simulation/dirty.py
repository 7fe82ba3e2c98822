"""Which deliveries of a date are spoiled: a fixed set (the demo's, or every kind), or a rate."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from contracts.errors import TerminalError
from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.deliveries import Outgoing
from pipelines.simulation.dirt import (
    CSV_KINDS,
    ORDER_KINDS,
    OWN_KINDS,
    TEXT_KINDS,
    Dirt,
    Spoiled,
    corrected_trade,
    duplicate,
    gb18030,
    off_tick,
    spoil_login,
    spoil_orders,
    truncated,
)

_DEMO: Final[dict[int, tuple[tuple[str, str, Dirt], ...]]] = {
    2: (
        ("order_event", "off_tick_price",
         spoil_orders("price", off_tick, "order_event.price.tick")),
        ("order_event", "unknown_client",
         spoil_orders("client_id", lambda _: "99999999", "order_event.client.known", 1)),
        ("login", "unknown_login_client", spoil_login),
        ("news_article", "gb18030", gb18030),
        ("member", "gb18030", gb18030),
        ("trade", "corrected_trade", corrected_trade),
        ("settlement", "duplicate", duplicate),
    ),
    3: (("position", "truncated", truncated),),
}  # fmt: skip
_ALL: Final[dict[int, tuple[tuple[str, str], ...]]] = {
    2: (
        *(("order_event", kind) for kind in ORDER_KINDS),
        ("login", "unknown_login_client"),
        ("login", "duplicate_row"),
        ("client", "wrong_encoding"),
        ("member", "gb18030"),
        ("trade", "corrected_trade"),
        ("settlement", "duplicate"),
        ("position", "truncated"),
    ),
    3: (
        ("settlement", "sum_off"),
        ("login", "column_retyped"),
        ("position", "column_added"),
        ("order_event", "column_renamed"),
        ("client", "back_dated"),
        ("control_group", "late"),
        ("member_fund", "late"),
        ("quote_request", "missing"),
    ),
}
"""Every kind once, on the second and third date, so that each one's outcome can be told apart."""


def _kind(dataset: str, name: str) -> tuple[str, str, Dirt]:
    kinds = {**CSV_KINDS, **TEXT_KINDS, **OWN_KINDS.get(dataset, {})}
    return dataset, name, kinds[name]


def _fixed(which: str, number: int) -> list[tuple[str, str, Dirt]]:
    if which == "demo":
        return list(_DEMO.get(number, ()))
    return [_kind(dataset, name) for dataset, name in _ALL.get(number, ())]


class UnknownDirtError(TerminalError):
    """Raised when ``dirty`` is neither a rate from 0 to 1, "demo" nor "all"."""

    code = "simulation-unknown-dirt"

    def __init__(self, value: float | str) -> None:
        super().__init__(
            f"dirty is {value!r}.", next_step='give a rate from 0 to 1, "demo", "all", or nothing.'
        )


def check_dirty(dirty: float | str | None) -> None:
    """Raise UnknownDirtError unless it is nothing, "demo", "all" or a rate from 0 to 1."""
    fine = (
        dirty in ("demo", "all") if isinstance(dirty, str) else dirty is None or 0.0 <= dirty <= 1.0
    )
    if dirty is not None and not fine:
        raise UnknownDirtError(dirty)


def soil(
    rng: np.random.Generator,
    deliveries: Sequence[Outgoing],
    day: date,
    number: int,
    dirty: float | str | None,
) -> tuple[list[Outgoing], list[dict[str, Any]]]:
    """Return what is really sent on (or because of) a date, and the truth about it.

    ``number`` counts the world's trade dates from 1. With a rate, each delivery is spoiled with
    that probability by one kind that fits it, in turn from date to date. Raises UnknownDirtError.
    """
    check_dirty(dirty)
    if dirty is None:
        return list(deliveries), []
    if isinstance(dirty, str):
        chosen = _fixed(dirty, number)
    else:
        chosen = _drawn(rng, deliveries, dirty, number)
    later = TradingCalendar.default().next(day)
    sent = list(deliveries)
    truth: list[dict[str, Any]] = []
    for dataset, kind, spoil in chosen:
        # A dataset spoiled twice is spoiled in place: only its first file changes.
        at = next(i for i, d in enumerate(sent) if d.dataset == dataset)
        made: Spoiled | None = spoil(rng, sent[at], later)
        if made is not None:
            sent[at : at + 1] = made.deliveries
            truth.append({**made.truth, "dirt": kind})
    return sent, truth


def _drawn(
    rng: np.random.Generator, deliveries: Sequence[Outgoing], rate: float, number: int
) -> list[tuple[str, str, Dirt]]:
    chosen = []
    for delivery in deliveries:
        kinds = dict(OWN_KINDS.get(delivery.dataset, {}))
        if delivery.file.endswith(".csv.gz"):
            kinds |= CSV_KINDS
        elif delivery.part in (None, 1):
            kinds |= {name: CSV_KINDS[name] for name in ("truncated", "duplicate", "late")}
        else:
            continue
        if number == 1 and delivery.system == "reference":
            kinds = TEXT_KINDS  # a world without its dimensions would test nothing else
        if rng.random() < rate:
            own = set(kinds) - set(CSV_KINDS)
            if own and rng.random() < 0.75:  # what only this dataset can suffer comes more often
                kinds = {name: kinds[name] for name in own}
            name = sorted(kinds)[(number + zlib.crc32(delivery.dataset.encode())) % len(kinds)]
            chosen.append((delivery.dataset, name, kinds[name]))
    return chosen


def deliver_pending(pending: Path, inbox: Path, day: date) -> int:
    """Copy what earlier dates left to arrive on ``day`` into the inbox; return the file count."""
    count = 0
    for folder in sorted(pending.glob(f"*/{day:%Y%m%d}")):
        target = inbox / folder.parent.name / folder.name
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            shutil.copyfile(path, target / path.name)
            count += int(not path.name.endswith(".manifest.json"))
    return count
