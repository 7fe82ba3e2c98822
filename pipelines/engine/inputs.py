"""Reading declared inputs, pinned: the frames a job or a rule is given.

One reader serves one batch: every table is opened once, so all reads of a batch see the same
versions, and ``versions`` records them for reproduction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from pipelines.engine.evolve import must_follow
from pipelines.engine.tables import (
    Table,
    interval_column_of,
    open_table,
    read,
    read_effective,
)
from quality.relations import Only, empty_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from contracts.catalogue import Catalogue
    from contracts.model import Read
    from pipelines.engine.calendar import TradingCalendar
    from pipelines.engine.delivery import Effective
    from pipelines.engine.place import Storage
    from quality.relations import Relation

Deliveries = Callable[[str], Mapping[str, "Effective"]]
"""Bronze product -> interval -> what of it counts."""

FOR_INTERVAL = "_for_interval"


@dataclass
class InputReader:
    """Gives the rows of declared reads for ``intervals`` of one product."""

    spark: SparkSession
    storage: Storage
    catalogue: Catalogue
    calendar: TradingCalendar
    deliveries: Deliveries
    intervals: tuple[str, ...]
    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, product: str) -> Table:
        """The pinned table of ``product``."""
        if product not in self.tables:
            contract = self.catalogue[product]
            if contract.layer != "bronze":
                must_follow(contract, self.storage.table(product))
            self.tables[product] = open_table(self.storage, product, interval_column_of(contract))
        return self.tables[product]

    @property
    def versions(self) -> dict[str, int]:
        """Delta version of each table that was read."""
        return {product: table.version for product, table in sorted(self.tables.items())}

    def frame(self, declared: Read) -> DataFrame:
        """Rows of one declared read (see ``contracts.model.Read`` for the kinds)."""
        product = declared.product
        contract, table = self.catalogue[product], self.table(product)
        if declared.how == "previous":
            return self._previous(declared)
        if contract.layer == "bronze":
            return read_effective(self.spark, contract, table, self._effective(declared))
        if declared.how == "same" and contract.interval_column is not None:
            return read(self.spark, contract, table, self.intervals)
        rows = read(self.spark, contract, table)
        return rows.where("known_to IS NULL") if contract.scd2 else rows

    def _effective(self, declared: Read) -> Sequence[Effective]:
        found = self.deliveries(declared.product)
        if declared.how == "history":
            return [found[interval] for interval in sorted(found)]
        if declared.how == "latest":
            newest = [interval for interval in sorted(found) if found[interval].steps]
            return [found[newest[-1]]] if newest else []
        return [found[interval] for interval in self.intervals if interval in found]

    def _previous(self, declared: Read) -> DataFrame:
        from pyspark.sql import functions as F

        contract, table = self.catalogue[declared.product], self.table(declared.product)
        pairs = [
            (self.calendar.previous(date.fromisoformat(interval), back).isoformat(), interval)
            for interval in self.intervals
            for back in range(1, declared.n + 1)
        ]
        rows = read(self.spark, contract, table, {day for day, _ in pairs})
        column = interval_column_of(contract)
        served = self.spark.sql(
            "SELECT * FROM VALUES "
            + ", ".join(f"(date'{day}', date'{interval}')" for day, interval in pairs)
            + f" AS served(_day, {FOR_INTERVAL})"
        )
        joined = rows.join(F.broadcast(served), rows[str(column)] == served["_day"])
        return joined.drop("_day")

    def relation(self, declared: Read) -> Relation:
        """The same rows for DuckDB, which judges small batches as a second engine.

        Plain files where no resolving is needed; otherwise the rows as an Arrow table.
        """
        product = declared.product
        contract, table = self.catalogue[product], self.table(product)
        if declared.how == "previous":
            return self.frame(declared).toArrow()
        if contract.layer == "bronze":
            effective = self._effective(declared)
            if any(e.resolves_by_key for e in effective):
                return self.frame(declared).toArrow()
            paths = [f.path for f in table.of({e.interval for e in effective})]
            counting = Only("_delivery_id", tuple(d for e in effective for d in e.delivery_ids))
            return table.place.files(paths, counting) if paths else empty_table(contract)
        dated = declared.how == "same" and contract.interval_column is not None
        paths = [f.path for f in table.of(self.intervals if dated else None)]
        where = Only("known_to") if contract.scd2 else None
        return table.place.files(paths, where) if paths else empty_table(contract)
