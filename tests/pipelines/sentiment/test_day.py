"""A date's articles as figures, by hand-counted days."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from pipelines.sentiment.day import (
    Article,
    burst,
    hot_word_rows,
    influence_rows,
    load_weights,
    recency,
    sentiment_rows,
)
from pipelines.sentiment.ontology import load_ontology
from pipelines.sentiment.words import Tokeniser, build_dictionary
from pipelines.simulation.commodity import DATA

YESTERDAY, DAY = date(2026, 1, 5), date(2026, 1, 6)
ONTOLOGY = load_ontology()
with (DATA / "commodities.csv").open(encoding="utf-8", newline="") as _file:
    _ROWS = [(r["commodity_id"], r["name_zh"], r["name_en"]) for r in csv.DictReader(_file)]
NAMES = build_dictionary(ONTOLOGY, commodities=_ROWS)
STRIKE = "北方铜矿工会今起罢工，市场担心供应"
STOCKS = "铜库存大幅增加三万吨"


def article(number: int, title: str, source: str, *, day: date = DAY, reach: int = 100) -> Article:
    at = datetime(day.year, day.month, day.day, 4, number, tzinfo=UTC)
    return Article(f"N{number}", day, at, source, title, f"{title}。据称。", reach)


DAYS = [
    article(1, STRIKE, "甲"),
    article(2, STRIKE, "乙"),
    article(3, STRIKE, "乙"),
    article(4, STOCKS, "甲"),
    article(5, "沪铝夜盘收平", "甲"),
]


def test_sentiment_counts_a_source_once_per_story() -> None:
    """Promise: the strike counts for two sources, the repost of one of them for nothing."""
    rows = {row["commodity_id"]: row for row in sentiment_rows(DAY, DAYS, ONTOLOGY, NAMES)}
    cu = rows["cu"]
    assert (cu["article_count"], cu["all_article_count"], cu["story_count"]) == (3, 4, 2)
    assert (cu["bullish_count"], cu["bearish_count"], cu["neutral_count"]) == (2, 1, 0)
    assert (cu["direction_score"], cu["tone_score"]) == (Decimal("0.333333"), Decimal("-0.666667"))
    assert (cu["main_driver"], cu["total_reach"]) == ("SUPPLY", 300)
    assert (rows["al"]["neutral_count"], rows["al"]["main_driver"]) == (1, "PRICE")


def test_figures_do_not_depend_on_the_order_of_rows() -> None:
    """Promise: Spark may hand articles over in any order."""
    weights, back = load_weights(), DAYS[::-1]
    tokeniser = Tokeniser(ONTOLOGY, NAMES)
    assert sentiment_rows(DAY, back, ONTOLOGY, NAMES) == sentiment_rows(DAY, DAYS, ONTOLOGY, NAMES)
    assert influence_rows(DAY, back, weights) == influence_rows(DAY, DAYS, weights)
    assert hot_word_rows(DAY, back, tokeniser, weights) == hot_word_rows(
        DAY, DAYS, tokeniser, weights
    )


def test_hot_words_burst_against_the_window() -> None:
    """Promise: a new word bursts, one as frequent as ever does not, a first day has no burst."""
    weights, tokeniser = load_weights(), Tokeniser(ONTOLOGY, NAMES)
    first = {r["word"]: r for r in hot_word_rows(DAY, DAYS, tokeniser, weights)}
    assert (first["罢工"]["article_count"], first["罢工"]["document_share"]) == (2, Decimal("0.5"))
    assert first["罢工"]["burst_score"] is None
    before = [article(6, STOCKS, "乙", day=YESTERDAY), article(7, STOCKS, "丙", day=YESTERDAY)]
    second = {r["word"]: r for r in hot_word_rows(DAY, DAYS + before, tokeniser, weights)}
    assert second["罢工"]["burst_score"] > 0
    assert burst(5, 10, 50, 100, 50) == 0 or abs(burst(5, 10, 50, 100, 50)) < Decimal("0.2")


def test_influence_is_the_product_of_its_parts_and_knows_old_stories() -> None:
    """Promise: every article is in one story, and a story of yesterday is less of a novelty."""
    weights = load_weights()
    rows = influence_rows(DAY, [*DAYS, article(8, STOCKS, "丙", day=YESTERDAY)], weights)
    assert sum(row["all_article_count"] for row in rows) == len(DAYS)
    found = {row["story_id"]: row for row in rows}
    assert found["N4"]["novelty_factor"] == weights.repeated_novelty
    strike = found["N1"]
    assert (strike["source_count"], strike["novelty_factor"]) == (2, 1)
    assert strike["source_factor"] == Decimal("1.098612")
    parts = ("source_factor", "novelty_factor", "recency_factor")
    product = Decimal(strike["total_reach"])
    for part in parts:
        product *= strike[part]
    assert strike["influence_score"] == product.quantize(Decimal("0.000001"))


@pytest.mark.parametrize(("hour", "expected"), [(16, "1"), (4, "0.5"), (20, "1")])
def test_recency_halves_every_half_life(hour: int, expected: str) -> None:
    """Promise: twelve hours before Beijing's midnight is half, and never more than one."""
    assert recency(DAY, datetime(2026, 1, 6, hour, tzinfo=UTC), 12) == Decimal(expected)


def test_the_documented_queries_run() -> None:
    """Promise: what docs/sentiment.md tells analysts to ask is answered by the tables' columns."""
    import re
    from pathlib import Path

    import duckdb

    from contracts.catalogue import load_catalogue
    from contracts.compile.duckdb import ddl

    page = Path(__file__).resolve().parents[3] / "docs" / "sentiment.md"
    [block] = re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    queries = [query for query in block.split(";") if query.strip()]
    catalogue = load_catalogue()
    with duckdb.connect() as database:
        database.execute("CREATE SCHEMA gold")
        for name in ("news_sentiment_daily", "hot_word_daily", "news_influence"):
            database.execute(ddl(catalogue[f"gold.{name}"], "gold"))
        for query in queries:
            assert database.execute(query).fetchall() == []
    assert len(queries) == 3
