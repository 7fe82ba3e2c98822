"""Taking rejected rows out of a held batch: flag them, rewrite their files, check what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.engine.faults import reach
from pipelines.engine.held import DataFile, HeldWrite
from quality.decisions import MOVING, waiver_for
from quality.flags import REJECTED, broken_counts, flag
from quality.gate import decide
from quality.measure import measure
from quality.outcome import Measured, RuleResult

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.engine.preparation import Preparation

Results = Mapping[str, Sequence[RuleResult]]
Counts = dict[str, dict[str, int]]


@dataclass
class Cleaned:
    """A batch after its rejected rows left: what is measured, removed, released and remaining.

    ``flagged`` (persisted; the caller frees it) holds every built row with its marks, None when
    no row had to be looked at. ``remaining`` has the rejectable failures still in the accepted
    rows, per interval and rule, for the intervals that were rewritten.
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
        from quality.sets import interval_text

        column = self.ready.contract.interval_column
        flagged = cleaned.flagged = self._flag()
        rejected = (
            flagged.where(REJECTED)
            .groupBy(interval_text(column).alias("interval"), "__file")
            .count()
            .collect()
        )
        for row in rejected:
            cleaned.removed[row["interval"]] += int(row["count"])
        certain = {i for i in self.measured if self._blocks_already(i, cleaned.removed[i])}
        names = {row["__file"] for row in rejected if row["interval"] not in certain}
        self._replace(flagged, names)
        kept = broken_counts(flagged, column, accepted_only=True)
        cleaned.released = {
            interval: {
                rule: n
                for rule, n in ids.items()
                if rule in self._moving and not self._waived(rule, interval)
            }
            for interval, ids in kept.items()
        }
        self._check(cleaned, [i for i in names_of(cleaned.removed) if i not in certain], kept)

    def _flag(self) -> DataFrame:
        from pyspark.sql import functions as F

        ready = self.ready
        # Folder and name: staged files of several intervals may share a name.
        parts = F.split(F.input_file_name(), "/")
        rows = ready.auditor.files(self.held.files).withColumn(
            "__file", F.array_join(F.slice(parts, -2, 2), "/")
        )
        flagged = flag(
            rows,
            ready.auditor.rules.checks,
            ready.auditor.views([c.rule for c in ready.auditor.rules.wide]),
            ready.contract.key,
            ready.contract.interval_column,
            decisions=ready.decisions,
            product=ready.product,
        )
        return flagged.persist()

    def _blocks_already(self, interval: str, removed: int) -> bool:
        ready, results = self.ready, self.results[interval]
        judged = {r.rule_id for r in results}
        contract = ready.contract.model_copy(
            update={"rules": tuple(r for r in ready.contract.rules if r.id in judged)}
        )
        built = self.measured[interval].rows
        verdict = decide(
            ready.product, interval, contract, results, ready.decisions,
            built, built - removed, removed, remaining={},
        )  # fmt: skip
        return not verdict.publishes

    def _replace(self, flagged: DataFrame, names: set[str]) -> None:
        """Rewrite the files that hold rejected rows, from those files."""
        from pyspark.sql import functions as F

        dirty = [f.path for f in self.held.files if _tail(f) in names]
        if not dirty:
            return
        stay = flagged.where(~F.col(REJECTED) & F.col("__file").isin(sorted(names)))
        self.held.rewrite(dirty, stay.select(*[c.name for c in self.ready.contract.columns]))
        reach("dirty-rewritten")

    def _check(self, cleaned: Cleaned, touched: Sequence[str], kept: Counts) -> None:
        """Measure the accepted rows of rewritten intervals and count their failures again."""
        if not touched:
            return
        ready = self.ready
        frame = ready.auditor.files([f for f in self.held.files if f.interval in touched])
        cleaned.accepted |= measure(frame, ready.contract, ready.auditor.rules.in_row, touched)
        again = ready.auditor.tally_wide(frame)
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


def _tail(file: DataFile) -> str:
    return "/".join(file.path.rsplit("/", 2)[-2:])
