"""Near duplicates: MinHash of character 3-shingles, LSH, then containment.

64 permutations in 16 bands of 4 rows (the LSH curve is steepest near a similarity of
(1/16)^(1/4) = 0.5); a candidate counts when the shared shingles are more than 0.6 of the
smaller text's. Hashes are ours and fixed: the same texts give the same clusters everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.sentiment.ontology import normalise

PERMUTATIONS: Final = 64
BANDS: Final = 16
CONTAINMENT: Final = 0.6
_ROWS: Final = PERMUTATIONS // BANDS
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_RNG = np.random.Generator(np.random.PCG64(20260105))
_A: Final = _RNG.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
_B: Final = _RNG.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)


@dataclass(frozen=True)
class Clusters:
    """For each text: the position of the first text it repeats (its own when it repeats none),
    and whether it counts, i.e. is the first of its source in its cluster."""

    first: tuple[int, ...]
    counts: tuple[bool, ...]


def shingles(text: str) -> NDArray[np.uint64]:
    """Hashes of the distinct 3-character windows of a text, spaces left out; sorted."""
    plain = "".join(normalise(text).split())
    points = np.frombuffer(plain.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    if len(points) < 3:
        points = np.pad(points, (0, 3 - len(points)))
    packed = (points[:-2] << np.uint64(42)) | (points[1:-1] << np.uint64(21)) | points[2:]
    return np.unique(packed)


def signature(windows: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The least hash of each permutation over a text's shingles."""
    mixed = windows * _MIX
    mixed ^= mixed >> np.uint64(29)
    hashed = mixed[None, :] * _A[:, None] + _B[:, None]
    least: NDArray[np.uint32] = (hashed >> np.uint64(32)).min(axis=1).astype(np.uint32)
    return least


@dataclass(frozen=True)
class Mark:
    """What a headline is about: the commodities it names and the figures it gives.

    Texts of one template differ in little else, so near duplicates must agree in it: the same
    commodities, and a figure in common where both give any.
    """

    commodities: frozenset[str] = frozenset()
    figures: frozenset[str] = frozenset()

    def fits(self, other: Mark) -> bool:
        """Whether two headlines can tell the same story."""
        shared = self.figures & other.figures
        return self.commodities == other.commodities and bool(
            shared or not self.figures or not other.figures
        )


def cluster(
    texts: Sequence[str], sources: Sequence[str], marks: Sequence[Mark] | None = None
) -> Clusters:
    """Group near duplicates; texts are given oldest first, so a cluster's first is its origin.

    Each text is compared with the origins (not the copies) it shares a band with, and joins the
    first that contains it (or is contained) and whose mark fits.
    """
    marks = marks or [Mark()] * len(texts)
    windows = [shingles(text) for text in texts]
    buckets: dict[tuple[int, bytes], list[int]] = {}
    first: list[int] = []
    for number, own in enumerate(windows):
        signed = signature(own)
        keys = [
            (band, signed[band * _ROWS : (band + 1) * _ROWS].tobytes()) for band in range(BANDS)
        ]
        candidates = sorted({other for key in keys for other in buckets.get(key, ())})
        mark = marks[number]
        fitting = (other for other in candidates if mark.fits(marks[other]))
        origin = next((other for other in fitting if _contained(own, windows[other])), number)
        first.append(origin)
        if origin == number:
            for key in keys:
                buckets.setdefault(key, []).append(number)
    seen: set[tuple[int, str]] = set()
    counts = []
    for origin, source in zip(first, sources, strict=True):
        counts.append((origin, source) not in seen)
        seen.add((origin, source))
    return Clusters(tuple(first), tuple(counts))


def _contained(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> bool:
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared > CONTAINMENT * min(len(left), len(right))
