"""Random streams: one independent generator per seed, trade date and purpose."""

from __future__ import annotations

import zlib
from datetime import date

import numpy as np


def stream(seed: int, day: date | None, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose on one trade date.

    Streams never share draws, so that adding one purpose leaves the others' bytes as they
    were, and a day can be simulated without simulating the days before its saved state.
    ``day`` None is the world itself (people, opening positions).
    """
    number = 0 if day is None else day.year * 10000 + day.month * 100 + day.day
    key = zlib.crc32(purpose.encode("utf-8"))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, number, key])))
