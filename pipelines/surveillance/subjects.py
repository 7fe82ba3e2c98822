"""Who counts as what on a trade date: clients, and the control groups they are tied to.

Ties and contracts are small and asked for in every count, so each is read once, worked out per
wanted trade date and kept in the driver (``pipelines.engine.local.collected``); the jobs then
join them by equality. Reading them inside each query made the plans larger than the data.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from contracts.rule_book import GROUP_STATES
from pipelines.engine.local import local_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame, SparkSession

SUBJECTS = f"""
SELECT trade_date, client_id, reported, inline(concat(
  array(named_struct('subject_kind', 'CLIENT', 'subject_id', client_id)),
  transform(groups, x -> named_struct('subject_kind', 'GROUP', 'subject_id', x))))
FROM (
  SELECT /*+ BROADCAST(d) */ d.trade_date, t.client_id, collect_set(t.group_id) AS groups,
    bool_or(t.group_id IS NULL) AS reported
  FROM (
    SELECT client_id, group_id, valid_from, valid_to
    FROM {{control_group}} WHERE status IN {GROUP_STATES!r}
    UNION ALL
    SELECT client_id, NULL, valid_from, valid_to FROM {{client}} WHERE programme_reported
  ) t JOIN {{days}} d
    ON t.valid_from <= d.trade_date AND (t.valid_to IS NULL OR d.trade_date < t.valid_to)
  GROUP BY d.trade_date, t.client_id
)
"""

PLACES = """
SELECT /*+ BROADCAST(d), BROADCAST(o) */ d.trade_date, k.exchange, k.contract_id, k.commodity_id,
  k.delivery_month, o.position_limit_general, o.intraday_open_limit
FROM {contract} k
JOIN {days} d ON k.valid_from <= d.trade_date AND (k.valid_to IS NULL OR d.trade_date < k.valid_to)
LEFT JOIN {commodity} o ON o.commodity_id = k.commodity_id
  AND o.valid_from <= d.trade_date AND (o.valid_to IS NULL OR d.trade_date < o.valid_to)
"""


def subjects(
    spark: SparkSession, days: Iterable[str], *, control_group: DataFrame, client: DataFrame
) -> DataFrame:
    """The subjects that an act of a client counts for, where that is more than the client itself.

    One row per trade date, client and subject (``CLIENT`` itself, each ``GROUP``) for clients
    with an established control group or, ``reported``, a reported programme; any other client
    stands for itself alone. The inputs are currently known rows.
    """
    return spark.sql(SUBJECTS, control_group=control_group, client=client, days=_days(spark, days))


def places(
    spark: SparkSession, days: Iterable[str], *, contract: DataFrame, commodity: DataFrame
) -> DataFrame:
    """One row per trade date and contract that is valid on it, with its commodity's limits."""
    return spark.sql(PLACES, contract=contract, commodity=commodity, days=_days(spark, days))


def _days(spark: SparkSession, days: Iterable[str]) -> DataFrame:
    return local_frame(spark, [(date.fromisoformat(day),) for day in days], "trade_date date")
