"""Every tag of every member against its evidence query, which shares nothing with the job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from member_world import DAY, LONE, in_duckdb, world

from contracts.tag_catalogue import load_tags

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

pytestmark = pytest.mark.spark
RunJob = Callable[..., list[Any]]
ON = date.fromisoformat(DAY)


@pytest.fixture(scope="module")
def tags(run_job: RunJob) -> list[Any]:
    """Every row the job makes of the generated market."""
    from pipelines.members.member_tag import member_tag

    return run_job(member_tag, world(), (DAY,))


@pytest.fixture(scope="module")
def published(tags: list[Any]) -> DuckDBPyConnection:
    """The market and the job's rows as published tables."""
    earlier = world()["previous gold.member_tag"]
    return in_duckdb({**world(), "previous gold.member_tag": earlier,
                      "gold.member_tag": [r.asDict() for r in tags]})  # fmt: skip


def test_every_number_is_what_its_evidence_query_gives(
    tags: list[Any], published: DuckDBPyConnection
) -> None:
    """Promise: for all members and all tags, the published query gives exactly the number."""
    catalogue = load_tags()
    differ = []
    for row in tags:
        found = published.execute(
            catalogue.tag(row.tag_id).evidence_sql(row.member_id, ON)
        ).fetchall()
        given = found[0][0] if found else None
        if (given is None) != (row.value is None) or (
            given is not None and Decimal(str(given)) != row.value
        ):
            differ.append((row.tag_id, row.member_id, given, row.value))
    assert not differ, differ[:20]
    assert len(tags) == 30 * len(catalogue.tags)
    known = {row.tag_id for row in tags if row.value is not None}
    assert known == {tag.id for tag in catalogue.tags}


def answer(published: DuckDBPyConnection, sql: str) -> Any:
    found = published.execute(sql).fetchall()
    return found[0][0] if found else None


def test_every_place_and_trend_is_what_its_query_gives(
    tags: list[Any], published: DuckDBPyConnection
) -> None:
    """Promise: percentile, z and trend too come out of their published queries, and are there.

    Every sixth member: the queries of members differ in nothing but the number."""
    from catalog.members.evidence import percentile_query, trend_query, z_query

    catalogue = load_tags()
    differ, seen = [], {"percentile": 0, "trend": 0, "peer_z": 0}
    for row in (r for r in tags if int(r.member_id) % 6 == 1):
        queries = {"percentile": percentile_query, "trend": trend_query}
        if catalogue.tag(row.tag_id).score:
            queries["peer_z"] = z_query
        for name, query in queries.items():
            shown = row[name]
            found = answer(published, query(row.tag_id, row.member_id, ON))
            seen[name] += shown is not None
            if (found is None) != (shown is None) or (
                found is not None and Decimal(str(found)) != shown
            ):
                differ.append((name, row.tag_id, row.member_id, found, shown))
    assert not differ, differ[:20]
    assert min(seen.values()) >= 10, seen


def test_samples_and_peers_that_are_too_small_are_not_compared(tags: list[Any]) -> None:
    """Promise: below the minimum sample, and in small groups, there is a value and no percentile;
    a member without clients has its zeros, and no ratio of nothing."""
    catalogue = load_tags()
    for row in tags:
        if row.percentile is not None:
            assert row.sample >= catalogue.tag(row.tag_id).min_sample
            assert row.peers >= 8
    small = [r for r in tags if r.peer_group in ("NF", "NF/ALL")]
    assert small
    assert all(r.percentile is None and r.peer_z is None for r in small)
    lone = {r.tag_id: r for r in tags if r.member_id == LONE}
    assert lone["scale.volume_lots"].value == 0
    assert lone["scale.client_equity"].value is None
    assert lone["behaviour.cancel_ratio"].value is None
    assert all(r.percentile is None for r in lone.values())
    assert {r.trend for r in tags if r.tag_id == "behaviour.night_share"} == {None}


