"""News sentiment: names, directions, tone, near duplicates, and the labelled headlines."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import pytest

from contracts.load import load_catalogue
from pipelines.sentiment.agreement import kappa, read_labels, wilson
from pipelines.sentiment.duplicates import cluster
from pipelines.sentiment.ontology import load_ontology, normalise
from pipelines.sentiment.scoring import score, tone_of
from pipelines.sentiment.words import Tokeniser, build_dictionary, link
from pipelines.simulation.commodity import DATA
from pipelines.simulation.news_grammar import PATTERNS

LABELLED = Path(__file__).with_name("labelled")
ONTOLOGY = load_ontology()
with (DATA / "commodities.csv").open(encoding="utf-8", newline="") as _file:
    _ROWS = [(r["commodity_id"], r["name_zh"], r["name_en"]) for r in csv.DictReader(_file)]
NAMES = build_dictionary(
    ONTOLOGY, commodities=_ROWS, contracts=["cu2603"], members=[("0001", "虚构期货")],
    places=["虚构港"],
)  # fmt: skip


def directions(title: str) -> dict[str, tuple[int, str]]:
    found = score(title, ONTOLOGY, NAMES).directions
    return {each.commodity_id: (each.direction, each.driver) for each in found}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("某铜矿罢工", {"cu": (1, "SUPPLY")}),
        ("某铜矿罢工避免", {"cu": (-1, "SUPPLY")}),
        ("铜矿复产", {"cu": (-1, "SUPPLY")}),
        ("铜矿复产推迟", {"cu": (1, "SUPPLY")}),
        ("镍需求增长5%", {"ni": (1, "DEMAND")}),
        ("镍需求增长5%，不及预期", {"ni": (-1, "DEMAND")}),
        ("锌库存增幅小于预期", {"zn": (1, "STOCKS")}),
        ("锌库存下降", {"zn": (1, "STOCKS")}),
        ("铜库存下降，但铜价收跌1%", {"cu": (-1, "PRICE")}),
        ("沪铝收涨0.15%", {"al": (0, "PRICE")}),
        ("沪铝收涨0.3%", {"al": (1, "PRICE")}),
        ("铜价还能涨吗？", {"cu": (0, "NONE")}),
        ("黄金强于白银", {"au": (1, "PRICE"), "ag": (-1, "PRICE")}),
        ("氧化铝价格大跌，电解铝成本下移", {"ao": (-1, "PRICE"), "al": (-1, "COST")}),
        ("Copper output cut called off", {"cu": (-1, "SUPPLY")}),
    ],
)
def test_directions_follow_the_conventions(title: str, expected: dict[str, object]) -> None:
    """Promise: bad news for supply is good for the price, and what turns it round reverses it."""
    assert directions(title) == expected


def test_tone_is_not_direction() -> None:
    """Promise: harm is negative and its end positive, whatever the price does."""
    assert [tone_of(t, ONTOLOGY) for t in ("铜矿罢工", "铜矿罢工结束", "铜库存下降")] == [-1, 1, 0]


def test_the_longest_name_counts_and_reference_data_decides() -> None:
    """Promise: 氧化铝 is not 铝; contracts, members and places link when listed, else not."""
    text = normalise("虚构期货：CU2603与氧化铝在虚构港交割，cu2604未上市")
    found = {(each.kind, each.key) for each in link(text, NAMES)}
    assert found == {("member", "0001"), ("contract", "cu2603"), ("commodity", "cu"),
                     ("commodity", "ao"), ("place", "虚构港")}  # fmt: skip


def test_the_dictionary_is_versioned_with_its_rows() -> None:
    """Promise: the same rows in any order give the same version, another row another one."""
    same = build_dictionary(
        ONTOLOGY, commodities=_ROWS[::-1], contracts=["cu2603"], members=[("0001", "虚构期货")],
        places=["虚构港"],
    )  # fmt: skip
    assert same.version == NAMES.version
    assert build_dictionary(ONTOLOGY, commodities=_ROWS).version != NAMES.version


def test_words_keep_names_whole() -> None:
    """Promise: names of the dictionary and terms of the ontology are words, digits are not."""
    words = Tokeniser(ONTOLOGY, NAMES).words("沪铜与镍矿库存，虚构期货2026年累库3万吨")
    assert {"沪铜", "镍矿", "库存", "虚构期货", "累库"} <= set(words)
    assert not any(re.search(r"\d", word) for word in words)


def test_every_name_may_become_a_hot_word() -> None:
    """Promise: what the tokeniser gives, names with a number such as 20号胶 too, has the form
    that the contract asks of a hot word."""
    contract = load_catalogue()["gold.hot_word_daily"]
    form = next(rule for rule in contract.rules if rule.id == "hot_word_daily.word.form")
    words = Tokeniser(ONTOLOGY, NAMES).words("，".join(NAMES.names))
    assert "20号胶" in words
    assert [w for w in words if not re.fullmatch(form.pattern or "", w)] == []


def test_near_duplicates_point_to_the_first_and_count_once_per_source() -> None:
    """Promise: a reworded copy joins its origin, another story does not, a source counts once."""
    story = "智利北部铜矿工会投票支持罢工，每周产量或损失八千吨，冶炼厂正寻找替代货源"
    texts = [
        story,
        f"快讯：{story}",
        story,
        "泰国洪水退去，天然橡胶产区割胶恢复正常，供应回升",
        "",
        "",
    ]
    found = cluster(texts, ["甲", "乙", "甲", "甲", "甲", "乙"])
    assert found.first == (0, 0, 0, 3, 4, 4)
    assert found.counts == (True, True, False, True, True, True)


def test_the_hold_out_follows_from_the_titles_alone() -> None:
    """Promise: nobody chooses what is held out, and at least 300 headlines are labelled twice."""
    first, second = read_labels(LABELLED, 1), read_labels(LABELLED, 2)
    assert len(first) == len({row.title for row in first}) >= 300
    assert [row.key for row in first] == [row.key for row in second]
    for row in first:
        number = int(hashlib.sha256(row.title.encode()).hexdigest(), 16)
        assert row.split == ("holdout" if number % 5 < 2 else "tuning")


def test_no_headline_is_one_of_the_simulators() -> None:
    """Promise: the set measures rules on headlines that the simulator cannot write."""
    forms = [re.escape(t) for p in PATTERNS for t in (*p.zh, *p.en)]
    forms = [f.replace(r"\{name\}", ".+").replace(r"\{amount\}", ".+") for f in forms]
    templates = re.compile("|".join([*forms, ".+主力合约(上涨|下跌|微变).+"]))
    assert [r.title for r in read_labels(LABELLED, 1) if templates.fullmatch(r.title)] == []


def test_rules_keep_what_they_were_tuned_to() -> None:
    """Promise: on the tuning split (never the hold-out) directions and tone stay above 0.9."""
    rows = [row for row in read_labels(LABELLED, 1) if row.split == "tuning"]
    pairs = [(directions(row.title).get(key), label) for row in rows
             for key, label in row.commodities.items()]  # fmt: skip
    assert sum(d is not None and d[0] == label[0] for d, label in pairs) > 0.9 * len(pairs)
    assert sum(tone_of(row.title, ONTOLOGY) == row.tone for row in rows) > 0.9 * len(rows)


def test_agreement_and_intervals_are_the_textbook_ones() -> None:
    """Promise: kappa is 0.4 on the textbook's 50 items, Wilson's interval of 8 of 10 its own."""
    one = ["y"] * 25 + ["n"] * 25
    two = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert kappa(one, two) == pytest.approx(0.4)
    assert wilson(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
