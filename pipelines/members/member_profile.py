"""The profile of every member on each trade date: headline figures, sub-scores with their parts,
and the public rankings beside the exchange's own figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from contracts.tag_catalogue import Tag, load_tags
from pipelines.engine.job import Inputs, as_of, job, same
from pipelines.members.figures import dimension_frame, frame_of, hand_over
from pipelines.members.public_ranking import KINDS, OWN, RANKED, RANKING
from pipelines.members.tags import TAGS_DIGEST, check_released

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

HEADLINES = {
    "traded_lots": "scale.volume_lots",
    "turnover": "scale.turnover",
    "volume_share": "scale.volume_share",
    "open_interest_share": "scale.open_interest_share",
    "volume_rank": "scale.volume_rank",
    "active_clients": "structure.active_clients",
    "client_equity": "scale.client_equity",
    "margin_use": "risk.margin_use",
    "net_lots": "direction.net_lots",
    "case_rate": "compliance.case_rate",
}
"""Column -> the tag it shows."""
SCORES = ("risk", "compliance")


def part_column(tag: Tag) -> str:
    """The column of one part of a sub-score, e.g. ``risk_margin_use_z``."""
    return f"{tag.id.replace('.', '_')}_z"


def score_sql(score: str, tags: tuple[Tag, ...]) -> str:
    """Mean (half up to four decimals) and count of the known parts; null and 0 without any."""
    known = " + ".join(f"CASE WHEN {part_column(t)} IS NULL THEN 0 ELSE 1 END" for t in tags)
    total = " + ".join(f"coalesce({part_column(t)}, 0)" for t in tags)
    return (
        f"CAST(({total}) / nullif({known}, 0) AS DECIMAL(10,4)) AS {score}_score, "
        f"{known} AS {score}_parts"
    )


def _pivot() -> str:
    catalogue = load_tags()
    shown = [
        f"max(value) FILTER (WHERE tag_id = '{tag}') AS {name}" for name, tag in HEADLINES.items()
    ]
    parts = [
        f"max({'-' if t.good == 'higher' else ''}peer_z) FILTER (WHERE tag_id = '{t.id}')"
        f" AS {part_column(t)}"
        for score in SCORES
        for t in catalogue.parts(score)
    ]
    return ", ".join(shown + parts)


def _public(name: str, kind: str) -> str:
    """Columns of one kind of ranking; null on a date without published rankings."""
    public = "public_volume_sides_lots" if name == "volume" else f"public_{name}_lots"
    of = f"FILTER (WHERE rank_kind = '{kind}')"
    placed = f"FILTER (WHERE rank_kind = '{kind}' AND places > 0)"
    return (
        f"max(places) {of} AS public_{name}_places, max(public_lots) {placed} AS {public}, "
        f"max(own_lots) {placed} AS ranked_{name}_lots, "
        f"max(public_lots - own_lots) {placed} AS public_{name}_difference, "
        f"max(censored) {of} AS {name}_censored"
    )


@job(
    "gold.member_profile",
    version=1,
    inputs=(
        same("gold.member_tag"),
        same("gold.client_day"),
        same("silver.member_rank_daily", optional=True),
        as_of("silver.member"),
    ),
)
def member_profile(inputs: Inputs) -> DataFrame:
    """One row per member and date.

    A sub-score is the mean of its known parts; a part is the tag's z among peers, turned so that
    more is worse. Public figures are compared in the contracts where the member has a place.
    """
    check_released(load_tags(), TAGS_DIGEST)
    gathered = {
        "tags": ("gold.member_tag", TAGS),
        "own": ("gold.client_day", OWN),
        "ranking": ("silver.member_rank_daily", RANKING),
    }
    frames = {
        name: inputs.spark.sql(sql, rows=inputs.read(product))
        for name, (product, sql) in gathered.items()
    }
    with duckdb.connect(config={"threads": 1}) as connection:
        hand_over(inputs, connection, frames | {"member": dimension_frame(inputs, "member")})
        columns = ", ".join(f"CAST({c.name} AS {_duckdb(c.type)}) AS {c.name}"
                            for c in inputs.contract.columns)  # fmt: skip
        made = connection.execute(
            f"SELECT {columns} FROM ({profile_sql()}) ORDER BY trade_date, member_id"
        ).fetch_arrow_table()
    return frame_of(inputs, made)


TAGS = "SELECT trade_date, member_id, tag_id, value, peer_z, size_class FROM {rows}"


def profile_sql() -> str:
    """DuckDB SQL over ``tags``, ``own``, ``ranking`` and ``member``: a profile's columns."""
    scores = ", ".join(score_sql(score, load_tags().parts(score)) for score in SCORES)
    public = ", ".join(_public(name, kind) for name, (kind, _) in KINDS.items())
    absent = ", ".join(
        f"CASE WHEN p.day IS NOT NULL THEN coalesce(r.{column}, 0) END AS {column}"
        for name in KINDS
        for column in (f"public_{name}_places", f"{name}_censored")
    )
    beside = ", ".join(f"public_{name}_places, {name}_censored" for name in KINDS)
    return f"""
    WITH wide AS (
      SELECT trade_date, member_id, max(size_class) AS size_class, {_pivot()}
      FROM tags GROUP BY trade_date, member_id
    ), ranked AS ({RANKED}), beside AS (
      SELECT trade_date, member_id, {public} FROM ranked GROUP BY trade_date, member_id
    ), published AS (SELECT DISTINCT trade_date AS day FROM ranking)
    SELECT w.*, r.* EXCLUDE (trade_date, member_id, {beside}), {absent}, {scores},
      m.member_type, m.short_name, m.name_zh, m.name_en
    FROM wide w
    LEFT JOIN beside r ON r.trade_date = w.trade_date AND r.member_id = w.member_id
    LEFT JOIN published p ON p.day = w.trade_date
    LEFT JOIN member m ON m.on_date = w.trade_date AND m.member_id = w.member_id
    """


def _duckdb(kind: str) -> str:
    return {"string": "VARCHAR", "int": "INTEGER"}.get(kind, kind)
