"""Commodities with their specifications, as they were valid and known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NAMES = {"ao": "氧化铝", "ad": "铸造铝合金", "br": "丁二烯橡胶", "op": "胶版印刷纸",
         "ec": "集运指数（欧线）"}  # fmt: skip
"""Names of commodities that are listed only where nobody names them."""
KEPT = (
    "name_zh", "multiplier", "tick_size", "fee_rate", "fee_per_lot", "close_today_fee_factor",
    "night_session_end",
)  # fmt: skip
"""Columns of lists: one that a list does not tell stays as the list before told it."""
_ORDER = "_interval, _sequence, _delivery_id, _received_at"
_LISTS = """
    WITH fees AS (
      SELECT _interval AS at, lower(split(section, '[.]')[1]) AS commodity_id,
        max(if(section LIKE '%.open', record, NULL)) AS opening,
        max(if(section LIKE '%.closetoday', record, NULL)) AS closing_today,
        max(if(section LIKE '%.byvolume', record, NULL)) = 'true' AS per_lot
      FROM {fees} WHERE section RLIKE '^(SHFE|INE)[.]' GROUP BY ALL
    ), nights AS (
      SELECT _interval AS at, lower(substring_index(section, '.', 1)) AS commodity_id,
        get(get(from_json(record, 'ARRAY<ARRAY<STRING>>'), 0), 1) AS night_end
      FROM {sessions} WHERE section LIKE '%.night'
    ), front_end AS (
      SELECT c._interval, c._sequence, c._delivery_id, c._received_at, c._row_number,
        lower(substring_index(c.section, '.', -1)) AS commodity_id,
        get_json_object(c.record, '$.exchg') AS exchange,
        get_json_object(c.record, '$.name') AS name_zh,
        get_json_object(c.record, '$.volscale') AS multiplier,
        get_json_object(c.record, '$.pricetick') AS tick_size,
        CASE WHEN get_json_object(c.record, '$.session') LIKE 'FN____' THEN concat(
          substr(get_json_object(c.record, '$.session'), 3, 2), ':',
          substr(get_json_object(c.record, '$.session'), 5, 2)) END AS night_session_end
      FROM {commodities} c
      WHERE c.record IS NOT NULL AND get_json_object(c.record, '$.exchg') IN ('SHFE', 'INE')
    ), instruments AS (
      SELECT [order], min(_row_number) AS _row_number,
        lower(get_json_object(record, '$.product_id')) AS commodity_id,
        max(get_json_object(record, '$.exchange_id')) AS exchange, CAST(NULL AS STRING) AS name_zh,
        max(get_json_object(record, '$.volume_multiple')) AS multiplier,
        max(get_json_object(record, '$.price_tick')) AS tick_size,
        CAST(NULL AS STRING) AS night_session_end
      FROM {contracts}
      WHERE record IS NOT NULL AND get_json_object(record, '$.exchange_id') IN ('SHFE', 'INE')
      GROUP BY [order], lower(get_json_object(record, '$.product_id'))
    ), listed AS (
      SELECT * FROM front_end UNION ALL SELECT * FROM instruments
    ), told AS (
      SELECT l.* EXCEPT (night_session_end), coalesce(l.night_session_end, concat(
          lpad(CAST(CAST(split(n.night_end, ':')[0] AS INT) % 24 AS STRING), 2, '0'), ':',
          split(n.night_end, ':')[1])) AS night_session_end,
        if(f.per_lot, NULL, f.opening) AS fee_rate, if(f.per_lot, f.opening, NULL) AS fee_per_lot,
        CAST(CAST(try_divide(CAST(f.closing_today AS DOUBLE), CAST(f.opening AS DOUBLE))
          AS DECIMAL(10,6)) AS STRING) AS close_today_fee_factor
      FROM listed l
      LEFT JOIN fees f ON f.at = l._interval AND f.commodity_id = l.commodity_id
      LEFT JOIN nights n ON n.at = l._interval AND n.commodity_id = l.commodity_id
    )
    SELECT [order], _row_number, commodity_id, exchange, [kept],
      CAST(_interval AS STRING) AS valid_from, 'A' AS change_type
    FROM told
"""
_FILLED = ", ".join(
    f"last_value({name}, true) OVER (PARTITION BY commodity_id ORDER BY _interval, _sequence) AS"
    f" {name}"
    for name in KEPT
)
SQL = _LISTS.replace("[order]", _ORDER).replace("[kept]", _FILLED)


@job(
    "silver.commodity",
    version=2,
    inputs=(
        history("bronze.commodity"),
        history("bronze.contract", alternative=True),
        history("bronze.commodity_fee", alternative=True),
        history("bronze.session", alternative=True),
    ),
)
def commodity(inputs: Inputs) -> DataFrame:
    """One row per version of a commodity; see ``dimension_rows``.

    Besides the exchange's own change files it reads lists of front ends, each valid from its own
    date: commodities with the session code ``FN0230`` (a night session until 02:30), fees, hours,
    and what instruments say of their commodity. What a list does not tell stays as it was known.
    Other exchanges are left out.
    """
    lists = inputs.spark.sql(
        SQL,
        commodities=inputs.read("bronze.commodity"),
        contracts=inputs.read("bronze.contract"),
        fees=inputs.read("bronze.commodity_fee"),
        sessions=inputs.read("bronze.session"),
    )
    names = " ".join(f"WHEN '{code}' THEN '{name}'" for code, name in NAMES.items())
    named = f"coalesce(name_zh, CASE commodity_id {names} END)"
    return dimension_rows(
        inputs, "bronze.commodity", {"name_zh": named}, where="record IS NULL", others=(lists,)
    )
