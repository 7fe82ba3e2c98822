"""Every subject's figure under every rule in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.rule_book import load_rule_book
from pipelines.engine.job import Inputs, as_of, job, same
from pipelines.engine.local import arrow_frame, collected
from pipelines.surveillance.book import BOOK_DIGEST, NEAR, fee_sql, rules_frame
from pipelines.surveillance.counting import OWN_TRADES, cells
from pipelines.surveillance.missing import balances, missing_cells, missing_counts, missing_rows
from pipelines.surveillance.subjects import places, subjects

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ACTS = ("order_event", "trade", "position", "quote_request")
"""What subjects do, by table."""

RULED = """
SELECT /*+ BROADCAST(k), BROADCAST(r) */ r.rule_no, c.subject_kind, c.subject_id, c.contract_id,
  c.trade_date, c.side, c.missing, c.amount, c.filled,
  CASE WHEN array_contains(exemptions, 'HEDGING') AND instr(hedge_flags, 'H') > 0 THEN 'HEDGING'
    WHEN array_contains(exemptions, 'MARKET_MAKING') AND instr(hedge_flags, 'M') > 0
      THEN 'MARKET_MAKING'
    WHEN array_contains(exemptions, 'FAK') AND instr(order_types, 'FAK') > 0 THEN 'FAK'
    WHEN array_contains(exemptions, 'FOK') AND instr(order_types, 'FOK') > 0 THEN 'FOK'
    WHEN array_contains(exemptions, 'REPORTED') AND reported THEN 'REPORTED'
  END AS exemption
FROM {cells} c
LEFT JOIN {places} k ON k.trade_date = c.trade_date AND k.contract_id = c.contract_id
JOIN {rules} r ON r.on_date = c.trade_date AND r.rule_exchange = c.exchange
  AND r.rule_metric = c.metric
  AND r.phase IN ('ALL', CASE
    WHEN k.delivery_month <= r.this_month THEN 'DELIVERY'
    WHEN k.delivery_month = r.next_month THEN 'MONTH_BEFORE'
    WHEN k.delivery_month IS NOT NULL THEN 'GENERAL' END)
"""
"""Cells under each rule that counts them: narrow rows, for they are added up next."""

SUMS = {
    "figure": "if(missing OR exemption IS NOT NULL, 0L, amount)",
    "exempt_hedging": "if(exemption = 'HEDGING', amount, 0L)",
    "exempt_market_making": "if(exemption = 'MARKET_MAKING', amount, 0L)",
    "exempt_fak": "if(exemption = 'FAK', amount, 0L)",
    "exempt_fok": "if(exemption = 'FOK', amount, 0L)",
    "exempt_reported": "if(exemption = 'REPORTED', amount, 0L)",
    "filled": "filled",
}
UPPER = "if(missing OR exemption IS NULL, amount, 0L)"


def sides_sql() -> str:
    """SQL over ``{ruled}``: sums per rule, subject and contract, of the greater side.

    Only positions have sides; everything else stands on one, and the other is all zero.
    """
    short = "side = 'S'"

    def sums(which: str) -> str:
        parts = (f"sum(if({which}, {sql}, 0L)) AS {name}" for name, sql in SUMS.items())
        return f"struct({', '.join(parts)})"

    return f"""
SELECT rule_no, trade_date, subject_kind, subject_id, contract_id,
  greatest({sums(f"NOT {short}")}, {sums(short)}) AS f,
  greatest(sum(if({short}, 0L, {UPPER})), sum(if({short}, {UPPER}, 0L))) AS figure_upper
