"""Known defects of real files beside what the gate found of them.

``python -m pipelines.external.defects --home lake-real`` prints the table of docs/real-data.md.
What is known stands here as data; counts, severity and the fate of the rows come from the ledgers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine.ledgers import RESULT, Ledgers
from pipelines.engine.settings import Settings, load_settings

if TYPE_CHECKING:
    from pipelines.engine.rows import ResultRow

FATE = {
    "critical": "the interval is blocked",
    "error": "quarantined",
    "warning": "published, marked",
    "info": "published, counted",
}


@dataclass(frozen=True)
class Defect:
    """A defect of a source, and the rule that finds it.

    ``stated``: rows known beforehand, by whoever described the files; None where nobody had.
    ``instead``: what became of the rows where their severity alone does not say it.
    ``interval``: the only one that is counted; None: all.
    """

    what: str
    product: str
    rule: str
    stated: int | None
    instead: str = ""
    interval: str | None = None


DEFECTS = (
    Defect("settlement price 0, that is missing, in a continuous history",
           "silver.quote_continuous", "settlement_price.given", 5_961, "null, published, marked"),
    Defect("days without volume (815 of fuel oil alone: the contract was dead)",
           "silver.quote_continuous", "volume.traded", 887),
    Defect("high and low that do not contain open and close",
           "silver.quote_continuous", "prices.ordered", 32),
    Defect("a series that stops before the others (EC)",
           "silver.quote_continuous", "series.ends", 1),
    Defect("open interest of SC on its first day a hundred times too large",
           "gold.source_disagreement", "size", 1, "the exchange's figure is published, both kept"),
    Defect("bars of days on which the exchange was closed",
           "silver.quote_continuous", "trade_date.traded", None),
    Defect("an odd volume where both sides were counted",
           "silver.quote_continuous", "parsed", None),
    Defect("a close that moved by more than a quarter: first days, expiring and EC contracts",
           "gold.market_history", "return.possible", None),
    Defect("contracts without volume in a list of all contracts",
           "silver.quote_listing", "volume.traded", 25, interval="2026-01-29"),
    Defect("a month's array shorter than the list of dates",
           "silver.month_close", "series.aligned", 7, "the series quarantined whole, as one row"),
    Defect("contracts of two years under one month: which one is shown cannot be told",
           "silver.month_close", "contract.known", None, "published without a contract"),
    Defect("a blank long position: not among the twenty, not zero",
           "silver.member_position_daily", "long_lots.ranked", 3_391, "null, published, counted"),
    Defect("a blank short position: not among the twenty, not zero",
           "silver.member_position_daily", "short_lots.ranked", 1_901, "null, published, counted"),
    Defect("members on neither list that are named all the same",
           "silver.member_position_daily", "side.given", None),
    Defect("Dubai: a monthly value repeated by day",
           "silver.basis_daily", "dubai.daily", None),
    Defect("continuous series among contracts, with dates 0000-00-00 (list of 2019)",
           "silver.contract", "id.form", 48),
    Defect("a holiday of a front end's list that is a trade date (none)",
           "silver.calendar", "holiday.closed", 0),
    Defect("a change of receipts that is not the difference (none)",
           "silver.receipt_total_daily", "change.adds", 0),
    Defect("a vendor's receipts that differ from the exchange's total (none)",
           "silver.receipt_total_daily", "sources.agree", 0),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A defect with what the newest judgement counted; ``count`` None: not judged in this lake."""

    defect: Defect
    severity: str
    count: int | None

    @property
    def fate(self) -> str:
        """What became of the rows."""
        if not self.count:
            return ""
        return self.defect.instead or FATE[self.severity]


def found(settings: Settings, defects: Sequence[Defect] = DEFECTS) -> tuple[Found, ...]:
    """Each defect with the failing rows of its rule, per interval of the fullest judgement.

    Of equal ones the newest: stored rows that are judged again lack what had left for quarantine.
    """
    newest: dict[tuple[str, str, str], ResultRow] = {}
    for row in Ledgers(settings.ops, settings.locks).read(RESULT):
        place = (row.product, row.rule_id, row.interval)
        if place not in newest or (row.checked or 0) >= (newest[place].checked or 0):
            newest[place] = row
    counted = []
    for defect in defects:
        rule_id = f"{defect.product.split('.', 1)[1]}.{defect.rule}"
        judged = [
            r
            for (product, rule, interval), r in newest.items()
            if (product, rule) == (defect.product, rule_id)
            and defect.interval in (None, interval)
            and r.failing is not None
        ]
        severity = judged[0].severity if judged else ""
        count = sum(r.failing or 0 for r in judged) if judged else None
        counted.append(Found(defect, severity, count))
    return tuple(counted)


def table(settings: Settings) -> Iterator[str]:
    """The defects as Markdown."""
    yield "| defect | rule | severity | what happened to the rows | found | stated |"
    yield "|---|---|---|---|---:|---:|"
    for f in found(settings):
        name = f"`{f.defect.product.split('.', 1)[1]}.{f.defect.rule}`"
        count = "not judged" if f.count is None else f"{f.count:,}"
        stated = "" if f.defect.stated is None else f"{f.defect.stated:,}"
        cells = (f.defect.what, name, f.severity, f.fate, count, stated)
        yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Known defects and what was found of them.")
    parser.add_argument("--home", type=Path, required=True)
    for line in table(load_settings(environ={}, home=parser.parse_args().home)):
        print(line)
