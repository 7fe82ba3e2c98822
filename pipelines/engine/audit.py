"""Judging exactly the files of a batch: row rules, Great Expectations, table rules.

``quality`` decides; this module brings the files, inputs and decisions together and hands the
counts over. It writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from contracts.compile.rules import RowCheck, row_checks
from contracts.compile.suite import Suite, suite
from contracts.model import Contract, Read, Rule
from pipelines.engine.inputs import InputReader
from pipelines.engine.table_audit import TableAudit
from pipelines.engine.tables import read_files
from pipelines.engine.timer import Timer
from quality.expectations import choose_engine, judge
from quality.flags import tally
from quality.gx import EngineName
from quality.keys import tally_keys
from quality.outcome import GxCount, Measured, RuleResult
from quality.relations import read_batch
from quality.results import Declared

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.catalogue import Catalogue
    from pipelines.engine.held import DataFile
    from pipelines.engine.place import Place
    from pipelines.engine.plan import Planned
    from pipelines.engine.quarantine import Aside
    from pipelines.engine.settings import Settings


@dataclass(frozen=True)
class Compiled:
    """A contract's rules, ready to run."""

    contract: Contract
    checks: tuple[RowCheck, ...]
    suite: Suite
    table_rules: tuple[Rule, ...]

    @property
    def in_row(self) -> tuple[RowCheck, ...]:
        """Checks that one row decides alone: counted while the files are written."""
        return tuple(check for check in self.checks if check.kind == "expr")

    @property
    def wide(self) -> tuple[RowCheck, ...]:
        """Checks that need more than their row: counted over the written files."""
        return tuple(check for check in self.checks if check.kind != "expr")

    def without(self, rule_ids: frozenset[str]) -> Compiled:
        """The same without some row rules (declared, so there is nothing to count)."""
        kept = tuple(e for e in self.suite.expectations if e.rule_id not in rule_ids)
        return replace(
            self,
            checks=tuple(c for c in self.checks if c.rule.id not in rule_ids),
            suite=replace(self.suite, expectations=kept),
        )


def compiled(contract: Contract, catalogue: Catalogue) -> Compiled:
    """Compile a contract's rules (no session needed)."""
    return Compiled(
        contract,
        row_checks(contract, catalogue),
        suite(contract, catalogue),
        tuple(rule for rule in contract.rules if not rule.is_row_rule),
    )


@dataclass(frozen=True)
class Counts:
    """What was counted of a batch's files: per interval, by two independent ways."""

    rows: Mapping[str, Mapping[str, int]]
    """interval -> rule id -> failing rows by row rules (absent: 0)."""
    expectations: Mapping[str, Mapping[str, GxCount]]


