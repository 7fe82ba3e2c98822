"""Days of news through the pure functions: here when they are few, else a worker per date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING, cast

from contracts.compile.spark import schema_ddl
from pipelines.sentiment.day import Article, load_weights, mention_rows
from pipelines.sentiment.ontology import ONTOLOGY_DIGEST, load_ontology, released_ontology
from pipelines.sentiment.words import Dictionary, build_dictionary

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from pipelines.engine.job import Inputs

FEW = 2_000
"""Articles (a date's and those of its window) that this process judges itself. Starting Python
workers and importing everything there costs seconds, more than the articles of a small day."""

REFERENCE = {
    "commodity": ("silver.commodity", "commodity_id", "name_zh", "name_en"),
    "contract": ("silver.contract", "contract_id", "NULL", "NULL"),
    "member": ("silver.member", "member_id", "short_name", "NULL"),
}
"""Kind -> product and the columns that name its things; all of them keep their history."""


@dataclass(frozen=True)
class Name:
    """A reference row's names and the dates they hold on (``until`` excluded, None: still)."""

    key: str
    first: str | None
    second: str | None
    since: date
    until: date | None


@dataclass(frozen=True)
class Names:
    """Reference rows of the dictionary: small, and the same for every worker."""

    commodities: tuple[Name, ...]
    contracts: tuple[Name, ...]
    members: tuple[Name, ...]
    places: tuple[Name, ...]

    def on(self, day: date) -> Dictionary:
        """The dictionary of a date: what was valid then."""
        return build_dictionary(
            load_ontology(),
            commodities=[
                (n.key, n.first or "", n.second or "") for n in _valid(self.commodities, day)
            ],
            contracts=[n.key for n in _valid(self.contracts, day)],
            members=[(n.key, n.first or "") for n in _valid(self.members, day)],
            places=[n.key for n in self.places if n.since == day],
        )


def _valid(names: Iterable[Name], day: date) -> list[Name]:
    return [n for n in names if n.since <= day and (n.until is None or day < n.until)]


def read_names(inputs: Inputs) -> Names:
    """Names of commodities, contracts, members and warehouses: dimension-sized, so collected, and
    all at once, because each collect is a Spark job of its own."""
    frames = [
        inputs.read(product).selectExpr(
            f"'{kind}' AS kind", key, f"CAST({first} AS STRING)", f"CAST({second} AS STRING)",
            "valid_from", "valid_to",
        )
        for kind, (product, key, first, second) in REFERENCE.items()
    ]  # fmt: skip
    places = inputs.read("silver.warehouse_stock_daily").selectExpr(
        "'place'", "warehouse", "CAST(NULL AS STRING)", "CAST(NULL AS STRING)", "trade_date",
        "CAST(NULL AS DATE)",
    )  # fmt: skip
    every = frames[0]
    for frame in (*frames[1:], places):
        every = every.union(frame)
    found: dict[str, set[Name]] = defaultdict(set)
    for kind, *values in every.collect():
        found[kind].add(Name(*values))
    return Names(
        *(
            tuple(sorted(found[kind], key=repr))
            for kind in ("commodity", "contract", "member", "place")
        )
    )


def mentions(inputs: Inputs, names: Names, few: int = FEW) -> DataFrame:
    """The rows of gold.news_mention of each interval, from its articles and those of the window.

    Up to ``few`` articles are judged in this process, more by Python workers; the function, and
    so the rows, are the same. Raises OntologyUnreleasedError.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyspark.sql.functions as F
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    released_ontology(ONTOLOGY_DIGEST)
    columns = ("article_id", "trade_date", "published_at", "source", "title", "body", "reach")
    own = inputs.read("silver.news_article", "same")
    before = inputs.read("silver.news_article", "previous")
    every = own.select(*columns, F.col("trade_date").alias("_day")).unionByName(
        before.select(*columns, F.to_date("_for_interval").alias("_day"))
    )
    ddl = schema_ddl(inputs.contract)
    schema = cast(StructType, StructType.fromDDL(ddl))
    arrow = to_arrow_schema(schema, timezone="UTC")
    given = every.limit(few + 1).toArrow()
    if given.num_rows <= few:
        days = pc.unique(given.column("_day"))
        judged_here = [
            _judged(names, arrow, given.filter(pc.equal(given.column("_day"), day))) for day in days
        ]
        table = pa.concat_tables([arrow.empty_table(), *judged_here])
        return inputs.spark.createDataFrame(table, schema)
    # A lambda: Spark would resolve the annotations of a function, which name no run-time import.
    judged = lambda table: _judged(names, arrow, table)  # noqa: E731
    return every.groupBy("_day").applyInArrow(judged, ddl)


def _judged(names: Names, schema: pa.Schema, table: pa.Table) -> pa.Table:
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
            row["reach"],
        )
        for row in table.to_pylist()
    ]
    rows = mention_rows(day, articles, load_ontology(), names.on(day), load_weights())
    return pa.Table.from_pylist(rows, schema=schema)
