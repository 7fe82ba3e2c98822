"""Tone of a headline, and the direction in which it pushes each commodity's price.

The rules are those of docs/sentiment-labelling.md, applied clause by clause to the title alone:
an event or a moving quantity gives driver and sign, words that turn it round reverse it, surprise
beats level, and a stated price move decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from pipelines.sentiment.ontology import Meaning, Ontology, normalise
from pipelines.sentiment.words import Dictionary, Link, link

NONE = "NONE"
_CLAUSES = re.compile(r"[;。!:、]|,(?!\d{3})| - ")
_PRICED = re.compile(r"[价收点%元]|主力|期货|关口|合约|price|futures")
_SPREAD = re.compile(r"强于|stronger than|outperforms")
_TINY = re.compile(r"(?<![\d.])0\.(?:0\d*|1\d*|20?)%")
_RANK = {"SUPPLY": 2, "DEMAND": 2, "STOCKS": 2, "COST": 2, "LOGISTICS": 2, "POLICY": 1, "MACRO": 1}


@dataclass(frozen=True)
class Signal:
    """A driver, the sign of its movement, and where (clause number)."""

    driver: str
    sign: int
    clause: int


@dataclass(frozen=True)
class Direction:
    """The push on one commodity's price: direction and sign are -1, 0 or 1."""

    commodity_id: str
    direction: int
    driver: str
    sign: int


