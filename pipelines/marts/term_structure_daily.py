"""The curve of every commodity and date: prices by delivery month, spreads and slope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MONTHS = (
    "(CAST(left({0}, 4) AS INT) - year(trade_date)) * 12"
    " + CAST(right({0}, 2) AS INT) - month(trade_date)"
)
_CURVE = f"""
    WITH priced AS (
      SELECT trade_date, commodity_id, exchange, series_id AS contract_id, delivery_month,
        coalesce(settlement_price, close_price) AS curve_price,
        if(settlement_price IS NULL, 'CLOSE', 'SETTLEMENT') AS curve_price_kind,
        volume_lots, open_interest_lots,
        {_MONTHS.format("delivery_month")} AS months_to_delivery
      FROM {{history}}
      WHERE series_kind = 'CONTRACT' AND coalesce(settlement_price, close_price) IS NOT NULL
    ), one_kind AS (
      SELECT *, count(*) OVER (PARTITION BY trade_date, commodity_id, curve_price_kind) AS alike,
        count(*) OVER (PARTITION BY trade_date, commodity_id) AS every
      FROM priced
    ), placed AS (
      SELECT *, row_number() OVER near AS curve_place,
        first(curve_price) OVER near AS front_price,
        first(months_to_delivery) OVER near AS front_months
      FROM one_kind
      WINDOW near AS (PARTITION BY trade_date, commodity_id ORDER BY delivery_month)
    )
    SELECT *, curve_price - front_price AS front_spread,
      CASE WHEN months_to_delivery > front_months AND front_price <> 0
        THEN (curve_price / front_price - 1) * 12 / (months_to_delivery - front_months) END
        AS annual_slope
    FROM placed
"""


@job("gold.term_structure_daily", version=1, inputs=(same("gold.market_history"),))
def term_structure_daily(inputs: Inputs) -> DataFrame:
    """One row per contract with a price on the date.

    The price is the settlement price, or the close where no source tells that one; a curve may
    hold both, and ``curve_price_kind`` says which. Slopes are simple annual rates against the
    nearest contract, by whole months.
    """
    rows = inputs.spark.sql(_CURVE, history=inputs.read("gold.market_history"))
    return rows.selectExpr(
        *[f"CAST({c.name} AS {c.type}) AS {c.name}" for c in inputs.contract.columns]
    )
