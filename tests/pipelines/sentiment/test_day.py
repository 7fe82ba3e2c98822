"""A date's articles as mentions and figures, by hand-counted days; the marts' SQL in DuckDB."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from news_cases import (
    BEFORE,
    DAY,
    DAYS,
    NAMES,
    ONTOLOGY,
    STOCKS,
    STRIKE,
    article,
    marts,
    rows_of,
)

from pipelines.sentiment.day import load_weights, mention_rows
from pipelines.sentiment.ontology import (
    ONTOLOGY_DIGEST,
    OntologyUnreleasedError,
    digest_of,
    normalise,
    read_folder,
    released_ontology,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sentiment.md"
QUERIES = dict(
    re.findall(
        r"```sql\n-- name: (\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
)


def test_an_article_links_to_what_it_names_and_to_its_story() -> None:
    """Promise: commodities, contracts, members and places of headline and text are rows; only the
    headline's commodities have a direction; every article is in one story."""
    text = "虚构期货在虚构港交割CU2603与锌。"
    rows = mention_rows(DAY, [article(1, "铜矿罢工", "甲", body=text)], ONTOLOGY, NAMES,
                        load_weights())  # fmt: skip
    found = {(r["mention_kind"], r["mention_key"]): r for r in rows if r["mention_kind"] != "WORD"}
    assert {key: (r["in_title"], r["direction"]) for key, r in found.items()} == {
        ("STORY", "N1"): (True, None), ("COMMODITY", "cu"): (True, 1),
        ("COMMODITY", "zn"): (False, None), ("CONTRACT", "cu2603"): (False, None),
        ("MEMBER", "0001"): (False, None), ("PLACE", "虚构港"): (False, None),
    }  # fmt: skip


def test_sentiment_counts_a_source_once_per_story() -> None:
    """Promise: the strike counts for two sources, the repost of one of them for nothing."""
    with marts(DAYS) as lake:
        rows = {r["commodity_id"]: r for r in
                rows_of(lake, "SELECT * FROM gold.news_sentiment_daily")}  # fmt: skip
    cu = rows["cu"]
    assert (cu["article_count"], cu["all_article_count"], cu["story_count"]) == (3, 4, 2)
    assert (cu["bullish_count"], cu["bearish_count"], cu["neutral_count"]) == (2, 1, 0)
    assert (cu["direction_score"], cu["tone_score"]) == (Decimal("0.333333"), Decimal("-0.666667"))
    assert (cu["main_driver"], cu["total_reach"]) == ("SUPPLY", 300)
    assert (rows["al"]["neutral_count"], rows["al"]["main_driver"]) == (1, "PRICE")


def test_mentions_do_not_depend_on_the_order_of_rows() -> None:
    """Promise: Spark may hand articles over in any order."""
    weights = load_weights()
    assert mention_rows(DAY, DAYS[::-1], ONTOLOGY, NAMES, weights) == mention_rows(
        DAY, DAYS, ONTOLOGY, NAMES, weights
    )


def test_hot_words_burst_against_the_window() -> None:
    """Promise: a new word bursts, a first day has no burst, stop words and sources are no words."""
    query = f"SELECT * FROM gold.hot_word_daily WHERE trade_date = DATE '{DAY}'"
    with marts(DAYS) as lake:
        first = {r["word"]: r for r in rows_of(lake, query)}
    assert (first["罢工"]["article_count"], first["罢工"]["document_share"]) == (2, Decimal("0.5"))
    assert first["罢工"]["burst_score"] is None
    assert "市场" not in first
    before = [article(6, STOCKS, "乙", day=BEFORE), article(7, STOCKS, "丙", day=BEFORE)]
    with marts([*before, *DAYS]) as lake:
        second = {r["word"]: r for r in rows_of(lake, query)}
    # Shares are 2 of 4 now and 0 of 2 then; the prior is 50 times 2 of 6 together.
    assert float(second["罢工"]["burst_score"]) == pytest.approx(0.3363, abs=0.0001)
    assert "库存" not in second, "this date has it once"


def test_what_is_as_frequent_as_ever_does_not_burst() -> None:
    """Promise: equal shares give a burst of nearly nothing."""
    days = [article(n, f"{'甲乙丙丁戊己'[n % 6]}地{'铝锌铅镍锡金'[n % 6]}企业复产{n}", f"源{n}",
                    day=BEFORE if n < 6 else DAY) for n in range(12)]  # fmt: skip
    with marts(days) as lake:
        [row] = rows_of(lake, "SELECT * FROM gold.hot_word_daily WHERE word = '复产' AND "
                              f"trade_date = DATE '{DAY}'")  # fmt: skip
    assert (row["article_count"], row["window_article_count"]) == (6, 6)
    assert abs(row["burst_score"]) < Decimal("0.2")