@dataclass(frozen=True)
class Score:
    """What a headline says: tone (-1, 0, 1), a direction per commodity, and all it names."""

    tone: int
    directions: tuple[Direction, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class _Clause:
    number: int
    begin: int
    end: int
    meanings: tuple[Meaning, ...]

    def of(self, kind: str) -> tuple[Meaning, ...]:
        """Meanings of one kind, in order."""
        return tuple(m for m in self.meanings if m.kind == kind)

    @property
    def turned(self) -> int:
        """-1 when an odd number of words turn the clause round, else 1."""
        return -1 if len(self.of("turn")) % 2 else 1


def score(title: str, ontology: Ontology, dictionary: Dictionary) -> Score:
    """Judge one headline. Pure: the same title, ontology and dictionary give the same score."""
    text = normalise(title)
    links = link(text, dictionary)
    clauses = _clauses(text, ontology)
    neutral = any(clause.of("question") or clause.of("neutral") for clause in clauses)
    signals = () if neutral else _signals(text, clauses)
    commodities = tuple(dict.fromkeys(each.key for each in links if each.kind == "commodity"))
    spread = None if neutral else _spread(text, links)
    directions = tuple(
        spread[key] if spread and key in spread
        else _direction(key, links, clauses, signals, ontology)
        for key in commodities
    )  # fmt: skip
    return Score(_tone(text, clauses, ontology), directions, links)


def _clauses(text: str, ontology: Ontology) -> tuple[_Clause, ...]:
    cuts = [0, *(match.end() for match in _CLAUSES.finditer(text)), len(text)]
    hits = [(m.start(), ontology.meanings[m.group()]) for m in ontology.pattern.finditer(text)]
    return tuple(
        _Clause(number, begin, end, tuple(m for at, m in hits if begin <= at < end))
        for number, (begin, end) in enumerate(pairwise(cuts))
        if end > begin
    )


def _signals(text: str, clauses: tuple[_Clause, ...]) -> tuple[Signal, ...]:
    """The signals of a headline's clauses, in order.

    A clause that only says that something moved speaks of the quantity before it, else of the
    price; without a word for the price it counts only when nothing else was said.
    """
    found: list[Signal] = []
    weak: list[Signal] = []
    pending: Meaning | None = None  # a quantity whose movement may follow in the next clause
    for clause in clauses:
        quantities, moves = clause.of("quantity"), clause.of("movement")
        expected = clause.of("expectation")
        if expected and not quantities and not clause.of("event"):
            if found and expected[0].sign < 0:  # "..., less than expected" reverses what it follows
                found[-1] = replace(found[-1], sign=-found[-1].sign)
            continue
        signal = _stated(text, clause) or _moved(clause, pending)
        if signal is not None:
            found.append(signal)
        elif moves:
            sign = moves[-1].sign * (not _is(_TINY, text, clause))
            price = Signal("PRICE", sign, clause.number)
            (found if _is(_PRICED, text, clause) else weak).append(price)
        pending = quantities[-1] if quantities and signal is None else None
    return tuple(found or weak)


def _stated(text: str, clause: _Clause) -> Signal | None:
    """A price move, a surprise, or an event, in this order."""
    events, quantities = clause.of("event"), clause.of("quantity")
    moves, expected = clause.of("movement"), clause.of("expectation")
    if prices := clause.of("price"):
        sign = prices[-1].sign * (not _is(_TINY, text, clause))
        return Signal("PRICE", sign, clause.number)
    if expected:  # surprise beats level
        what = (events or quantities)[-1]
        base = what.sign if events else moves[-1].sign * what.sign if moves else what.sign
        return Signal(what.driver, base * expected[-1].sign, clause.number)
    if events and not (quantities and moves):
        return Signal(events[-1].driver, events[-1].sign * clause.turned, clause.number)
    return None


def _moved(clause: _Clause, pending: Meaning | None) -> Signal | None:
    """A quantity that moves, here or begun in the clause before, or one that is turned round."""
    quantities, moves = clause.of("quantity"), clause.of("movement")
    what = quantities[-1] if quantities else pending
    if what is not None and moves:
        sign = what.sign * moves[-1].sign * clause.turned
        return Signal(what.driver, sign, clause.number)
    if quantities and clause.turned < 0:
        return Signal(quantities[-1].driver, -quantities[-1].sign, clause.number)
    return None


def _is(pattern: re.Pattern[str], text: str, clause: _Clause) -> bool:
    return pattern.search(text, clause.begin, clause.end) is not None


def _spread(text: str, links: tuple[Link, ...]) -> dict[str, Direction] | None:
    """With only a spread given, the stronger side is bullish."""
    match = _SPREAD.search(text)
    if match is None:
        return None
    sides = {
        each.key: 1 if each.at < match.start() else -1
        for each in reversed(links)
        if each.kind == "commodity"
    }
    return {key: Direction(key, sign, "PRICE", sign) for key, sign in sides.items()}


def _direction(
    key: str,
    links: tuple[Link, ...],
    clauses: tuple[_Clause, ...],
    signals: tuple[Signal, ...],
    ontology: Ontology,
) -> Direction:
    best = _decisive(_near(key, links, clauses, signals) or signals)
    if best is None:
        return Direction(key, 0, NONE, 0)
    return Direction(key, ontology.effects[best.driver] * best.sign, best.driver, best.sign)


def _near(
    key: str, links: tuple[Link, ...], clauses: tuple[_Clause, ...], signals: tuple[Signal, ...]
) -> tuple[Signal, ...]:
    """Signals of the clauses that speak of a commodity: its own, and those that name none."""
    named = {
        clause.number: {
            each.key
            for each in links
            if each.kind == "commodity" and clause.begin <= each.at < clause.end
        }
        for clause in clauses
    }
    return tuple(s for s in signals if not named[s.clause] or key in named[s.clause])


def _decisive(signals: tuple[Signal, ...]) -> Signal | None:
    """A price move first, then a stated quantity, then policy or macro; the later one of equals."""
    ranked = [(3 if s.driver == "PRICE" else _RANK[s.driver], n, s) for n, s in enumerate(signals)]
    return max(ranked, key=lambda each: each[:2])[2] if ranked else None


def tone_of(title: str, ontology: Ontology) -> int:
    """How a public-opinion desk reads a text: -1, 0 or 1. A question has no tone."""
    text = normalise(title)
    return _tone(text, _clauses(text, ontology), ontology)


def _tone(text: str, clauses: tuple[_Clause, ...], ontology: Ontology) -> int:
    if any(clause.of("question") for clause in clauses):
        return 0
    if ontology.negative.search(text) is not None:
        return 1 if ontology.relief.search(text) is not None else -1
    missed = any(m.sign < 0 for clause in clauses for m in clause.of("expectation"))
    return int(ontology.positive.search(text) is not None and not missed)
