"""Evidence queries: DuckDB SQL that gives each number of a profile from published tables."""

from __future__ import annotations

from datetime import date

from contracts.tag_catalogue import (
    MEMBER,
    MIN_PEERS,
    MIN_TREND,
    WINDOW,
    Tag,
    TagCatalogue,
    load_tags,
)
from pipelines.members.names import core_sql

OWN_LOTS = {"VOLUME": "traded_lots", "LONG": "end_long_lots", "SHORT": "end_short_lots"}
"""Ranking -> column of gold.client_day it is compared with."""


def _place(member_id: str, day: date) -> tuple[str, str]:
    if not MEMBER.fullmatch(member_id):
        raise ValueError(f"{member_id!r} is no member number")
    return f"'{member_id}'", f"DATE '{day.isoformat()}'"


def value_query(tag: Tag, member_id: str, day: date) -> str:
    """The query that gives a tag's value."""
    return tag.evidence_sql(member_id, day)


def percentile_query(tag_id: str, member_id: str, day: date) -> str:
    """The query that gives a tag's percentile from the values of its peers."""
    member, on = _place(member_id, day)
    least = load_tags().tag(tag_id).min_sample
    return (
        f"SELECT CASE WHEN count(*) >= {MIN_PEERS} AND any_value(m.sample) >= {least} "
        "THEN CAST(100.0::DOUBLE * (2 * count(*) FILTER (WHERE p.value < m.value) "
        "+ count(*) FILTER (WHERE p.value = m.value) - 1) / (2 * (count(*) - 1)) AS DECIMAL(7,2)) "
        "END AS percentile FROM gold.member_tag m JOIN gold.member_tag p "
        "ON p.trade_date = m.trade_date AND p.tag_id = m.tag_id AND p.peer_group = m.peer_group "
        f"WHERE m.member_id = {member} AND m.trade_date = {on} AND m.tag_id = '{tag_id}' "
        f"AND m.value IS NOT NULL AND p.value IS NOT NULL AND p.sample >= {least}"
    )


def trend_query(tag_id: str, member_id: str, day: date) -> str:
    """The query that gives a tag's trend: a least-squares slope, in whole millionths."""
    member, on = _place(member_id, day)
    return (
        "WITH dates AS (SELECT calendar_date, 1 - row_number() OVER (ORDER BY calendar_date DESC) "
        f"AS x FROM silver.calendar WHERE is_trade_date AND calendar_date <= {on} "
        f"ORDER BY calendar_date DESC LIMIT {WINDOW + 1}), sums AS (SELECT count(*)::HUGEINT AS n, "
        "sum(x)::HUGEINT AS x, sum(x * x)::HUGEINT AS xx, sum(y)::HUGEINT AS y, "
        "sum(x * y)::HUGEINT AS xy FROM (SELECT x, CAST(value * 1000000 AS HUGEINT) AS y "
        "FROM gold.member_tag JOIN dates ON calendar_date = trade_date "
        f"WHERE member_id = {member} AND tag_id = '{tag_id}' AND value IS NOT NULL)), "
        "line AS (SELECT n, n * xy - x * y AS rise, n * xx - x * x AS run FROM sums) "
        f"SELECT CASE WHEN n >= {MIN_TREND} THEN CAST(sign(rise) * ((2 * abs(rise) + run) "
        "// (2 * run)) AS DECIMAL(30,0)) * 0.000001::DECIMAL(7,6) END AS trend FROM line"
    )


def z_query(tag_id: str, member_id: str, day: date) -> str:
    """The query that gives a tag's z among peers."""
    member, on = _place(member_id, day)
    least = load_tags().tag(tag_id).min_sample
    return (
        f"SELECT CASE WHEN count(*) < {MIN_PEERS} OR any_value(m.sample) < {least} THEN NULL "
        "WHEN stddev_pop(p.value) = 0 THEN 0 "
        "ELSE CAST((any_value(m.value) - avg(p.value)) / stddev_pop(p.value) AS DECIMAL(10,4)) "
        "END AS peer_z FROM gold.member_tag m JOIN gold.member_tag p "
        "ON p.trade_date = m.trade_date AND p.tag_id = m.tag_id AND p.peer_group = m.peer_group "
        f"WHERE m.member_id = {member} AND m.trade_date = {on} AND m.tag_id = '{tag_id}' "
        f"AND m.value IS NOT NULL AND p.value IS NOT NULL AND p.sample >= {least}"
    )


def score_query(catalogue: TagCatalogue, score: str, member_id: str, day: date) -> str:
    """The query that gives a sub-score from its parts."""
    member, on = _place(member_id, day)
    parts = catalogue.parts(score)
    turned = ", ".join(f"'{tag.id}'" for tag in parts if tag.good == "higher") or "''"
    return (
        f"SELECT CAST(sum(CASE WHEN tag_id IN ({turned}) THEN -peer_z ELSE peer_z END) "
        f"/ count(peer_z) AS DECIMAL(10,4)) AS {score}_score FROM gold.member_tag "
        f"WHERE member_id = {member} AND trade_date = {on} AND tag_id IN "
        f"({', '.join(repr(tag.id) for tag in parts)})"
    )


def public_query(kind: str, member_id: str, day: date) -> str:
    """The query that gives places, public lots, own lots in the same contracts and difference."""
    member, on = _place(member_id, day)
    named = " UNION ALL ".join(
        f"SELECT {core_sql(column)} FROM silver.member WHERE member_id = {member} AND known_to "
        f"IS NULL AND valid_from <= {on} AND (valid_to IS NULL OR valid_to > {on})"
        for column in ("short_name", "name_zh")
    )
    return (
        "SELECT count(r.lots) AS places, sum(r.lots) AS public_lots, "
        "sum(coalesce(c.lots, 0)) AS own_lots, sum(r.lots - coalesce(c.lots, 0)) AS difference "
        f"FROM silver.member_rank_daily r LEFT JOIN (SELECT contract_id, sum({OWN_LOTS[kind]}) "
        f"AS lots FROM gold.client_day WHERE member_id = {member} AND trade_date = {on} "
        "GROUP BY contract_id) c ON c.contract_id = r.contract_id "
        f"WHERE r.trade_date = {on} AND r.rank_kind = '{kind}' AND (r.member_id = {member} "
        f"OR (r.member_id IS NULL AND {core_sql('r.member_name')} IN ({named})))"
    )
