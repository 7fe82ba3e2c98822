"""Members' shares of the published rankings, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SHARES = """
    WITH lists AS (
      SELECT trade_date, contract_id, first(exchange) AS exchange,
        first(commodity_id) AS commodity_id, member_name,
        sum(if(rank_kind = 'LONG', lots, NULL)) AS long_lots,
        sum(if(rank_kind = 'SHORT', lots, NULL)) AS short_lots
      FROM {ranks} WHERE rank_kind IN ('LONG', 'SHORT')
      GROUP BY trade_date, contract_id, member_name
    ), official AS (
      SELECT *, sum(long_lots) OVER (PARTITION BY trade_date, contract_id) AS list_long_lots,
        sum(short_lots) OVER (PARTITION BY trade_date, contract_id) AS list_short_lots
      FROM lists
    ), kept AS (
      SELECT p.trade_date, p.contract_id, p.exchange, p.commodity_id, p.member_name,
        p.long_lots, p.short_lots, t.list_long_lots, t.list_short_lots
      FROM {positions} p
      LEFT JOIN {totals} t ON t.trade_date = p.trade_date AND t.contract_id = p.contract_id
      LEFT ANTI JOIN official o ON o.trade_date = p.trade_date AND o.contract_id = p.contract_id
    ), every AS (
      SELECT trade_date, contract_id, exchange, commodity_id, member_name, long_lots, short_lots,
        list_long_lots, list_short_lots, 'EXCHANGE_RANK' AS data_source FROM official
      UNION ALL
      SELECT *, 'VENDOR_MEMBER' AS data_source FROM kept
    )
    SELECT *, long_lots / nullif(list_long_lots, 0) AS long_share,
      short_lots / nullif(list_short_lots, 0) AS short_share,
      long_lots - short_lots AS net_lots,
      long_lots IS NULL OR short_lots IS NULL AS censored
    FROM every
"""


@job(
    "gold.member_share_daily",
    version=1,
    inputs=(
        history("silver.member_position_daily"),
        history("silver.member_total_daily", alternative=True),
        history("silver.member_rank_daily", alternative=True),
    ),
)
def member_share_daily(inputs: Inputs) -> DataFrame:
    """One row per contract, member and date of which a position is published.

    Shares are of the sum over the published ranks of that list, not of the market. The exchange's
    own lists go before what a vendor kept of them. A side that is not published is null.
    """
    rows = inputs.spark.sql(
        _SHARES,
        ranks=inputs.read("silver.member_rank_daily"),
        positions=inputs.read("silver.member_position_daily"),
        totals=inputs.read("silver.member_total_daily"),
    )
    return rows.selectExpr(
        *[f"CAST({c.name} AS {c.type}) AS {c.name}" for c in inputs.contract.columns]
    )
