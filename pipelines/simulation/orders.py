"""The day's order flow as one struct of arrays, before it meets the book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPECULATION, HEDGE, ARBITRAGE, MARKET_MAKING = range(4)
HEDGE_FLAGS = ("S", "H", "A", "M")
ACCOUNTS_PER_CLIENT = 4
NO_CANCEL = np.int64(2**62)


@dataclass(frozen=True)
class Orders:
    """One row per order intention.

    ``time`` and ``cancel`` are microseconds on the trade date's clock (``cancel`` NO_CANCEL:
    never), ``trading`` the same moment in trading time, ``distance`` ticks (see
    ``book`` for the styles), ``same_as`` the index of another row of the same batch or -1,
    ``label`` the index of a truth label or -1 (never delivered).
    """

    contract: NDArray[np.int32]
    client: NDArray[np.int32]
    hedge: NDArray[np.int8]
    side: NDArray[np.int8]
    lots: NDArray[np.int32]
    order_type: NDArray[np.int8]
    style: NDArray[np.int8]
    distance: NDArray[np.int32]
    want: NDArray[np.int8]
    may_self: NDArray[np.bool_]
    trading: NDArray[np.int64]
    time: NDArray[np.int64]
    cancel: NDArray[np.int64]
    same_as: NDArray[np.int64]
    label: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.contract)

    @property
    def account(self) -> NDArray[np.int32]:
        """Client and hedge flag as one number."""
        return self.client * np.int32(ACCOUNTS_PER_CLIENT) + self.hedge

    def take(self, rows: NDArray[Any]) -> Orders:
        """Return the chosen rows; references to other rows are dropped."""
        picked = {f.name: getattr(self, f.name)[rows] for f in fields(self)}
        picked["same_as"] = np.full(len(picked["contract"]), -1, np.int64)
        return Orders(**picked)


_DEFAULTS: dict[str, tuple[Any, Any]] = {
    "hedge": (np.int8, 0),
    "order_type": (np.int8, 0),
    "style": (np.int8, 0),
    "distance": (np.int32, 0),
    "want": (np.int8, 0),
    "may_self": (np.bool_, False),
    "trading": (np.int64, 0),
    "time": (np.int64, 0),
    "cancel": (np.int64, NO_CANCEL),
    "same_as": (np.int64, -1),
    "label": (np.int32, -1),
    "contract": (np.int32, 0),
    "client": (np.int32, 0),
    "side": (np.int8, 0),
    "lots": (np.int32, 1),
}


def make_orders(count: int, **columns: Any) -> Orders:
    """Return ``count`` orders; a column not given takes its default, scalars are repeated."""
    data = {}
    for name, (dtype, default) in _DEFAULTS.items():
        value = np.asarray(columns.get(name, default)).astype(dtype)
        data[name] = np.broadcast_to(value, (count,)).copy() if value.ndim == 0 else value
    return Orders(**data)


def join(batches: Sequence[Orders]) -> Orders:
    """Concatenate batches, keeping references within each batch."""
    data = {
        f.name: np.concatenate([getattr(batch, f.name) for batch in batches])
        for f in fields(Orders)
    }
    start = 0
    for batch in batches:
        part = data["same_as"][start : start + len(batch)]
        part[part >= 0] += start
        start += len(batch)
    return Orders(**data)


def by_contract(orders: Orders, contracts: int) -> tuple[Orders, NDArray[np.int64]]:
    """Sort orders by contract and time; also return each contract's first row (and the end)."""
    ranking = np.lexsort((orders.time, orders.contract))
    place = np.empty(len(orders), np.int64)
    place[ranking] = np.arange(len(orders))
    same = orders.same_as[ranking]
    same = np.where(same >= 0, place[same], -1)
    ordered = replace(orders.take(ranking), same_as=same)
    starts = np.searchsorted(ordered.contract, np.arange(contracts + 1))
    return ordered, starts.astype(np.int64)