def test_neighbours_far_above_chance_are_a_phrase() -> None:
    """Promise: two words that stand together in three articles and nowhere else are a phrase; a
    word that stands beside everything makes none."""
    fillers = ["锌锭库存回升", "铅酸电池订单增加", "镍铁成本下移", "锡锭出口受限", "黄金避险升温"]
    told = [article(n, f"{name}加工费谈判第{n}轮", f"源{n}", body=fillers[n % 5] * 3)
            for n, name in enumerate(["铜陵港口", "钦州码头", "青岛仓库"])]  # fmt: skip
    others = [article(10 + n, fillers[n % 5] + "甲乙丙丁戊己庚辛壬癸"[n % 10] * (3 + n),
                      f"源{n}") for n in range(40)]  # fmt: skip
    rows = mention_rows(DAY, [*told, *others], ONTOLOGY, NAMES, load_weights())
    phrases = {r["mention_key"] for r in rows if r["mention_kind"] == "PHRASE"}
    assert "加工费谈判" in phrases
    assert not any("订单" in p and "谈判" in p for p in phrases)


def test_influence_is_the_product_of_its_parts_and_knows_old_stories() -> None:
    """Promise: every article is in one story, a story of yesterday is less of a novelty, and noon
    is half of what midnight in Beijing is."""
    weights = load_weights()
    with marts([article(8, STOCKS, "丙", day=BEFORE), *DAYS]) as lake:
        rows = rows_of(lake, f"SELECT * FROM gold.news_influence WHERE trade_date = DATE '{DAY}'")
    assert sum(row["all_article_count"] for row in rows) == len(DAYS)
    found = {row["story_id"]: row for row in rows}
    assert found["N4"]["novelty_factor"] == Decimal(weights.repeated_novelty)
    strike = found["N1"]
    assert (strike["source_count"], strike["novelty_factor"]) == (2, 1)
    assert strike["source_factor"] == Decimal("1.098612")
    assert float(strike["recency_factor"]) == pytest.approx(0.5 ** (719 / 720), abs=1e-6)
    parts = ("source_factor", "novelty_factor", "recency_factor")
    product = Decimal(strike["total_reach"])
    for part in parts:
        product *= strike[part]
    assert strike["influence_score"] == product.quantize(Decimal("0.000001"))


def test_a_changed_ontology_needs_a_release() -> None:
    """Promise: no day keeps an old ontology's figures by accident: the committed files are those
    the jobs were released with, and others refuse to run."""
    files = read_folder()
    assert digest_of(files) == ONTOLOGY_DIGEST, "set ONTOLOGY_DIGEST and raise the jobs' versions"
    changed: dict[str, Any] = {**files, "influence": {**files["influence"], "least_articles": 3}}
    assert digest_of(changed) != ONTOLOGY_DIGEST
    with pytest.raises(OntologyUnreleasedError, match="digest"):
        released_ontology("0" * 16)


def test_stop_words_stop_no_term_and_no_name() -> None:
    """Promise: what moves prices and what commodities are called can always become hot."""
    names = {normalise(name) for name in NAMES.names}
    moving = {t for t, m in ONTOLOGY.meanings.items() if m.kind in ("event", "quantity", "price")}
    assert ONTOLOGY.stop_words.isdisjoint(names | moving)


@pytest.mark.parametrize("name", QUERIES)
def test_the_documented_queries_run(name: str) -> None:
    """Promise: what docs/sentiment.md tells analysts to ask is answered, and finds rows."""
    before = [article(20 + n, STRIKE, source, day=BEFORE) for n, source in enumerate("甲丙")]
    with marts([*before, *DAYS]) as lake:
        assert lake.execute(QUERIES[name]).fetchall(), name


def test_the_page_shows_the_query_behind_every_mart() -> None:
    """Promise: the page has at least a query a mart, and those called *behind* give its figures."""
    assert len(QUERIES) >= 6
    with marts(DAYS) as lake:
        for name in [n for n in QUERIES if n.startswith("behind_")]:
            for row in lake.execute(QUERIES[name]).fetchall():
                assert row[-2] == row[-1], (name, row)