FROM {{ruled}} GROUP BY ALL
"""


DAY = """
WITH larger AS (
  SELECT /*+ BROADCAST(r), BROADCAST(k), BROADCAST(m) */ l.trade_date, r.rule_exchange AS exchange,
    r.rule_id, r.rule_version, r.rule_confidence, l.subject_kind, l.subject_id, l.contract_id,
    k.commodity_id, r.phase AS contract_phase, r.rule_metric AS metric, r.op, l.f.*, l.figure_upper,
    CASE r.threshold_from WHEN 'position_limit_general' THEN k.position_limit_general
      WHEN 'intraday_open_limit' THEN k.intraday_open_limit
      ELSE coalesce(r.fixed, r.by_commodity[k.commodity_id]) END AS threshold,
    coalesce(if(l.contract_id = 'ALL', m.in_all, m.placed[l.contract_id]), 0L) AS missing_rows,
    coalesce(m.unplaced, 0L) AS unplaced_rows
  FROM {sides} l JOIN {rules} r ON r.rule_no = l.rule_no
  LEFT JOIN {places} k ON k.trade_date = l.trade_date AND k.contract_id = l.contract_id
  LEFT JOIN {missing} m ON m.trade_date = l.trade_date
), rated AS (
  SELECT *, threshold + if(op = '>', 1, 0) AS reached_from,
    if(metric = 'messages', filled, NULL) AS filled_orders,
    if(metric = 'messages', CAST(CAST(figure AS DECIMAL(18,0)) / greatest(filled, 1) - 1
      AS DECIMAL(18,4)), NULL) AS order_to_trade_ratio
  FROM larger
), shared AS (
  SELECT *, CAST(CAST(figure AS DECIMAL(18,0)) / reached_from AS DECIMAL(18,4)) AS threshold_share
  FROM rated
)
SELECT *, @FEE@ AS message_fee,
  CASE WHEN reached_from IS NULL THEN 'NO_THRESHOLD'
    WHEN figure >= reached_from THEN 'REACHED'
    WHEN figure_upper >= reached_from THEN 'UNDECIDED'
    WHEN threshold_share >= @NEAR@ THEN 'NEAR' ELSE 'BELOW' END AS result
FROM shared
"""


@job(
    "gold.surveillance_day",
    version=3,
    inputs=(
        same("silver.order_event"),
        same("silver.trade"),
        same("silver.position"),
        same("silver.quote_request"),
        as_of("silver.client"),
        as_of("silver.control_group"),
        as_of("silver.contract"),
        as_of("silver.commodity"),
        same("bronze.order_event"),
        same("bronze.trade"),
        same("bronze.position"),
        same("bronze.quote_request"),
    ),
)
def surveillance_day(inputs: Inputs) -> DataFrame:
    """One row per rule in force, subject, contract and date with any act the rule is about.

    Thresholds and exemptions are the rule book's of the date; limits of commodities are reference
    data as of the date. A position is the greater of its two sides. Bronze is read only to see
    what was delivered and is not published.
    """
    spark, book, days = inputs.spark, load_rule_book(), inputs.intervals
    rules = rules_frame(spark, book, days, released=BOOK_DIGEST)
    silver = {name: inputs.read(f"silver.{name}") for name in ACTS}
    bronze = {name: inputs.read(f"bronze.{name}") for name in ACTS}
    small = collected({
        "places": places(
            spark, days,
            contract=inputs.read("silver.contract"), commodity=inputs.read("silver.commodity"),
        ),
        "subjects": subjects(
            spark, days,
            control_group=inputs.read("silver.control_group"), client=inputs.read("silver.client"),
        ),
    })  # fmt: skip
    known, who = arrow_frame(spark, small["places"]), arrow_frame(spark, small["subjects"])
    small = collected({
        "own": spark.sql(OWN_TRADES, trade=silver["trade"], subjects=who),
        "short": balances(spark, bronze, silver),
    })  # fmt: skip
    own, short = small["own"], small["short"].column("name").to_pylist()
    missing = missing_rows(spark, short, bronze, silver, known)
    counted = cells(
        spark,
        book,
        subjects=who,
        rules=rules,
        own_trades=arrow_frame(spark, own) if own.num_rows else None,
        missing=None if missing is None else missing_cells(spark, missing),
        **silver,
    )
    ruled = spark.sql(RULED, cells=counted, rules=rules, places=known)
    day = spark.sql(
        DAY.replace("@FEE@", fee_sql(book)).replace("@NEAR@", NEAR),
        sides=spark.sql(sides_sql(), ruled=ruled),
        rules=rules,
        places=known,
        missing=missing_counts(spark, missing),
    )
    return day.select(*[column.name for column in inputs.contract.columns])