def test_the_first_date_and_a_date_without_optional_files(run_job: RunJob) -> None:
    """Promise: without earlier dates there is no trend; without receipts delivered, their tags
    have no value (never zero)."""
    from pipelines.members.member_tag import member_tag

    given = {k: v for k, v in world().items() if not k.startswith("previous")}
    del given["silver.warehouse_receipt"]
    rows = run_job(member_tag, given, (DAY,))
    assert {r.trend for r in rows} == {None}
    receipts = {r.value for r in rows if r.tag_id.startswith("delivery.receipt")}
    assert receipts == {None}
    assert {r.value for r in rows if r.tag_id == "scale.rank_volatility"} <= {Decimal(0), None}


RANKING = [
    ("VOLUME", "cu2605", "0001", "会员1期货", None),
    ("VOLUME", "cu2605", None, "会员2期货\u3000", None),
    ("VOLUME", "cu2605", None, "会员3（代客）", None),
    ("VOLUME", "cu2605", None, "无此会员", 5),
    ("VOLUME", "al2605", "0001", "会员1期货", 999_999),
    ("LONG", "cu2605", "0004", "会员4期货", None),
]


def test_public_rankings_are_resolved_compared_and_censored(
    run_job: RunJob, tags: list[Any]
) -> None:
    """Promise: padded and shortened names find their member; public and own figures stand beside
    each other with their difference; a member without a place has no public figure."""
    from catalog.members.evidence import public_query, score_query
    from pipelines.members.member_profile import member_profile

    own = {
        (r["member_id"], r["contract_id"], kind): 0
        for r in world()["gold.client_day"] for kind in ("VOLUME", "LONG")
    }  # fmt: skip
    for r in world()["gold.client_day"]:
        own[r["member_id"], r["contract_id"], "VOLUME"] += r["traded_lots"]
        own[r["member_id"], r["contract_id"], "LONG"] += r["end_long_lots"]
    who = {name: member for _, _, member, name, lots in RANKING if lots is None and member}
    who |= {"会员2期货\u3000": "0002", "会员3（代客）": "0003"}
    places = [
        {"trade_date": DAY, "rank_kind": kind, "contract_id": contract, "member_id": member,
         "member_name": name, "rank": n,
         "lots": lots if lots is not None else own[who[name], contract, kind]}
        for n, (kind, contract, member, name, lots) in enumerate(RANKING, start=1)
    ]  # fmt: skip
    given = {
        "gold.member_tag": [r.asDict() for r in tags], "silver.member_rank_daily": places,
        "silver.member": world()["silver.member"], "gold.client_day": world()["gold.client_day"],
    }  # fmt: skip
    rows = {r.member_id: r for r in run_job(member_profile, given, (DAY,))}
    assert len(rows) == 30
    assert [rows[m].public_volume_places for m in ("0001", "0002", "0003", "0004")] == [2, 1, 1, 0]
    assert rows["0002"].public_volume_difference == rows["0003"].public_volume_difference == 0
    assert rows["0001"].public_volume_difference == 999_999 - own["0001", "al2605", "VOLUME"]
    assert rows["0004"].public_volume_sides_lots is None
    assert rows["0004"].volume_censored == 2
    assert rows["0004"].public_long_difference == 0
    database = in_duckdb(given | {"silver.member_rank_daily": places})
    for member, row in rows.items():
        found = database.execute(public_query("VOLUME", member, ON)).fetchall()[0]
        assert found == (row.public_volume_places, row.public_volume_sides_lots,
                         row.ranked_volume_lots, row.public_volume_difference)  # fmt: skip
        for score in ("risk", "compliance"):
            sql = score_query(load_tags(), score, member, ON)
            assert answer(database, sql) == row[f"{score}_score"]
    assert {r.risk_parts for r in rows.values()} >= {0, 5}


def test_without_public_rankings_nothing_is_compared(run_job: RunJob, tags: list[Any]) -> None:
    """Promise: on a date without public files every public column is empty, none is zero."""
    from pipelines.members.member_profile import member_profile

    given = {
        "gold.member_tag": [r.asDict() for r in tags],
        "silver.member": world()["silver.member"], "gold.client_day": world()["gold.client_day"],
    }  # fmt: skip
    for row in run_job(member_profile, given, (DAY,)):
        assert row.public_volume_places is None
        assert row.volume_censored is None
        assert row.public_volume_sides_lots is None
