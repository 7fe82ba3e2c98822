"""Delivered rows that are not published: what they could add to a figure.

Rejected rows are found by comparing the delivered (bronze) rows with the published ones, so the
job needs no knowledge of the quarantine. Bounds are generous: an undecided subject is looked at,
a missed one is not. Every published row is one delivered row, so counting comes first, and is all
on a clean date: of the tables of which fewer rows are published than were delivered, contracts are
counted, and rows are compared in the contracts that lack some.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.engine.local import arrow_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

COUNTED = """
SELECT '{name}' AS name, count(*) AS n FROM {{bronze_{name}}}
UNION ALL SELECT '{name}', -count(*) FROM {{silver_{name}}}
"""

SHORT = """
SELECT '{name}' AS name, trim(contract_id) AS contract_id, 1 AS n FROM {{bronze_{name}}}
UNION ALL SELECT '{name}', contract_id, -1 FROM {{silver_{name}}}
"""

GONE = """
SELECT '@NAME@' AS name, CAST(b._interval AS DATE) AS trade_date,
  coalesce(trim(b.contract_id), '') AS contract_id, trim(b.client_id) AS client_id,
  @KIND@ AS kind, @LOTS@ AS lots
FROM {bronze} b
LEFT ANTI JOIN (SELECT p._delivery_id, p._row_number FROM {silver} p) p
  ON p._delivery_id = b._delivery_id AND p._row_number = b._row_number
WHERE b.contract_id IS NULL OR trim(b.contract_id) IN (@SHORT@)
"""

COLLECTED = """
SELECT g.name, g.trade_date, k.exchange, g.contract_id, g.client_id, g.kind,
  count(*) AS rows, sum(coalesce(g.lots, 1000000L)) AS lots
FROM {gone} g LEFT JOIN {places} k ON k.trade_date = g.trade_date
  AND k.contract_id = g.contract_id
GROUP BY ALL
"""
"""A row whose lots cannot be read could be of any size: a million stands for it."""

CELLS = """
SELECT trade_date, exchange, if(metric = 'bursts', 'ALL', contract_id) AS contract_id,
  client_id, '' AS hedge_flags, '' AS order_types, side, true AS missing, metric, amount,
  0L AS filled
FROM (
  SELECT *, '' AS side, stack(4, 'cancels', if(kind IN ('NEW', 'FILL', 'REJECT'), 0L, rows),
      'large_cancels', if(kind IN ('NEW', 'FILL', 'REJECT'), 0L, rows),
      'messages', 2 * rows, 'bursts', rows) AS (metric, amount)
  FROM {missing} WHERE name = 'order_event'
  UNION ALL
  SELECT *, '', stack(2, 'self_trades', rows, 'open_lots', if(kind IN ('C', 'T'), 0L, lots))
  FROM {missing} WHERE name = 'trade'
  UNION ALL
  SELECT *, if(kind = 'S', 'S', 'L'), 'position_lots', lots FROM {missing} WHERE name = 'position'
  UNION ALL
  SELECT *, '', 'messages', rows FROM {missing} WHERE name = 'quote_request'
) WHERE amount > 0 AND client_id IS NOT NULL AND exchange IS NOT NULL
"""

KINDS = {"order_event": "event_type", "trade": "offset", "position": "position_side"}


def balances(
    spark: SparkSession, bronze: Mapping[str, DataFrame], silver: Mapping[str, DataFrame]
) -> DataFrame:
    """Names of the tables of which not all delivered rows are published."""
    return _unequal(spark, COUNTED, "name", bronze, silver)


def _unequal(
    spark: SparkSession, counting: str, keys: str, bronze: Mapping[str, DataFrame],
    silver: Mapping[str, DataFrame],
) -> DataFrame:  # fmt: skip
    frames: dict[str, Any] = {f"bronze_{n}": f for n, f in bronze.items()}
    frames |= {f"silver_{n}": f for n, f in silver.items()}
    counted = " UNION ALL ".join(counting.format(name=n) for n in silver)
    return spark.sql(f"SELECT {keys} FROM ({counted}) GROUP BY {keys} HAVING sum(n) <> 0", **frames)


def missing_rows(
    spark: SparkSession,
    names: Collection[str],
    bronze: Mapping[str, DataFrame],
    silver: Mapping[str, DataFrame],
    places: DataFrame,
) -> DataFrame | None:
    """Delivered rows that are not published, added up (see ``COLLECTED``); None without any.

    ``names`` are those of ``balances``; ``bronze`` and ``silver`` have the same names.
    ``exchange`` is null where no contract of that name is known, ``kind`` is the event type,
    offset or side as delivered. They are collected: the gate bounds how many rows can be
    rejected, and adding up makes fewer of them.
    """
    if not names:
        return None
    short_of = [{n: tables[n] for n in names} for tables in (bronze, silver)]
    found = _unequal(spark, SHORT, "name, contract_id", *short_of).collect()
    gone: DataFrame | None = None
    for name in sorted(names):
        kind = f"coalesce(upper(trim(b.{KINDS[name]})), '')" if name in KINDS else "''"
        lots = "try_cast(trim(b.lots) AS BIGINT)" if name in KINDS else "0L"
        short = {row.contract_id for row in found if row.name == name} - {None}
        text = GONE.replace("@NAME@", name).replace("@KIND@", kind).replace("@LOTS@", lots)
        text = text.replace("@SHORT@", ", ".join(sorted(map(_literal, short))) or "NULL")
        part = spark.sql(text, bronze=bronze[name], silver=silver[name])
        gone = part if gone is None else gone.unionByName(part)
    rows = spark.sql(COLLECTED, gone=gone, places=places).toArrow()
    return arrow_frame(spark, rows) if rows.num_rows else None


def _literal(text: str) -> str:
    """Delivered text as a SQL string: spelled in code points, it can end nothing."""
    return "concat(''" + "".join(f", chr({ord(letter)})" for letter in text) + ")"


def missing_cells(spark: SparkSession, missing: DataFrame) -> DataFrame:
    """What rejected rows could add, as client cells marked ``missing``."""
    return spark.sql(CELLS, missing=missing)


COUNTS = """
SELECT trade_date, sum(rows) AS in_all, sum(if(exchange IS NULL, rows, 0L)) AS unplaced,
  map_from_entries(collect_list(if(exchange IS NULL, NULL, struct(contract_id, rows)))) AS placed
FROM (SELECT trade_date, exchange, contract_id, sum(rows) AS rows FROM {missing} GROUP BY ALL)
GROUP BY trade_date
"""
NO_COUNTS = (
    "SELECT DATE'1970-01-01' AS trade_date, 0L AS in_all, 0L AS unplaced, "
    "map('', 0L) AS placed WHERE false"
)


def missing_counts(spark: SparkSession, missing: DataFrame | None) -> DataFrame:
    """Rejected rows per date: in all, of no known contract, and by contract (a map)."""
    return spark.sql(NO_COUNTS) if missing is None else spark.sql(COUNTS, missing=missing)
