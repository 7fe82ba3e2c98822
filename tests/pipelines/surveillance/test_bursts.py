"""The sliding second and the thresholds, over generated days: pure, or DuckDB over tiny tables."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.rule_book import load_rule_book
from exlake import surveil
from pipelines.surveillance.bursts import SECOND, count_sql, starts_sql

START = datetime(2026, 1, 5, 2, tzinfo=UTC)
TENTHS = st.lists(st.integers(0, 40), min_size=0, max_size=14)


def most_windows(moments: list[int], least: int) -> int:
    """The definition, by trying every set of windows: none overlaps, each holds ``least``."""
    starts = sorted(
        {t for t in moments if sum(t <= other < t + SECOND for other in moments) >= least}
    )
    for size in range(len(starts), 0, -1):
        for chosen in combinations(starts, size):
            if all(b - a >= SECOND for a, b in pairwise(chosen)):
                return size
    return 0


def windows_of(acts: list[surveil.Row]) -> int:
    """How many windows the acts that were kept lie in."""
    count, free = 0, START - timedelta(days=1)
    for act in acts:
        if act["event_time"] >= free:
            count, free = count + 1, act["event_time"] + timedelta(seconds=1)
    return count


@given(tenths=TENTHS, least=st.integers(2, 4))
@settings(max_examples=150, deadline=None)
def test_taking_the_earliest_window_finds_the_most(tenths: list[int], least: int) -> None:
    """Promise: the windows an officer is shown are as many as any choice of them could be."""
    moments = [t * SECOND // 10 for t in tenths]
    acts = [{"event_time": START + timedelta(microseconds=t), "exempt": False} for t in moments]
    assert windows_of(surveil.in_bursts(acts, least)) == most_windows(moments, least)


@pytest.mark.spark
def test_the_jobs_sql_counts_the_same_windows(spark: Any) -> None:
    """Promise: what the job counts and where its windows begin is that definition, too."""
    chance = random.Random(7)
    days = [
        sorted(chance.randrange(41) * SECOND // 10 for _ in range(chance.randrange(15)))
        for _ in range(150)
    ]
    frame = spark.createDataFrame([(day,) for day in days], "t array<bigint>")
    rows = frame.selectExpr(
        "t", f"{count_sql('t', '3')} AS n", f"{starts_sql('t', '3')} AS starts"
    ).collect()
    assert [row.n for row in rows] == [most_windows(day, 3) for day in days]
    assert all(len(row.starts) == row.n and set(row.starts) <= set(row.t) for row in rows)


@given(
    rule=st.sampled_from([r for r in load_rule_book().rules if r.threshold and r.alerts]),
    off=st.integers(-1, 1),
)
@settings(max_examples=40, deadline=None)
def test_whatif_speaks_from_the_rule_books_own_figure(rule: object, off: int) -> None:
    """Promise: at threshold - 1 nothing, at the threshold and above the rule speaks, for each."""
    import duckdb

    from contracts.rule_book import BookRule

    assert isinstance(rule, BookRule)
    assert rule.threshold
    figure = rule.threshold + (rule.op == ">") + off
    day = rule.effective_from
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA gold")
    connection.execute(
        "CREATE TABLE gold.surveillance_day AS SELECT ?::DATE AS trade_date, ? AS rule_id, 'c' AS "
        "subject_id, 'x' AS contract_id, ?::BIGINT AS figure, 'BELOW' AS result",
        [day, rule.rule_id, figure],
    )

    def ask(query: str) -> list[surveil.Row]:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    before, surveil.ask = surveil.ask, ask
    try:
        [row] = surveil.what_if(rule.rule_id, rule.threshold, day, day)
    finally:
        surveil.ask = before
    assert row["then"] == (off >= 0)
