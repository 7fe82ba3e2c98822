"""Deliveries of the warehouses: receipts, loadings, and titles that changed hands."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clock import HOUR, SECOND, day_offset, epoch_of_clock
from pipelines.simulation.deliveries import (
    Outgoing,
    constant,
    table,
    table_delivery,
    text,
    wall_time,
    whole,
)
from pipelines.simulation.names import REGIONS, warehouse_name
from pipelines.simulation.people import People
from pipelines.simulation.receipts import BRANDS, CANCELLED, STATES, Depot, Receipts

_BRANDS: Final = ("虚构金鹿牌", "虚构海潮牌", "虚构北斗牌", "虚构青松牌")
_GRADES: Final = ("STANDARD", "STANDARD", "STANDARD", "SUBSTITUTE")
_UNITS: Final = {"1": "KG", "2": "TONNE", "3": "BARREL", "": ""}
_TARE: Final = np.array([6, 11, 17, 24])
"""Packing in ten-thousandths of the net weight, by brand (assumption); oil has none."""


def receipt_table(board: Board, depot: Depot, people: People) -> pa.Table:
    """Return every receipt that lived on the date."""
    r = depot.receipts
    rows, ended = len(r), r.state == CANCELLED
    since, of = np.unique(r.since, return_inverse=True)
    return table(
        {
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
            "receipt_id": _ids(r.number),
            **_goods(board, r, depot.stock.shape[2]),
            "client_id": text(people.client_id, r.owner),
            "lots": whole(r.lots),
            **_weights(board, r),
            "state": text(STATES, r.state),
            "registered_date": text([_day(d) for d in since], of),
            "cancelled_date": text([f"{board.trade_date:%Y%m%d}"], np.where(ended, 0, -1)),
            "origin_receipt_id": _ids(r.origin),
        }
    )


def loading_table(board: Board, depot: Depot, people: People) -> pa.Table:
    """Return one row per receipt loaded in or out on the date."""
    moved = depot.receipts.take(depot.loadings.row)
    rows = len(moved)
    # A lorry every few minutes from eight to five, in the order of the register.
    clock = day_offset(board.trade_date) + 8 * HOUR + np.arange(rows) * 9 * HOUR // max(rows, 1)
    return table(
        {
            "loading_id": whole(np.arange(1, rows + 1)),
            "loading_time": wall_time(clock // SECOND * SECOND, epoch_of_clock(board.trade_date)),
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
            "receipt_id": _ids(moved.number),
            "direction": text(("OUT", "IN"), depot.loadings.incoming.astype(np.int8)),
            **_goods(board, moved, depot.stock.shape[2]),
            "client_id": text(people.client_id, _first_owner(depot)[depot.loadings.row]),
            "lots": whole(moved.lots),
            **_weights(board, moved),
        }
    )


def title_table(board: Board, depot: Depot, people: People) -> pa.Table:
    """Return one row per receipt that changed hands; ``contract_id`` only on deliveries."""
    titles = depot.titles
    moved = depot.receipts.take(titles.row)
    rows = len(moved)
    commodity = [c.commodity_id for c in board.commodities]
    return table(
        {
            "title_transfer_id": whole(np.arange(1, rows + 1)),
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
            "receipt_id": _ids(moved.number),
            "commodity_id": text(commodity, moved.commodity),
            "contract_id": text(board.contract_id, titles.contract),
            "from_client_id": text(people.client_id, titles.seller),
            "to_client_id": text(people.client_id, titles.buyer),
            "lots": whole(moved.lots),
            "transfer_reason": text(("TRANSFER", "DELIVERY"), (titles.contract >= 0) * 1),
        }
    )


def warehouse_deliveries(board: Board, depot: Depot, people: People) -> list[Outgoing]:
    """Return the register, the loadings and, from the clearing system, the title transfers."""
    at = board.trade_date
    return [
        table_delivery("clearing", "title_transfer", at, title_table(board, depot, people),
                       "16:20"),
        table_delivery("warehouse", "warehouse_receipt", at, receipt_table(board, depot, people),
                       "16:40"),
        table_delivery("warehouse", "warehouse_loading", at, loading_table(board, depot, people),
                       "16:45"),
    ]  # fmt: skip


def _goods(board: Board, r: Receipts, stores: int) -> dict[str, pa.Array]:
    regions = [zh for zh, _ in REGIONS]
    houses = [
        warehouse_name(region, store).split("$$")[0]
        for region in range(len(REGIONS))
        for store in range(stores)
    ]
    return {
        "exchange": text([c.exchange for c in board.commodities], r.commodity),
        "commodity_id": text([c.commodity_id for c in board.commodities], r.commodity),
        "brand": text(_BRANDS[:BRANDS], r.brand),
        "grade": text(_GRADES, r.brand),
        "region": text(regions, r.place // stores),
        "warehouse": text(houses, r.place),
    }


def _weights(board: Board, r: Receipts) -> dict[str, pa.Array]:
    unit = np.array([c.stock_per_lot for c in board.commodities])
    units = [_UNITS[c.stock_unit] for c in board.commodities]
    liquid = np.array([u == "BARREL" for u in units])
    net = r.lots * unit[r.commodity] * 1000
    tare = np.where(liquid[r.commodity], 0, net * _TARE[r.brand] // 10_000)
    return {
        "gross_weight": _thousandths(net + tare),
        "tare_weight": _thousandths(tare),
        "net_weight": _thousandths(net),
        "unit": text(units, r.commodity),
    }


def _first_owner(depot: Depot) -> NDArray[np.int32]:
    """Who owned each receipt before titles passed on the date."""
    owner = depot.receipts.owner.copy()
    owner[depot.titles.row[::-1]] = depot.titles.seller[::-1]
    return owner


def _ids(numbers: NDArray[np.int64]) -> pa.Array:
    known, of = np.unique(numbers, return_inverse=True)
    return text([f"WR{n:09d}" for n in known], np.where(numbers < 0, -1, of))


def _thousandths(values: NDArray[Any]) -> pa.Array:
    low = np.ascontiguousarray(values, np.int64)
    wide = np.stack([low, low >> 63], axis=1).copy()  # the sign, extended
    return pa.Array.from_buffers(pa.decimal128(20, 3), len(low), [None, pa.py_buffer(wide)])


def _day(ordinal: int) -> str:
    return f"{date.fromordinal(int(ordinal)):%Y%m%d}"