@dataclass(frozen=True)
class Auditor:
    """Judges one batch of one product: holds its inputs, pinned once."""

    settings: Settings
    rules: Compiled
    reader: InputReader
    table: Place
    tables: TableAudit
    declared: Mapping[str, Declared]
    """Row rules with nothing to judge in this lake (an optional input that is not part of it)."""
    timer: Timer

    @property
    def contract(self) -> Contract:
        """The product's contract."""
        return self.rules.contract

    def files(self, files: Sequence[DataFile], *, placed: bool = False) -> DataFrame:
        """The rows of exactly these files, in the contract's columns (see ``read_files``)."""
        paths = [file.path for file in files]
        base = self.table
        if paths and not paths[0].startswith(str(base)):
            # The staged fallback keeps files outside the table, one folder per stage.
            return _by_stage(self, files, placed)
        return read_files(self.reader.spark, self.contract, base, paths, placed=placed)

    def views(self, rules: Sequence[Rule]) -> dict[str, DataFrame]:
        """The Spark frames that these rules read, by product name."""
        return {read.product: self.reader.frame(read) for read in _reads(rules)}

    def count(self, files: Sequence[DataFile], measured: Mapping[str, Measured]) -> Counts:
        """Count failing rows of every row rule, and again by Great Expectations."""
        rows = {interval: dict(m.failing) for interval, m in measured.items()}
        row_rules = [check.rule for check in self.rules.checks]
        frame = self.files(files)
        engine = self._engine(files)
        if files:
            with self.timer.phase("keys"):
                for interval, counts in self._wide(files, frame).items():
                    rows.setdefault(interval, {}).update(counts)
        if engine == "pandas":
            given: dict[str, Any] = self.relations(row_rules)
            batch: Any = self.table.files([file.path for file in files])
        else:
            given, batch = dict(self.views(row_rules)), frame
        with self.timer.phase("expectations"):
            expectations = judge(
                batch,
                self.contract,
                self.rules.suite,
                given,
                tuple(measured),
                engine=engine,
            )
        return Counts(rows, expectations)

    def _wide(self, files: Sequence[DataFile], frame: DataFrame) -> dict[str, dict[str, int]]:
        """Rules that need more than a row: by DuckDB what shows in the keys, the rest by Spark."""
        apart = [c for c in self.rules.wide if self._in_files(c.rule)]
        found = self.tally_wide(frame, [c for c in self.rules.wide if c not in apart])
        if apart:
            spill = self.settings.home / "spark" / "keys"
            batch = self.table.files([file.path for file in files])
            views = self.relations([c.rule for c in apart])
            for interval, counts in tally_keys(batch, self.contract, apart, views, spill).items():
                found.setdefault(interval, {}).update(counts)
        return found

    def _in_files(self, rule: Rule) -> bool:
        """True when the rule reads nothing but what stands in files as it is."""
        return rule.kind == "unique" or (
            rule.kind == "reference"
            and all(
                read.how != "previous" and not read.product.startswith("bronze.")
                for read in _reads([rule])
            )
        )

    def tally_wide(
        self, frame: DataFrame, checks: Sequence[RowCheck] | None = None
    ) -> dict[str, dict[str, int]]:
        """Count failing rows of the rules that need more than a row (or of these of them)."""
        wide = self.rules.wide if checks is None else checks
        if not wide:
            return {}
        views = self.views([check.rule for check in wide])
        return tally(frame, wide, views, self.contract.key, self.contract.interval_column)

    def table_results(
        self,
        files: Sequence[DataFile],
        scope: str,
        planned: Sequence[Planned],
        aside: Aside | None = None,
    ) -> dict[str, list[RuleResult]]:
        """Judge the table rules of one scope over the files as they are now.

        ``aside``: rows that belong to the judged set and are in quarantine.
        """
        rules = [rule for rule in self.rules.table_rules if rule.scope == scope]
        spark = self._engine(files) == "spark"
        rows = {p.interval: 0 for p in planned}
        for file in files:
            rows[file.interval] += file.rows
        for interval, count in (aside.rows if aside else {}).items():
            rows[interval] += count
        if spark:
            return self.tables.judge(
                rules, planned, rows, lambda: self._frame(files, aside), self.views, spark=True
            )
        return self.tables.judge(
            rules, planned, rows, lambda: self._table(files, aside), self.relations, spark=False
        )

    def _frame(self, files: Sequence[DataFile], aside: Aside | None) -> DataFrame:
        frame = self.files(files)
        return frame.unionByName(aside.frame) if aside else frame

    def _table(self, files: Sequence[DataFile], aside: Aside | None) -> Any:
        table = read_batch(self.table.files([file.path for file in files]), self.contract)
        if aside is None:
            return table
        import pyarrow as pa

        names = table.column_names
        return pa.concat_tables([table, aside.frame.toArrow().select(names).cast(table.schema)])

    def relations(self, rules: Sequence[Rule]) -> dict[str, Any]:
        """What these rules read, for DuckDB, by product name."""
        return {read.product: self.reader.relation(read) for read in _reads(rules)}

    def _engine(self, files: Sequence[DataFile]) -> EngineName:
        chosen = self.settings.expectations_engine
        if chosen != "auto":
            return chosen
        rows = sum(file.rows for file in files)
        return choose_engine(rows, self.settings.expectations_pandas_rows)


def _reads(rules: Sequence[Rule]) -> list[Read]:
    """What rules read, each product once; a reference without ``reads`` reads the same interval."""
    found: dict[str, Read] = {}
    for rule in rules:
        for read in rule.reads:
            found.setdefault(read.product, read)
        if rule.to_product:
            found.setdefault(rule.to_product, Read(product=rule.to_product))
    return list(found.values())


def _by_stage(auditor: Auditor, files: Sequence[DataFile], placed: bool) -> DataFrame:
    from pathlib import Path

    dated = auditor.contract.interval_column is not None
    stages: dict[Path, list[str]] = {}
    for file in files:
        folder = Path(file.path).parent
        stages.setdefault(folder.parent if dated else folder, []).append(file.path)
    frames = [
        read_files(auditor.reader.spark, auditor.contract, base, paths, placed=placed)
        for base, paths in stages.items()
    ]
    df = frames[0]
    for frame in frames[1:]:
        df = df.unionByName(frame)
    return df
