"""The driver ontology as typed data, read from ``contracts/ontology/``."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import contracts
from contracts.errors import TerminalError

ONTOLOGY_DIGEST = "7765deb3a86de81d"
"""Digest of ``contracts/ontology/`` the jobs were released with. A changed term, name, weight or
stop word changes this constant (a test demands it), so the jobs' code changes, their versions
rise and every day is judged anew."""

FOLDER = Path(contracts.__file__).with_name("ontology")
SIGNS = {"up": 1, "down": -1, "flat": 0}


@dataclass(frozen=True)
class Meaning:
    """What a term says. ``kind``: quantity, event, price, movement, turn, expectation, question or
    neutral; ``driver`` for quantities and events; ``sign`` -1, 0 or 1 (a quantity's is -1 when
    more of it is less of its driver)."""

    kind: str
    driver: str = ""
    sign: int = 0


@dataclass(frozen=True)
class Ontology:
    """Terms with their meanings, and the direction in which each driver pushes."""

    digest: str
    effects: Mapping[str, int]
    meanings: Mapping[str, Meaning]
    pattern: re.Pattern[str]
    negative: re.Pattern[str]
    positive: re.Pattern[str]
    relief: re.Pattern[str]
    aliases: Mapping[str, tuple[str, ...]]
    stop_words: frozenset[str]

    @property
    def terms(self) -> tuple[str, ...]:
        """Every Chinese term of two characters or more: the tokeniser keeps them whole."""
        return tuple(sorted(t for t in self.meanings if not t.isascii() and len(t) > 1))


class OntologyUnreleasedError(TerminalError):
    """Raised when the ontology is not the one the sentiment jobs were released with."""

    code = "ontology-unreleased"

    def __init__(self, found: str, released: str) -> None:
        super().__init__(
            f"contracts/ontology has digest {found}; the jobs were released with {released}.",
            next_step="set ONTOLOGY_DIGEST in pipelines/sentiment/ontology.py, raise the versions "
            "of the sentiment jobs and record them (python -m pipelines.engine.versions --write).",
            product="gold.news_mention",
        )


def normalise(text: str) -> str:
    """NFKC and lower case: full-width forms and capitals read alike."""
    return unicodedata.normalize("NFKC", text).lower()


def alternation(terms: Iterable[str]) -> re.Pattern[str]:
    """A pattern over terms, the longest first; Latin ones match at the beginning of a word.

    Written as a tree of prefixes: hundreds of alternatives side by side are ten times slower.
    """
    tree: dict[str, Any] = {}
    for term in sorted({normalise(term) for term in terms}):
        node = tree
        for character in term:
            node = node.setdefault(character, {})
        node[""] = {}
    return re.compile(_branches(tree, first=True) or r"(?!)")


def _branches(node: dict[str, Any], *, first: bool = False) -> str:
    parts = [
        ("(?<![a-z0-9])" if first and character.isascii() else "")
        + re.escape(character)
        + _branches(child)
        for character, child in node.items()
        if character
    ]
    body = "|".join(parts)
    if "" in node:
        return f"(?:{body})?" if body else ""
    return body if first or len(parts) == 1 else f"(?:{body})"


def read_folder(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Every file of the ontology, parsed, by its name without suffix."""
    files = sorted(folder.glob("*.yaml"))
    return {f.stem: yaml.safe_load(f.read_text(encoding="utf-8")) for f in files}


def digest_of(files: Mapping[str, Any]) -> str:
    """A digest of what the files say; comments and formatting don't count."""
    canonical = json.dumps(files, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def released_ontology(released: str) -> Ontology:
    """The committed ontology, for jobs. Raises OntologyUnreleasedError when it is another one."""
    ontology = load_ontology()
    if ontology.digest != released:
        raise OntologyUnreleasedError(ontology.digest, released)
    return ontology


@cache
def load_ontology() -> Ontology:
    """The committed ontology: drivers, turns, tone words, names of commodities, stop words."""
    files = read_folder()
    body, names, stops = files["drivers"], files["aliases"], files["stop_words"]
    meanings: dict[str, Meaning] = {}

    def add(terms: Iterable[str], meaning: Meaning) -> None:
        for term in terms:
            meanings.setdefault(normalise(term), meaning)

    # The first meaning counts where a term stands twice: the more specific kind comes first.
    add(body["questions"], Meaning("question"))
    add(body["neutral"], Meaning("neutral"))
    for word, sign in (("beyond", 1), ("below", -1)):
        add(body["expectations"][word], Meaning("expectation", sign=sign))
    for driver, directions in body["events"].items():
        for word, terms in directions.items():
            add(terms, Meaning("event", driver, SIGNS[word]))
    for part, sign in (("quantities", 1), ("inverse", -1)):
        for driver, terms in body[part].items():
            add(terms, Meaning("quantity", driver, sign))
    for kind, part in (("price", "prices"), ("movement", "movements")):
        for word, terms in body[part].items():
            add(terms, Meaning(kind, sign=SIGNS[word]))
    add(body["turns"], Meaning("turn"))
    return Ontology(
        digest=digest_of(files),
        effects=body["effects"],
        meanings=meanings,
        pattern=alternation(meanings),
        negative=alternation(body["tone"]["negative"]),
        positive=alternation(body["tone"]["positive"]),
        relief=alternation(body["tone"]["relief"]),
        aliases={key: tuple(value) for key, value in names["aliases"].items()},
        stop_words=frozenset(normalise(w) for part in stops["words"].values() for w in part),
    )
