"""Position limits by holder, phase and open interest, as effective-dated data."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.commodity import DATA, Commodity
from pipelines.simulation.listing import FuturesContract


@dataclass(frozen=True)
class PositionLimit:
    """What one kind of holder may hold on one side of a contract (sources: data/SOURCES.md).

    ``holder_type`` is FF (futures firm member), NF (other member) or CLIENT. The limit holds in
    ``phase`` of the contract's life, from ``open_interest_from`` lots of open interest on
    (counted on one side), until the next larger bound: ``limit_lots``, or ``limit_share`` of the
    contract's open interest. A kind of holder without a row has no limit.
    """

    commodity_id: str
    holder_type: str
    phase: str
    open_interest_from: int
    limit_lots: int | None
    limit_share: str
    valid_from: date

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What a later row of the same key replaces."""
        return self.commodity_id, self.holder_type, self.phase, self.open_interest_from


def position_limits_on(day: date) -> tuple[PositionLimit, ...]:
    """Return every limit in force on ``day``, in the file's order."""
    current: dict[tuple[str, str, str, int], PositionLimit] = {}
    for row in _all_rows():
        if row.valid_from <= day:
            current[row.key] = row
    return tuple(current.values())


def position_limits_from(day: date) -> tuple[PositionLimit, ...]:
    """Return the limits that begin to hold exactly on ``day``."""
    return tuple(row for row in _all_rows() if row.valid_from == day)


def client_limits(
    day: date,
    commodities: Sequence[Commodity],
    contracts: Sequence[FuturesContract],
    commodity: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Return the lots a client may hold on one side of each contract, by contract index.

    A fixed number of lots; the share of open interest, which is larger, is left out: simulated
    clients stay below the stricter of the two.
    """
    lots = {
        (row.commodity_id, row.phase): row.limit_lots
        for row in position_limits_on(day)
        if row.holder_type == "CLIENT" and row.limit_lots is not None
    }
    return np.array(
        [
            _of_phase(lots, commodities[kind], phase_of(contract.delivery_month, day))
            for contract, kind in zip(contracts, commodity.tolist(), strict=True)
        ],
        np.int64,
    )


def phase_of(delivery_month: str, day: date) -> str:
    """Return the phase of a contract of ``delivery_month`` (YYYYMM) on ``day``."""
    months = (int(delivery_month[:4]) - day.year) * 12 + int(delivery_month[4:]) - day.month
    return {0: "DELIVERY", 1: "MONTH_BEFORE", 2: "SECOND_MONTH_BEFORE"}.get(months, "GENERAL")


def _of_phase(lots: Mapping[tuple[str, str], int | None], commodity: Commodity, phase: str) -> int:
    """The limit of a phase; a phase the rules do not name belongs to the general one."""
    found = lots.get((commodity.commodity_id, phase))
    return commodity.position_limit_general if found is None else found


@cache
def _all_rows() -> tuple[PositionLimit, ...]:
    with (DATA / "position_limits.csv").open(encoding="utf-8", newline="") as handle:
        rows = [
            PositionLimit(
                commodity_id=row["commodity_id"],
                holder_type=row["holder_type"],
                phase=row["phase"],
                open_interest_from=int(row["open_interest_from"]),
                limit_lots=int(row["limit_lots"]) if row["limit_lots"] else None,
                limit_share=row["limit_share"],
                valid_from=date.fromisoformat(row["valid_from"]),
            )
            for row in csv.DictReader(handle)
        ]
    return tuple(sorted(rows, key=lambda row: row.valid_from))
