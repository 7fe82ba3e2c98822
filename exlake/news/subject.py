"""What a word means: a name of the dictionary, a word of articles, or a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from contracts.errors import TerminalError
from exlake.news.asking import Ask, ask, listed, quoted
from pipelines.sentiment.ontology import load_ontology, normalise
from pipelines.sentiment.words import CONTRACT, Dictionary, build_dictionary

LONGEST = 64
"""Characters a word may have; the longest word that gold.news_mention keeps."""
KINDS = {
    "COMMODITY": ("品种", "commodity"),
    "CONTRACT": ("合约", "contract"),
    "MEMBER": ("会员", "member"),
    "PLACE": ("地点", "place"),
    "WORD": ("词语", "word"),
    "TEXT": ("文本", "text"),
}


class WordRefusedError(TerminalError):
    """Raised for a word that cannot be looked for: empty, unprintable or longer than any word."""

    code = "word-refused"

    def __init__(self, word: str, why: str) -> None:
        shown = word if len(word) <= 20 else f"{word[:20]}..."
        super().__init__(
            f"{shown!r} cannot be looked for: {why}.",
            next_step=f"give one word or name of 1 to {LONGEST} printable characters.",
        )


@dataclass(frozen=True)
class Subject:
    """What is looked for: ``kind`` is one of ``KINDS``, ``keys`` are ids or words.

    ``names``: the names of what was found (a commodity's Chinese and English name).
    """

    word: str
    kind: str
    keys: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def kind_words(self) -> tuple[str, str]:
        """The kind in Chinese and English."""
        return KINDS[self.kind]

    def found_sql(self, first: date, last: date) -> str:
        """The articles of the dates that mention it, one row each (the CTE ``found``)."""
        span = f"m.trade_date BETWEEN DATE '{first}' AND DATE '{last}'"
        columns = "m.trade_date, m.article_id, m.story_id, m.source, m.reach, m.tone"
        if self.kind == "TEXT":
            text = text_condition(self.keys)
            return (
                f"SELECT {columns}, m.counted, NULL::INTEGER AS direction\n"
                "  FROM gold.news_mention m JOIN silver.news_article a USING (trade_date, "
                f"article_id)\n  WHERE m.mention_kind = 'STORY' AND {span}\n"
                f"    AND ({text})"
            )
        kinds = "'WORD', 'PHRASE'" if self.kind == "WORD" else quoted(self.kind)
        titled = " AND m.in_title" if self.kind == "COMMODITY" else ""
        return (
            f"SELECT {columns}, bool_or(m.counted) AS counted,\n"
            "    CASE WHEN min(m.direction) = max(m.direction) THEN max(m.direction) END "
            "AS direction\n"
            f"  FROM gold.news_mention m\n  WHERE m.mention_kind IN ({kinds}) "
            f"AND m.mention_key IN ({listed(self.keys)}){titled}\n    AND {span}\n"
            f"  GROUP BY {columns}"
        )


def resolve(word: str, asked: Ask, first: date, last: date) -> Subject:
    """What a word stands for. Raises WordRefusedError.

    The dictionary is that of ``last``: ids, names and aliases of commodities, listed contracts.
    A word that is none of these and never a word of an article on the dates is looked for as text.
    """
    text = normalise(word).strip()
    if not text:
        raise WordRefusedError(word, "it is empty")
    if len(text) > LONGEST:
        raise WordRefusedError(word, f"it has {len(text)} characters")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co") for c in text):
        raise WordRefusedError(word, "it has characters that cannot be printed")
    commodities = _commodities(asked, last)
    dictionary = _dictionary(asked, last, commodities)
    called = {(key, zh, en) for key, zh, en in commodities if normalise(key) == text}
    keys = [("commodity", key) for key, _, _ in called] or list(dictionary.names.get(text, ()))
    if not keys and CONTRACT.fullmatch(text) and text in dictionary.contracts:
        keys = [("contract", text)]
    if keys:
        kind = sorted(keys)[0][0]
        mine = tuple(sorted(key for k, key in keys if k == kind))
        return Subject(word, kind.upper(), mine, tuple(_names(mine, commodities)))
    sql = (
        "SELECT 1 FROM gold.news_mention WHERE mention_kind IN ('WORD', 'PHRASE') "
        f"AND mention_key = {quoted(text)} AND trade_date BETWEEN DATE '{first}' "
        f"AND DATE '{last}' LIMIT 1"
    )
    if ask(asked, "", "", "", sql).rows:
        return Subject(word, "WORD", (text,))
    return Subject(word, "TEXT", as_written(word))


def as_written(word: str) -> tuple[str, ...]:
    """Forms in which a text may stand: as given and with full-width signs made plain."""
    return tuple(dict.fromkeys((normalise(word).strip(), word.strip().lower())))


def text_condition(forms: Iterable[str]) -> str:
    """SQL over ``a`` (silver.news_article): headline or text contains one of the forms."""
    return " OR ".join(
        f"contains(lower(a.{column}), {quoted(form)})"
        for form in forms
        for column in ("title", "body")
    )


def _names(keys: Iterable[str], commodities: list[tuple[str, str, str]]) -> list[str]:
    return [name for key, zh, en in commodities if key in set(keys) for name in (zh, en) if name]


def _commodities(asked: Ask, day: date) -> list[tuple[str, str, str]]:
    sql = (
        "SELECT DISTINCT commodity_id, name_zh, coalesce(name_en, '') AS name_en "
        f"FROM silver.commodity WHERE {_valid(day)} ORDER BY ALL"
    )
    rows = ask(asked, "", "", "", sql).rows
    return [(r["commodity_id"], r["name_zh"], r["name_en"]) for r in rows]


def _dictionary(asked: Ask, day: date, commodities: list[tuple[str, str, str]]) -> Dictionary:
    sql = f"SELECT DISTINCT contract_id FROM silver.contract WHERE {_valid(day)}"
    members = f"SELECT DISTINCT member_id, short_name FROM silver.member WHERE {_valid(day)}"
    places = (
        "SELECT DISTINCT mention_key FROM gold.news_mention WHERE mention_kind = 'PLACE' "
        f"AND trade_date <= DATE '{day}'"
    )
    return build_dictionary(
        load_ontology(),
        commodities=commodities,
        contracts=[r["contract_id"] for r in ask(asked, "", "", "", sql).rows],
        members=[
            (r["member_id"], r["short_name"] or "") for r in ask(asked, "", "", "", members).rows
        ],
        places=[r["mention_key"] for r in ask(asked, "", "", "", places).rows],
    )


def _valid(day: date) -> str:
    return (
        f"known_to IS NULL AND valid_from <= DATE '{day}' "
        f"AND (valid_to IS NULL OR valid_to > DATE '{day}')"
    )
