"""From figures to tags: the catalogue's expressions, percentiles among peers, z and trend.

A date has a few hundred members: Spark gathers their figures, and this small arithmetic runs in
DuckDB inside the job, where it costs no Spark stage (docs/adr/0071-small-arithmetic.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.errors import TerminalError
from contracts.tag_catalogue import MIN_PEERS, MIN_TREND, Tag, TagCatalogue

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

TAGS_DIGEST = "c7c8e570f5b35517"
"""Digest of the tag catalogue the jobs were released with. A changed tag changes this constant (a
test demands it), so the jobs' code changes, their versions rise and every day is computed anew."""

NUMBER = "DECIMAL(28,6)"


class TagCatalogueUnreleasedError(TerminalError):
    """Raised when the tag catalogue is not the one the member jobs were released with."""

    code = "tag-catalogue-unreleased"

    def __init__(self, found: str, released: str) -> None:
        super().__init__(
            f"the tag catalogue has digest {found}; the jobs were released with {released}.",
            next_step="set TAGS_DIGEST in pipelines/members/tags.py, raise the versions of the "
            "member jobs and record them (python -m pipelines.engine.versions --write).",
            product="gold.member_tag",
        )


def check_released(catalogue: TagCatalogue, released: str) -> None:
    """Raise TagCatalogueUnreleasedError unless the catalogue is the released one."""
    if catalogue.digest != released:
        raise TagCatalogueUnreleasedError(catalogue.digest, released)


def value_sql(tag: Tag) -> str:
    """A tag's value over the figures as DECIMAL(28,6), half up; null where there is nothing to
    divide by."""
    if tag.per is None:
        return f"CAST({tag.value} AS {NUMBER})"
    return f"CAST(({tag.value}) / nullif({tag.per}, 0) AS {NUMBER})"


def tags_sql(catalogue: TagCatalogue) -> str:
    """SELECT over ``figures``: one row per member, date and tag of the catalogue, with its size
    class: a third of its type by mean lots of the window, ``ALL`` where a type is too small."""
    rows = ", ".join(
        f"{{'tag_id': '{tag.id}', 'evidence_id': '{tag.evidence_id}', "
        f"'unit': '{tag.unit}', 'value': {value_sql(tag)}, "
        f"'sample': CAST(coalesce({tag.sample}, 0) AS BIGINT), "
        f"'enough': coalesce({tag.sample}, 0) >= {tag.min_sample}, "
        f"'sized': {str(tag.peers == 'size').lower()}, "
        f"'scored': {str(tag.score is not None).lower()}}}"
        for tag in catalogue.tags
    )
    return f"""
    WITH placed AS (
      SELECT *, count(*) OVER (PARTITION BY trade_date, member_type) AS of_type,
        row_number() OVER (PARTITION BY trade_date, member_type
          ORDER BY window_lots / greatest(window_dates, 1) DESC, member_id) - 1 AS place
      FROM figures
    ), classed AS (
      SELECT *, CASE WHEN of_type < {3 * MIN_PEERS} THEN 'ALL' WHEN 3 * place < of_type THEN 'LARGE'
        WHEN 3 * place < 2 * of_type THEN 'MEDIUM' ELSE 'SMALL' END AS size_class
      FROM placed
    ), rows AS (
      SELECT trade_date, member_id, member_type, size_class, unnest([{rows}]) AS t FROM classed
    )
    SELECT trade_date, member_id, size_class, t.tag_id, t.evidence_id, t.unit, t.value, t.sample,
      CASE WHEN t.sized THEN member_type || '/' || size_class ELSE member_type END AS peer_group,
      t.enough AND t.value IS NOT NULL AND member_type IS NOT NULL AS counted,
      CASE WHEN t.scored AND counted THEN CAST(t.value * 1000000 AS HUGEINT) END AS v
    FROM rows
    """


