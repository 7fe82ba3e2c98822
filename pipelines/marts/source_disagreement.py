"""Where sources of one fact differ: what was believed, what the other one says, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.marts.observations import observations, place_sql, places

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.catalogue import Catalogue

_UNFOLDED = """
    SELECT * FROM (
      SELECT trade_date, commodity_id, contract_id AS subject_id, source, _delivery_id,
        stack({count}, {figures}) AS (fact, value, place)
      FROM {{rows}}
    ) WHERE value IS NOT NULL AND place IS NOT NULL
"""
_TOLD = """
    SELECT trade_date, commodity_id, {contract_id} AS subject_id, '{fact}' AS fact,
      CAST({fact} AS DECIMAL(24,4)) AS value, {source} AS source, _delivery_id, {place} AS place
    FROM {{rows}} WHERE {fact} IS NOT NULL AND {place} IS NOT NULL
"""
_DIFFERENT = """
    WITH placed AS (
      SELECT *, min_by(struct(source, value, _delivery_id), (place, _delivery_id)) OVER (
          PARTITION BY trade_date, subject_id, fact) AS winner
      FROM {told}
    )
    SELECT trade_date, subject_id, fact, source AS other_source, commodity_id,
      winner.source AS winner_source, winner.value AS winner_value,
      winner._delivery_id AS winner_delivery_id, value AS other_value,
      _delivery_id AS other_delivery_id, value - winner.value AS difference,
      CASE WHEN winner.value <> 0 THEN (value - winner.value) / winner.value END
        AS relative_difference
    FROM placed WHERE value <> winner.value
"""


@job(
    "gold.source_disagreement",
    version=2,
    inputs=(
        history("silver.quote_continuous"),
        history("silver.quote_daily", alternative=True),
        history("silver.quote_listing", alternative=True),
        history("silver.settlement_param", alternative=True),
        history("silver.member_total_daily", alternative=True),
        history("silver.month_close", alternative=True),
        history("silver.receipt_total_daily", alternative=True),
    ),
)
def source_disagreement(inputs: Inputs) -> DataFrame:
    """One row per fact, date and source that tells otherwise than the source that is believed.

    Values are compared after normalisation: counted one-sided, in the same unit. A figure that
    only one source tells is no disagreement.
    """
    catalogue: Catalogue = inputs.catalogue  # type: ignore[assignment]  # wider in tests of plans
    place = place_sql(catalogue.standards.authority, "stock", "data_source")
    told = inputs.spark.sql(
        _TOLD.format(fact="stock", contract_id="commodity_id", source="data_source", place=place),
        rows=inputs.read("silver.receipt_total_daily"),
    )
    rows = observations(inputs)
    for fact, place in places(inputs).items():
        sql = _TOLD.format(fact=fact, contract_id="contract_id", source="source", place=place)
        told = told.unionAll(inputs.spark.sql(sql, rows=rows))
    found = inputs.spark.sql(_DIFFERENT, told=told)
    return found.selectExpr(
        *[f"CAST({c.name} AS {c.type}) AS {c.name}" for c in inputs.contract.columns]
    )
