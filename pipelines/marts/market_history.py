"""The history of the market, per contract and commodity, from every source there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.external.published import ONE_SIDED_FROM, exchange_sql
from pipelines.marts.observations import FACTS, believed, observations

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SOURCES = {
    "close_source": "close_price", "settlement_source": "settlement_price",
    "volume_source": "volume_lots", "open_interest_source": "open_interest_lots",
}  # fmt: skip
RETURNS = {
    "close_return": ("close_price", "now / old - 1"),
    "settlement_return": ("settlement_price", "now / old - 1"),
    "open_interest_change_lots": ("open_interest_lots", "now - old"),
}
"""Column -> figure, and what is made of its value now and on the trade date before."""


def _since(window: str, prefix: str) -> str:
    """What each figure did since the trade date before within a window; NULL after a gap."""
    made = []
    for name, (figure, formula) in RETURNS.items():
        value = formula.replace("now", figure).replace("old", f"lag({figure}) OVER {window}")
        made.append(f"if(lag(day) OVER {window} = day - 1, {value}, NULL) AS {prefix}_{name}")
    return ", ".join(made)


_HISTORY = f"""
    WITH days AS (
      SELECT trade_date, row_number() OVER (ORDER BY trade_date) AS day
      FROM (SELECT DISTINCT trade_date FROM {{continuous}})
    ), figures AS (
      SELECT b.trade_date, b.commodity_id, b.contract_id, b.followed_by, d.day,
        {", ".join(f"b.{fact}.value AS {fact}" for fact in FACTS)},
        {", ".join(f"b.{fact}.source AS {name}" for name, fact in SOURCES.items())}
      FROM {{believed}} b LEFT JOIN days d ON d.trade_date = b.trade_date
    ), by_contract AS (
      SELECT *, {_since("(PARTITION BY contract_id ORDER BY trade_date)", "own")} FROM figures
    ), series AS (
      SELECT *, explode(filter(array(
          named_struct('id', contract_id, 'kind', 'CONTRACT', 'follows', CAST(NULL AS STRING)),
          named_struct('id', followed_by, 'kind', 'MAIN',
            'follows', nullif(contract_id, followed_by))
        ), s -> s.id IS NOT NULL AND (s.kind = 'MAIN') = (s.id LIKE '%.main'))) AS line,
        trade_date < DATE '{ONE_SIDED_FROM}' AS two_sided
      FROM by_contract
    ), before AS (
      SELECT *, {_since("(PARTITION BY line.id ORDER BY trade_date)", "line")},
        lag(two_sided) OVER (PARTITION BY line.id ORDER BY trade_date) AS old_two_sided,
        last_value(line.follows, true) OVER (PARTITION BY line.id ORDER BY trade_date
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS old_follows
      FROM series
    ), rolled AS (
      SELECT *, coalesce(line.follows <> old_follows, false) AS rolled FROM before
    )
    SELECT trade_date, line.id AS series_id, line.kind AS series_kind,
      {exchange_sql("commodity_id")} AS exchange, commodity_id,
      line.follows AS underlying_contract_id,
      concat(if(right(m, 4) >= '9000', '19', '20'), right(m, 4)) AS delivery_month,
      {", ".join(FACTS)},
      {", ".join(f"coalesce(own_{n}, if(rolled, NULL, line_{n})) AS {n}" for n in RETURNS)},
      rolled, if(two_sided, 'TWO_SIDED', 'ONE_SIDED') AS counting_basis,
      coalesce(old_two_sided AND NOT two_sided, false) AS basis_changed,
      {", ".join(SOURCES)}
    FROM (
      SELECT *, coalesce(line.follows, if(line.kind = 'CONTRACT', line.id, NULL)) AS m FROM rolled
    )
"""


@job(
    "gold.market_history",
    version=2,
    inputs=(
        history("silver.quote_continuous"),
        history("silver.quote_daily", alternative=True),
        history("silver.quote_listing", alternative=True),
        history("silver.settlement_param", alternative=True),
        history("silver.member_total_daily", alternative=True),
        history("silver.month_close", alternative=True),
    ),
)
def market_history(inputs: Inputs) -> DataFrame:
    """One row per series and date: each contract, and each commodity's main contract in succession.

    Each figure is taken from the most authoritative source that tells it. Returns and changes are
    those of one contract from one trade date to the next (a date is one on which any continuous
    series has a bar): null after a gap, and on a roll those of the contract that is rolled into.
    Where the contract of a series is not known, they are the series' own.
    """
    rows = inputs.spark.sql(
        _HISTORY,
        continuous=inputs.read("silver.quote_continuous"),
        believed=believed(inputs, observations(inputs), "max(series_id) AS followed_by"),
    )
    return rows.selectExpr(
        *[f"CAST({c.name} AS {c.type}) AS {c.name}" for c in inputs.contract.columns]
    )
