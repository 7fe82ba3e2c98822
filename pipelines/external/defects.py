"""Known defects of real files beside what the gate found of them.

``python -m pipelines.external.defects --home lake-real`` prints the table of docs/real-data.md.
What is known stands in ``known_defects``; counts, severity and the fate of the rows come from the
ledgers.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine.ledgers import DELIVERY, RESULT, Ledgers
from pipelines.engine.settings import Settings, load_settings
from pipelines.external.known_defects import DEFECTS, Defect

if TYPE_CHECKING:
    from pipelines.engine.rows import ResultRow

FATE = {
    "critical": "the interval is blocked",
    "error": "quarantined",
    "warning": "published, marked",
    "info": "published, counted",
    "refused": "the file is refused and kept: a manifest may say what it lacks",
}


@dataclass(frozen=True)
class Found:
    """A defect with what the newest judgement counted; ``count`` None: not judged in this lake."""

    defect: Defect
    severity: str
    count: int | None

    @property
    def fate(self) -> str:
        """What became of the rows; of those that were not judged, what would."""
        if self.count == 0:
            return ""
        return self.defect.instead or FATE.get(self.severity, "")


def found(settings: Settings, defects: Sequence[Defect] = DEFECTS) -> tuple[Found, ...]:
    """Each defect with the failing rows of its rule, per interval of the fullest judgement.

    Of equal ones the newest: stored rows that are judged again lack what had left for quarantine.
    """
    ledgers = Ledgers(settings.ops, settings.locks)
    newest: dict[tuple[str, str, str], ResultRow] = {}
    for row in ledgers.read(RESULT):
        place = (row.product, row.rule_id, row.interval)
        if place not in newest or (row.checked or 0) >= (newest[place].checked or 0):
            newest[place] = row
    refused = Counter((d.product, d.error_code) for d in ledgers.read(DELIVERY))
    return tuple(
        Found(defect, "refused", refused[defect.product, defect.rule])
        if defect.product.startswith("bronze.")
        else _judged(defect, newest)
        for defect in defects
    )


def _judged(defect: Defect, newest: Mapping[tuple[str, str, str], ResultRow]) -> Found:
    rule_id = f"{defect.product.split('.', 1)[1]}.{defect.rule}"
    judged = [
        r
        for (product, rule, interval), r in newest.items()
        if (product, rule) == (defect.product, rule_id)
        and interval.startswith(defect.interval or "")
        and r.failing is not None
    ]
    count = sum(r.failing or 0 for r in judged) if judged else None
    return Found(defect, judged[0].severity if judged else "", count)


def table(settings: Settings) -> Iterator[str]:
    """The defects as Markdown."""
    yield "| defect | rule | severity | what happened to the rows | found | stated |"
    yield "|---|---|---|---|---:|---:|"
    for f in found(settings):
        layer, product = f.defect.product.split(".", 1)
        name = f"`{f.defect.rule}`" if layer == "bronze" else f"`{product}.{f.defect.rule}`"
        count = "not judged" if f.count is None else f"{f.count:,}"
        stated = "" if f.defect.stated is None else f.defect.stated
        stated = f"{stated:,}" if isinstance(stated, int) else stated
        cells = (f.defect.what, name, f.severity, f.fate, count, stated)
        yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Known defects and what was found of them.")
    parser.add_argument("--home", type=Path, required=True)
    for line in table(load_settings(environ={}, home=parser.parse_args().home)):
        print(line)
