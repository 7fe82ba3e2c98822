"""Days of news through the pure functions, one Python worker per date."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING, Any, cast

from contracts.compile.spark import schema_ddl
from pipelines.sentiment.day import Article
from pipelines.sentiment.ontology import load_ontology
from pipelines.sentiment.words import Dictionary, build_dictionary

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from pipelines.engine.job import Inputs

Judge = Callable[[date, list[Article], Dictionary], list[dict[str, Any]]]


@dataclass(frozen=True)
class Names:
    """Reference rows with the dates they hold on: small, and the same for every worker."""

    commodities: tuple[tuple[Any, ...], ...]
    contracts: tuple[tuple[Any, ...], ...]
    members: tuple[tuple[Any, ...], ...]
    places: tuple[tuple[Any, ...], ...]

    def on(self, day: date) -> Dictionary:
        """The dictionary of a date: what was valid then."""
        return build_dictionary(
            load_ontology(),
            commodities=[(key, zh, en or "") for key, zh, en in _valid(self.commodities, day)],
            contracts=[key for (key,) in _valid(self.contracts, day)],
            members=[(key, name) for key, name in _valid(self.members, day)],
            places=[name for name, at in self.places if at == day],
        )


NO_NAMES = Names((), (), (), ())


def _valid(rows: Iterable[tuple[Any, ...]], day: date) -> list[tuple[Any, ...]]:
    return [values for *values, since, until in rows if since <= day and (not until or day < until)]  # type: ignore[misc]


def read_names(inputs: Inputs) -> Names:
    """Names of commodities, contracts, members and warehouses (dimension-sized, so collected)."""

    def rows(product: str, *columns: str) -> tuple[tuple[Any, ...], ...]:
        found = inputs.read(product).select(*columns).distinct().collect()
        return tuple(sorted((tuple(row) for row in found), key=repr))

    period = ("valid_from", "valid_to")
    return Names(
        rows("silver.commodity", "commodity_id", "name_zh", "name_en", *period),
        rows("silver.contract", "contract_id", *period),
        rows("silver.member", "member_id", "short_name", *period),
        rows("silver.warehouse_stock_daily", "warehouse", "trade_date"),
    )


def by_date(inputs: Inputs, judge: Judge, names: Names, *, window: bool) -> DataFrame:
    """``judge`` applied to each interval's articles, with those of the window before if wanted."""
    import pyspark.sql.functions as F
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    own = inputs.read("silver.news_article", "same")
    own = own.select(*_columns(), F.col("trade_date").alias("_day"))
    if window:
        before = inputs.read("silver.news_article", "previous")
        day = F.to_date("_for_interval").alias("_day")
        own = own.unionByName(before.select(*_columns(), day))
    ddl = schema_ddl(inputs.contract)
    arrow = to_arrow_schema(cast(StructType, StructType.fromDDL(ddl)), timezone="UTC")
    # A lambda: Spark would resolve the annotations of a function, which name no run-time import.
    judged = lambda table: _judged(judge, names, arrow, table)  # noqa: E731
    return own.groupBy("_day").applyInArrow(judged, ddl)


def _columns() -> tuple[str, ...]:
    return ("article_id", "trade_date", "published_at", "source", "title", "body", "reach")


def _judged(judge: Judge, names: Names, schema: pa.Schema, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    day = table.column("_day")[0].as_py()
    articles = [
        Article(
            row["article_id"],
            row["trade_date"],
            row["published_at"].astimezone(UTC),
            row["source"],
            row["title"],
            row["body"],
            row["reach"] or 0,
        )
        for row in table.to_pylist()
    ]
    return pa.Table.from_pylist(judge(day, articles, names.on(day)), schema=schema)
