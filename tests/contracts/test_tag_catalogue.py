"""The tag catalogue: what it says is whole, and what is wrong is named."""

from __future__ import annotations

import copy
import re
from datetime import date
from typing import Any

import pytest
import yaml

from contracts.catalogue import load_catalogue
from contracts.tag_catalogue import (
    FAMILIES,
    FOLDER,
    TagCatalogueInvalidError,
    load_tags,
    read_tags,
)
from pipelines.members.figures import FIGURES
from pipelines.members.tags import TAGS_DIGEST

FILES = {p.name: yaml.safe_load(p.read_text(encoding="utf-8")) for p in FOLDER.glob("*.yaml")}
SQL_WORDS = {
    "CAST", "sqrt", "AS", "DOUBLE", "DECIMAL", "nullif", "coalesce", "if", "greatest", "IS", "NULL",
    "round",
}  # fmt: skip


def test_every_family_has_four_tags_or_says_why_not() -> None:
    """Promise: a family with an input has four tags at least; one without says so, and why."""
    catalogue = load_tags()
    assert [family.family for family in catalogue.families] == list(FAMILIES)
    for family in catalogue.families:
        computed = [tag for tag in family.tags if tag.computed]
        assert len(computed) >= 4 or (family.input == "none" and family.why)


def test_expressions_use_known_figures_and_evidence_reads_published_tables() -> None:
    """Promise: every name in an expression is a figure; every table in an evidence query is a
    product that the surveillance audience gets, with every number replaced safely."""
    products = load_catalogue()
    for tag in load_tags().tags:
        for sql in (tag.value, tag.per or "", tag.sample):
            names = set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", str(sql)))
            assert names <= FIGURES | SQL_WORDS, (tag.id, names - FIGURES - SQL_WORDS)
        query = tag.evidence_sql("0003", date(2026, 1, 5))
        for table in re.findall(r"\b(?:silver|gold)\.\w+", query):
            assert "surveillance" in products[table].audiences, (tag.id, table)
        with pytest.raises(ValueError, match="no member number"):
            tag.evidence_sql("0003' OR '1'='1", date(2026, 1, 5))


def test_a_changed_tag_is_a_changed_job() -> None:
    """Promise: no formula changes without a new job version, so no day keeps an old number."""
    assert load_tags().digest == TAGS_DIGEST


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "scale.yaml scale.volume_lots colour"),
        ({"unit": None}, "a tag gives formula"),
        ({"evidence": "DROP TABLE gold.member_tag"}, "exactly one SELECT"),
        ({"evidence": "SELECT 1; SELECT 2"}, "exactly one SELECT"),
        ({"evidence": "SELECT {nonsense}"}, "evidence is no query"),
        ({"id": "risk.volume"}, "not of family scale"),
        ({"id": "scale.turnover"}, "scale.turnover: defined twice"),
        ({"input": "none"}, "no formula"),
        ({"source": {"text": "x y"}}, "source.confidence"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    """Promise: an unknown key, a missing part, a query that writes, a double id: all refused,
    with file and tag."""
    files = copy.deepcopy(FILES)
    files["scale.yaml"]["tags"][0] |= change
    with pytest.raises(TagCatalogueInvalidError) as raised:
        read_tags(files)
    assert said in str(raised.value)


def test_a_missing_family_is_named() -> None:
    """Promise: a family cannot vanish unseen."""
    files = {name: body for name, body in FILES.items() if name != "service.yaml"}
    with pytest.raises(TagCatalogueInvalidError, match="family service: no file has it"):
        read_tags(files)
