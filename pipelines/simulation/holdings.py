"""Positions as they are carried from one trade date to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Held:
    """Positions brought from the day before."""

    contract: NDArray[np.int32]
    account: NDArray[np.int32]
    side: NDArray[np.int8]
    lots: NDArray[np.int64]


NOTHING_HELD = Held(
    np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int8), np.zeros(0, np.int64)
)