COMPARED = f"""
WITH ranked AS (
  SELECT *, count(*) FILTER (WHERE counted) OVER peers AS peers,
    rank() OVER (PARTITION BY trade_date, tag_id, peer_group, counted ORDER BY value) - 1 AS below,
    count(*) OVER (PARTITION BY trade_date, tag_id, peer_group, counted, value) - 1 AS equal,
    CAST(sum(v) OVER peers AS HUGEINT) AS total, CAST(sum(v * v) OVER peers AS HUGEINT) AS squares
  FROM tags WINDOW peers AS (PARTITION BY trade_date, tag_id, peer_group)
), joined AS (
  SELECT r.*, coalesce(p.points, 0) + CASE WHEN r.value IS NULL THEN 0 ELSE 1 END AS n,
    p.x, p.xx, p.xv, p.v + coalesce(CAST(r.value * 1000000 AS HUGEINT), 0) AS sum_v
  FROM ranked r LEFT JOIN past p USING (trade_date, member_id, tag_id)
), measured AS (
  SELECT *, n * xx - x * x AS spread, n * xv - x * sum_v AS slope,
    peers * squares - total * total AS variance
  FROM joined
)
SELECT trade_date, member_id, tag_id, value, unit, sample, size_class, peer_group,
  CAST(peers AS INTEGER) AS peers,
  CASE WHEN counted AND peers >= {MIN_PEERS}
    THEN CAST(100.0::DOUBLE * (2 * below + equal) / (2 * (peers - 1)) AS DECIMAL(7,2))
    END AS percentile,
  CASE WHEN v IS NULL OR peers < {MIN_PEERS} THEN NULL
    WHEN variance = 0 THEN CAST(0 AS DECIMAL(10,4))
    ELSE CAST(CAST(peers * v - total AS DOUBLE) / sqrt(CAST(variance AS DOUBLE)) AS DECIMAL(10,4))
    END AS peer_z,
  CASE WHEN n >= {MIN_TREND} THEN CAST(sign(slope)
    * ((2 * abs(slope) + spread) // (2 * spread)) AS DECIMAL(30,0)) * 0.000001::DECIMAL(7,6)
    END::{NUMBER} AS trend,
  CAST(nullif(n, 0) AS INTEGER) AS trend_points, evidence_id
FROM measured ORDER BY trade_date, member_id, tag_id
"""
"""Percentile: share of the other peers that lie below, equal ones counted half, in per cent.
z: (value - mean) / population standard deviation of the peers, exact up to the root; 0 where all
are equal. Trend: least-squares slope over the dates with a value, in the tag's unit per trade
date, in whole millionths; a member that changes its size class keeps its own past."""

PAST = """
SELECT b.on_date AS trade_date, e.member_id, e.tag_id, count(*) AS points, sum(-b.back) AS x,
  sum(b.back * b.back) AS xx, CAST(sum(e.value) * 1000000 AS DECIMAL(38,0)) AS v,
  CAST(sum(CAST(-b.back AS DECIMAL(3,0)) * e.value) * 1000000 AS DECIMAL(38,0)) AS xv
FROM {earlier} e JOIN {backs} b ON b.day = e.trade_date AND b.on_date = e._for_interval
WHERE e.value IS NOT NULL GROUP BY b.on_date, e.member_id, e.tag_id
"""
"""Spark SQL: what the dates before add to the sums of a trend; values in millionths."""


def tag_rows(connection: DuckDBPyConnection, catalogue: TagCatalogue) -> pa.Table:
    """Rows of ``gold.member_tag`` from the tables ``figures`` and ``sums`` (the rows of ``PAST``)
    of a connection, ordered by key."""
    connection.execute(
        "CREATE TEMP TABLE past AS SELECT * REPLACE (CAST(v AS HUGEINT) AS v, "
        "CAST(xv AS HUGEINT) AS xv) FROM sums"
    )
    connection.execute(f"CREATE TEMP TABLE tags AS {tags_sql(catalogue)}")
    return connection.execute(COMPARED).fetch_arrow_table()
