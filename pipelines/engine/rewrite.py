"""Taking rejected rows out of a held batch: flag them, rewrite their files, check what is left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.engine.faults import reach
from pipelines.engine.held import DataFile, HeldWrite
from pipelines.engine.tables import FILE, ROW
from quality.decisions import MOVING, waiver_for
from quality.flags import BROKEN, REJECTED, broken_counts, flag
from quality.gate import decide
from quality.measure import measure
from quality.outcome import Measured, RuleResult

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.compile.rules import RowCheck
    from pipelines.engine.preparation import Preparation

Results = Mapping[str, Sequence[RuleResult]]
Counts = dict[str, dict[str, int]]


@dataclass
class Cleaned:
    """A batch after its rejected rows left: what is measured, removed, released and remaining.

    ``flagged`` (persisted; the caller frees it) holds the rows that broke a rule or left, with
    their marks, None when no row had to be looked at. ``remaining`` has the rejectable failures
    still in the accepted rows, per interval and rule, for the intervals that were rewritten.
    """

    accepted: dict[str, Measured]
    removed: dict[str, int]
    released: Counts = field(default_factory=dict)
    remaining: Counts = field(default_factory=dict)
    flagged: DataFrame | None = None


def clean(
    ready: Preparation, held: HeldWrite, measured: Mapping[str, Measured], results: Results
) -> Cleaned:
    """Move rejected rows out of the held files, where any row may have to leave.

    Intervals that block whatever the accepted rows turn out to be are left as they were built:
    they are not published, and their rejected rows go to quarantine all the same.
    """
    cleaned = Cleaned(dict(measured), dict.fromkeys(measured, 0))
    if _moves(ready, results):
        _Rewrite(ready, held, measured, results).into(cleaned)
    return cleaned


def _moves(ready: Preparation, results: Results) -> bool:
    """True when any row may have to leave the batch; waivers are looked at later."""
    if any(d.kind == "rejection" for d in ready.decisions):
        return True
    moving = {c.rule.id for c in ready.auditor.rules.checks if c.rule.severity in MOVING}
    return any(
        r.rule_id in moving and (r.failing or 0) > 0 for found in results.values() for r in found
    )


@dataclass(frozen=True)
class _Rewrite:
    ready: Preparation
    held: HeldWrite
    measured: Mapping[str, Measured]
    results: Results

    def into(self, cleaned: Cleaned) -> None:
        """Flag, rewrite, measure again; fills ``cleaned``."""
        from pyspark.sql import functions as F

        from quality.sets import interval_text

        column = self.ready.contract.interval_column
        flagged = cleaned.flagged = self._flag()
        by = (interval_text(column).alias("i"), FILE)
        rejected = flagged.where(F.col(REJECTED)).groupBy(*by).count().collect()
        for row in rejected:
            cleaned.removed[row["i"]] += int(row["count"])
        kept = broken_counts(flagged, column, accepted_only=True)
        cleaned.released = {
            interval: {
                rule: n
                for rule, n in ids.items()
                if rule in self._moving and not self._waived(rule, interval)
            }
            for interval, ids in kept.items()
        }
        certain = {i for i in self.measured if self._blocks_already(i, cleaned)}
        names = {_tail(row[FILE]) for row in rejected if row["i"] not in certain}
        self._replace(flagged, names, certain)
        self._check(cleaned, [i for i in names_of(cleaned.removed) if i not in certain], kept)

    def _flag(self) -> DataFrame:
        """The rows that break a rule or leave, persisted: few, whatever the batch's size."""
        from pyspark.sql import functions as F

        ready, checks = self.ready, self._broken
        rows = ready.auditor.files(self._suspected(checks), placed=True)
        flagged = flag(
            rows,
            checks,
            ready.auditor.views([c.rule for c in checks if c.kind != "expr"]),
            ready.contract.key,
            ready.contract.interval_column,
            decisions=ready.decisions,
            product=ready.product,
        )
        return flagged.where((F.size(BROKEN) > 0) | F.col(REJECTED)).persist()

    @property
    def _broken(self) -> list[RowCheck]:
        """The row rules that any row may break: all but those whose failures are counted as 0."""
        results = [r for found in self.results.values() for r in found]
        unbroken = {r.rule_id for r in results} - {r.rule_id for r in results if r.failing != 0}
        return [c for c in self.ready.auditor.rules.checks if c.rule.id not in unbroken]

    def _suspected(self, checks: Sequence[RowCheck]) -> list[DataFile]:
        """The files that may hold rejected rows: those of suspects, where these are all there are.

        A rule over more than a row, a unit or a steward's rejection may reject any row.
        """
        moving = [c for c in checks if c.rule.severity in MOVING]
        alone = all(c.kind == "expr" and not c.rule.unit for c in moving)
        if self.held.apart and alone and not any(
            d.kind == "rejection" for d in self.ready.decisions
        ):  # fmt: skip
            return [f for f in self.held.files if f.suspect]
        return list(self.held.files)

    def _blocks_already(self, interval: str, cleaned: Cleaned) -> bool:
        ready, results = self.ready, self.results[interval]
        removed, released = cleaned.removed[interval], cleaned.released.get(interval)
        judged = {r.rule_id for r in results}
        contract = ready.contract.model_copy(
            update={"rules": tuple(r for r in ready.contract.rules if r.id in judged)}
        )
        built = self.measured[interval].rows
        verdict = decide(
            ready.product, interval, contract, results, ready.decisions,
            built, built - removed, removed, released=released, remaining={},
        )  # fmt: skip
        return not verdict.publishes

    def _replace(self, flagged: DataFrame, names: set[str], certain: Collection[str]) -> None:
        """Rewrite the files that hold rejected rows, from those files, and suspects' always."""
        from pyspark.sql import functions as F

        dirty = [
            f
            for f in self.held.files
            if f.interval not in certain and (f.suspect or _tail(f.path) in names)
        ]
        if not dirty:
            return
        gone = flagged.where(F.col(REJECTED)).select(FILE, ROW)
        stay = self.ready.auditor.files(dirty, placed=True).join(gone, [FILE, ROW], "left_anti")
        columns = [c.name for c in self.ready.contract.columns]
        self.held.rewrite([f.path for f in dirty], stay.select(*columns))
        reach("dirty-rewritten")

    def _check(self, cleaned: Cleaned, touched: Sequence[str], kept: Counts) -> None:
        """Measure the accepted rows of rewritten intervals and count their failures again.

        Where no row broke a uniqueness or a reference, none of fewer rows does; a rule's own SQL
        may find more among fewer.
        """
        if not touched:
            return
        ready = self.ready
        frame = ready.auditor.files([f for f in self.held.files if f.interval in touched])
        cleaned.accepted |= measure(frame, ready.contract, ready.auditor.rules.in_row, touched)
        broken = {c.rule.id for c in self._broken}
        wide = [c for c in ready.auditor.rules.wide if c.kind == "rows" or c.rule.id in broken]
        again = ready.auditor.tally_wide(frame, wide)
        for interval in touched:
            found = {**cleaned.accepted[interval].failing, **again.get(interval, {})}
            cleaned.remaining[interval] = {
                rule: count - kept.get(interval, {}).get(rule, 0)
                for rule, count in found.items()
                if rule in self._moving
            }

    @property
    def _moving(self) -> frozenset[str]:
        checks = self.ready.auditor.rules.checks
        return frozenset(c.rule.id for c in checks if c.rule.severity in MOVING)

    def _waived(self, rule_id: str, interval: str) -> bool:
        ready = self.ready
        return waiver_for(ready.decisions, ready.product, interval, rule_id) is not None


def names_of(removed: Mapping[str, int]) -> list[str]:
    """Intervals that lost rows."""
    return [interval for interval, count in removed.items() if count]


def _tail(path: str) -> str:
    """Folder and name: staged files of several intervals may share a name."""
    return "/".join(path.rsplit("/", 2)[-2:])
