"""What every source says of a contract on a date, and who is believed.

Which source is believed for which figure is data: ``contracts/standards/authority.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.catalogue import Catalogue
    from pipelines.engine.job import Inputs

AUTHORITY_DIGEST = "a74fc445d88007f81075c61ed783fc03c5e5020cb85c5918187a75ac46617009"
"""Digest of authority.yaml the jobs were released with. Another ranking gives other figures: a
test demands this digest anew, and with it new versions of the jobs that build on it."""
PRICES = ("open_price", "high_price", "low_price", "close_price", "settlement_price")
FACTS = (*PRICES, "volume_lots", "open_interest_lots")
SAME = ("trade_date", "commodity_id", "contract_id")

_EQUAL = " + ".join(f"int(coalesce(c.{p} = t.{p}.value, false))" for p in PRICES)
_BOTH = " + ".join(f"int(c.{p} IS NOT NULL AND t.{p} IS NOT NULL)" for p in PRICES)
_RUN = 5
"""Trade dates in a row on which one equal price says which contract is meant: by chance alone, a
contract closes where the main one does on a day now and then."""
_FOLLOWING = f"""
    WITH bars AS (
      SELECT *, row_number() OVER (PARTITION BY series_id ORDER BY trade_date) AS day
      FROM {{continuous}}
    ), alike AS (
      SELECT c.trade_date, c.series_id, c.day, t.contract_id, {_EQUAL} AS equal_prices,
        {_BOTH} AS told_prices,
        t.open_interest_lots.value AS interest, t.volume_lots.value AS volume,
        coalesce(t.open_interest_lots.value BETWEEN c.open_interest_lots * 0.95
          AND c.open_interest_lots * 1.05, false) AS as_large
      FROM bars c
      JOIN {{believed}} t ON t.trade_date = c.trade_date AND t.commodity_id = c.commodity_id
    ), fitting AS (
      SELECT *, day - row_number() OVER (PARTITION BY series_id, contract_id ORDER BY day) AS island
      FROM alike WHERE equal_prices * 2 > told_prices
    ), runs AS (
      SELECT *, count(*) OVER (PARTITION BY series_id, contract_id, island) AS run FROM fitting
    ), placed AS (
      SELECT *, rank() OVER (PARTITION BY trade_date, series_id ORDER BY equal_prices DESC,
        interest DESC NULLS LAST, volume DESC NULLS LAST, run DESC) AS place
      FROM runs WHERE equal_prices > 1 OR as_large OR run >= {_RUN}
    ), followed AS (
      SELECT trade_date, series_id, max(contract_id) AS contract_id
      FROM placed WHERE place = 1 GROUP BY trade_date, series_id HAVING count(*) = 1
    )
    SELECT c.trade_date, c.commodity_id, coalesce(f.contract_id, c.series_id) AS contract_id,
      c.series_id, 'VENDOR_CONTINUOUS' AS source, c._delivery_id,
      {", ".join(f"c.{fact}" for fact in FACTS)}
    FROM {{continuous}} c
    LEFT JOIN followed f ON f.trade_date = c.trade_date AND f.series_id = c.series_id
"""


def observations(inputs: Inputs) -> DataFrame:
    """One row per contract, date and source: all its figures, counted one-sided.

    A continuous series speaks of the contract it follows: the one that shows more than half of the
    series' prices, and most of them. Where that is one price only, the contract's open interest is
    the series' as well, to a twentieth, or it has that price on five trade dates in a row. Of
    several the one with most open interest, then volume, then the longest such run. Where that
    leaves several or none, ``contract_id`` is the series' own id. ``series_id`` is null for sources
    that name contracts themselves.
    """
    named = _of_contracts(inputs)
    series = inputs.spark.sql(
        _FOLLOWING,
        continuous=inputs.read("silver.quote_continuous"),
        believed=believed(inputs, named),
    )
    return named.unionByName(series, allowMissingColumns=True)


def believed(inputs: Inputs, told: DataFrame, *others: str) -> DataFrame:
    """Per contract and date, each figure as (value, source, _delivery_id) of the best source.

    ``others``: further SQL aggregates.
    """
    told_by = [
        f"min_by(struct({fact} AS value, source, _delivery_id), {place})"
        f" FILTER (WHERE {fact} IS NOT NULL AND {place} IS NOT NULL) AS {fact}"
        for fact, place in places(inputs).items()
    ]
    same = ", ".join(SAME)
    return inputs.spark.sql(
        f"SELECT {same}, {', '.join([*told_by, *others])} FROM {{told}} GROUP BY {same}", told=told
    )


def places(inputs: Inputs) -> dict[str, str]:
    """Fact -> SQL for the place of ``source`` in its ranking, NULL for one without a rank."""
    catalogue: Catalogue = inputs.catalogue  # type: ignore[assignment]  # wider in tests of plans
    return {fact: place_sql(catalogue.standards.authority, fact) for fact in FACTS}


def place_sql(authority: Mapping[str, tuple[str, ...]], fact: str, source: str = "source") -> str:
    """The place of a source in the ranking of one fact as SQL, 1 the best.

    >>> place_sql({"stock": ("EXCHANGE_STOCK", "VENDOR_RECEIPT")}, "stock")
    "CASE source WHEN 'EXCHANGE_STOCK' THEN 1 WHEN 'VENDOR_RECEIPT' THEN 2 END"
    """
    ranks = enumerate(authority[fact], start=1)
    whens = " ".join(f"WHEN '{name}' THEN {place}" for place, name in ranks)
    return f"CASE {source} {whens} END"


def _of_contracts(inputs: Inputs) -> DataFrame:
    """Rows of all sources that name contracts themselves."""

    def rows(product: str, source: str, facts: tuple[str, ...], where: str = "true") -> DataFrame:
        told = (*SAME, f"{source} AS source", "_delivery_id", *facts)
        return inputs.read(product).where(where).selectExpr(*told)

    every = rows("silver.quote_daily", "data_source", FACTS, "data_source <> 'VENDOR_LISTING'")
    listed = ("close_price", "settlement_price", "volume_lots", "open_interest_lots")
    for other in (
        rows("silver.quote_listing", "'VENDOR_LISTING'", listed),
        rows("silver.settlement_param", "data_source", ("settlement_price",)),
        rows("silver.member_total_daily", "'VENDOR_MEMBER'", ("settlement_price",)),
        rows("silver.month_close", "'VENDOR_MONTH_CLOSE'", ("close_price",),
             "contract_id IS NOT NULL"),
    ):  # fmt: skip
        every = every.unionByName(other, allowMissingColumns=True)
    return every
