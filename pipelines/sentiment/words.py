"""The dictionary of names, generated from reference data, and the tokeniser that knows it.

Names of commodities, contracts, members and places change, so none is in the code: the
dictionary is built from rows and the committed aliases, and says by ``version`` which it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rjieba

from pipelines.sentiment.ontology import Ontology, alternation, normalise

CONTRACT = re.compile(r"(?<![a-z0-9])([a-z]{1,2})(\d{4})(?!\d)")
_WORD = re.compile(r"[\u3400-\u9fff]{2,}|[a-z][a-z+-]{2,}|\d+[\u3400-\u9fff]+")
_FREQUENCY = 100_000


@dataclass(frozen=True)
class Link:
    """What a text names: ``kind`` is commodity, contract, member or place; ``at`` its offset in
    the normalised text."""

    kind: str
    key: str
    at: int


@dataclass(frozen=True)
class Dictionary:
    """Names and what they stand for: normalised name -> (kind, key), one or several."""

    names: Mapping[str, tuple[tuple[str, str], ...]]
    contracts: frozenset[str]
    pattern: re.Pattern[str]
    version: str


def build_dictionary(
    ontology: Ontology,
    *,
    commodities: Iterable[tuple[str, str, str]],
    contracts: Iterable[str] = (),
    members: Iterable[tuple[str, str]] = (),
    places: Iterable[str] = (),
) -> Dictionary:
    """Names from reference rows: (commodity id, Chinese, English name), contract ids, (member id,
    name), and places. Aliases count only for commodities that are listed."""
    found: dict[str, set[tuple[str, str]]] = {}

    def add(name: str, kind: str, key: str) -> None:
        if name.strip():
            found.setdefault(normalise(name.strip()), set()).add((kind, key))

    for commodity, chinese, english in commodities:
        for name in (chinese, english, *ontology.aliases.get(commodity, ())):
            add(name or "", "commodity", commodity)
    for member, name in members:
        add(name, "member", member)
    for place in places:
        add(place, "place", place)
    listed = frozenset(normalise(contract) for contract in contracts)
    names = {name: tuple(sorted(keys)) for name, keys in sorted(found.items())}
    digest = hashlib.sha256(repr((ontology.digest, names, sorted(listed))).encode()).hexdigest()
    return Dictionary(names, listed, alternation(names), digest[:16])


def link(text: str, dictionary: Dictionary) -> tuple[Link, ...]:
    """What a normalised text names, in its order; of overlapping names the longest counts.

    A contract that is listed also names its commodity; one that is not listed names nothing.
    """
    found = [
        Link(kind, key, match.start())
        for match in dictionary.pattern.finditer(text)
        for kind, key in dictionary.names[match.group()]
    ]
    for match in CONTRACT.finditer(text):
        if match.group() in dictionary.contracts:
            found.append(Link("contract", match.group(), match.start()))
            found.append(Link("commodity", match.group(1), match.start()))
    return tuple(sorted(set(found), key=lambda each: (each.at, each.kind, each.key)))


_tokenisers: dict[tuple[str, str], Tokeniser] = {}


def tokeniser_of(ontology: Ontology, dictionary: Dictionary) -> Tokeniser:
    """The tokeniser of a dictionary; the last one is kept, since making one costs half a second
    and the dictionaries of neighbouring dates are mostly equal."""
    key = (ontology.digest, dictionary.version)
    if key not in _tokenisers:
        _tokenisers.clear()
        _tokenisers[key] = Tokeniser(ontology, dictionary)
    return _tokenisers[key]


class Tokeniser:
    """rjieba with the dictionary's names and the ontology's terms as words of their own."""

    def __init__(self, ontology: Ontology, dictionary: Dictionary) -> None:
        self._jieba: Any = rjieba.Jieba()
        for word in sorted({*ontology.terms, *dictionary.names}):
            if not word.isascii() and len(word) > 1:
                self._jieba.add_word(word, _FREQUENCY, "nz")

    def words(self, text: str) -> list[str]:
        """Words of a text, in order: two characters or more, no digits, no punctuation."""
        return [word for word in self.in_place(text) if word]

    def in_place(self, text: str) -> list[str]:
        """As ``words``, with "" where something else stood: what it parts is not side by side."""
        cut: list[str] = self._jieba.cut(normalise(text), False)
        return [word if _WORD.fullmatch(word) else "" for word in cut]
