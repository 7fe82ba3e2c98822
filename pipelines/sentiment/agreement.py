"""Labelled headlines, agreement of two passes, and accuracy with its interval."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

DRIVERS = {
    "S": "SUPPLY", "D": "DEMAND", "I": "STOCKS", "C": "COST", "P": "POLICY", "M": "MACRO",
    "L": "LOGISTICS", "X": "PRICE", "N": "NONE",
}  # fmt: skip
_SIGNS = {"+": 1, "0": 0, "-": -1}


@dataclass(frozen=True)
class Labelled:
    """One headline with a pass's labels: commodity -> (direction, driver, sign)."""

    key: str
    language: str
    split: str
    title: str
    tone: int
    commodities: dict[str, tuple[int, str, int]]


def read_labels(folder: Path, which: int) -> tuple[Labelled, ...]:
    """The headlines with the labels of pass 1 or 2 (format: docs/sentiment-labelling.md)."""
    labels = {row["id"]: row for row in _rows(folder / f"pass_{which}.tsv")}
    return tuple(
        Labelled(
            row["id"], row["language"], row["split"], row["title"],
            int(labels[row["id"]]["tone"]), _commodities(labels[row["id"]]["commodities"] or ""),
        )
        for row in _rows(folder / "titles.tsv")
    )  # fmt: skip


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _commodities(text: str) -> dict[str, tuple[int, str, int]]:
    parts = [part for part in text.split(";") if part]
    return {p[:-3]: (_SIGNS[p[-3]], DRIVERS[p[-2]], _SIGNS[p[-1]]) for p in parts}


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Cohen's kappa of two passes over the same items."""
    total = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    one, two = Counter(first), Counter(second)
    chance = sum(one[value] * two[value] for value in one) / total**2
    return 1.0 if chance == 1 else (observed - chance) / (1 - chance)


def wilson(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share; z = 1.96 gives 95 %."""
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    return middle - half, middle + half
