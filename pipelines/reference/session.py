"""Trading hours by commodity, from three lists of different dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ORDER = "_interval, _sequence, _delivery_id, _received_at"
_OURS = "('SHFE', 'INE')"
_INSTRUMENTS = """
    WITH kinds AS (
      SELECT {order}, _row_number, lower(substring_index(section, '.', 1)) AS commodity_id,
        substring_index(section, '.', -1) AS kind,
        array_join(transform(from_json(record, 'ARRAY<ARRAY<STRING>>'),
          s -> concat({clock_0}, '-', {clock_1})), ',') AS hours
      FROM {{sessions}} WHERE section LIKE '%.day' OR section LIKE '%.night'
    ), exchanges AS (
      SELECT lower(get_json_object(record, '$.product_id')) AS product,
        max(get_json_object(record, '$.exchange_id')) AS exchange
      FROM {{contracts}} WHERE record IS NOT NULL GROUP BY 1
    )
    SELECT {order}, min(_row_number) AS _row_number, commodity_id, max(exchange) AS exchange,
      max(if(kind = 'day', hours, NULL)) AS day_hours,
      nullif(max(if(kind = 'night', hours, '')), '') AS night_hours
    FROM kinds JOIN exchanges ON product = commodity_id
    GROUP BY {order}, commodity_id
"""
_FRONT_END = """
    WITH codes AS (
      SELECT _interval AS at, substring_index(section, '.', 1) AS code,
        transform(from_json(record, 'ARRAY<STRUCT<`from`: INT, `to`: INT>>'), s ->
          concat({number_from}, '-', {number_to})) AS hours
      FROM {{sessions}} WHERE section LIKE '%.sections'
    )
    SELECT {order}, _row_number, lower(substring_index(section, '.', -1)) AS commodity_id,
      get_json_object(record, '$.exchg') AS exchange,
      array_join(filter(hours, h -> h < '20'), ',') AS day_hours,
      nullif(array_join(filter(hours, h -> h >= '20'), ','), '') AS night_hours
    FROM {{commodities}}
    JOIN codes ON at = _interval AND code = get_json_object(record, '$.session')
    WHERE record IS NOT NULL
"""
_OLD_LIST = """
    WITH told AS (
      SELECT {order}, min(_row_number) AS _row_number, lower(commodity_id) AS commodity_id,
        max(exchange) AS exchange,
        transform(split(max_by(trading_hours, list_date), ','),
          h -> regexp_replace(h, '^([0-9]{{{{2}}}}:[0-9])1-', '$10-')) AS hours
      FROM {{contracts}} WHERE symbol IS NOT NULL AND list_date NOT LIKE '0000%'
      GROUP BY {order}, lower(commodity_id)
    )
    SELECT {order}, _row_number, commodity_id, exchange,
      array_join(filter(hours, h -> h < '20'), ',') AS day_hours,
      nullif(array_join(filter(hours, h -> h >= '20'), ','), '') AS night_hours
    FROM told
"""


def _clock(place: int) -> str:
    """``26:30:00`` of a pair as ``02:30``."""
    return (
        f"lpad(CAST(CAST(split(s[{place}], ':')[0] AS INT) % 24 AS STRING), 2, '0') || ':'"
        f" || split(s[{place}], ':')[1]"
    )


def _number(name: str) -> str:
    """``230`` as ``02:30``."""
    text = f"lpad(CAST(s.`{name}` AS STRING), 4, '0')"
    return f"left({text}, 2) || ':' || right({text}, 2)"


LISTS = tuple(
    sql.format(
        order=_ORDER,
        clock_0=_clock(0),
        clock_1=_clock(1),
        number_from=_number("from"),
        number_to=_number("to"),
    )
    for sql in (_INSTRUMENTS, _FRONT_END, _OLD_LIST)
)


@job(
    "silver.session",
    version=1,
    inputs=(
        history("bronze.session"),
        history("bronze.commodity", alternative=True),
        history("bronze.contract", alternative=True),
    ),
)
def session(inputs: Inputs) -> DataFrame:
    """One row per version of a commodity's trading hours; see ``dimension_rows``.

    Each list is what is known as of its date. A list of 2019 stands with the contracts (its
    sessions begin a minute late: ``21:01``), one of 2022 names codes that commodities refer to, one
    of 2025 writes hours past midnight as ``25:00:00``. Commodities of other exchanges are left out.
    """
    given: dict[str, Any] = {
        "sessions": inputs.read("bronze.session"),
        "commodities": inputs.read("bronze.commodity"),
        "contracts": inputs.read("bronze.contract"),
    }
    lists = [
        inputs.spark.sql(sql, **{k: v for k, v in given.items() if f"{{{k}}}" in sql})
        .where(f"exchange IN {_OURS}")
        .selectExpr("*", "CAST(_interval AS STRING) AS valid_from", "'A' AS change_type")
        for sql in LISTS
    ]
    return dimension_rows(inputs, "bronze.session", where="false", others=lists)
