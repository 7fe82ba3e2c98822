"""The exchanges' surveillance rule book: thresholds as effective-dated data.

One YAML file per exchange under ``contracts/rulebook/``. A rule names what is counted, from which
amount it speaks, what is exempt, since when, and where that was read. Loading checks all of it:
unknown keys, a missing source, overlapping validity and thresholds that cannot be are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.errors import TerminalError

FOLDER = Path(__file__).with_name("rulebook")
Metric = Literal[
    "self_trades", "cancels", "large_cancels", "open_lots", "position_lots", "bursts", "messages"
]
Exemption = Literal["HEDGING", "MARKET_MAKING", "FAK", "FOK", "REPORTED"]
Phase = Literal["ALL", "GENERAL", "MONTH_BEFORE", "DELIVERY"]
GROUP_STATES = ("REPORTED", "CONFIRMED")
"""States of a control relationship that make its accounts count as one client: suspected ones and
those under inquiry are not established (our reading)."""
Text = Annotated[str, Field(min_length=3)]
Nature = Literal["ABNORMAL", "LIMIT", "DUTY", "FEE"]
"""What reaching a rule means: abnormal trading, a limit passed, a report that is due (no
misconduct by itself), or a bill."""


class RuleBookInvalidError(TerminalError):
    """Raised when the rule book cannot be trusted: every problem is named at once."""

    code = "rule-book-invalid"

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"the rule book has {len(self.problems)} problem(s): {'; '.join(self.problems)}.",
            next_step="mend the entries under contracts/rulebook/.",
        )


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Closed):
    """Where a rule was read. ``confidence``: V read in the source's text, X seen as an excerpt,
    K general knowledge that somebody still has to check."""

    text: Text
    confidence: Literal["V", "X", "K"]


class Band(_Closed):
    """A price per message (yuan) up to and including message number ``upto`` (null: no end)."""

    upto: Annotated[int, Field(gt=0)] | None
    price: Annotated[Decimal, Field(ge=0)]


class Fee(_Closed):
    """A message fee: bands, and the factor for order-to-trade ratios up to ``ratio``."""

    bands: Annotated[tuple[Band, ...], Field(min_length=1)]
    ratio: Decimal
    factor_up_to_ratio: Decimal

    @model_validator(mode="after")
    def _rising(self) -> Self:
        ends = [band.upto for band in self.bands]
        if ends[-1] is not None or None in ends[:-1]:
            raise ValueError("the last band, and no other, has no end")
        inner = [end for end in ends if end is not None]
        if inner != sorted(set(inner)):
            raise ValueError("bands must rise")
        return self


class BookRule(_Closed):
    """One version of one rule: what it counts and from when it speaks, in lots or occurrences."""

    rule_id: Annotated[str, Field(pattern=r"[A-Z]+\.[a-z_]+(\.[a-z_]+)?")]
    version: Annotated[int, Field(ge=1)]
    title: Text
    title_zh: Text
    nature: Nature
    metric: Metric
    op: Literal[">=", ">"]
    threshold: Annotated[int, Field(gt=0)] | None = None
    threshold_from: Literal["position_limit_general", "intraday_open_limit"] | None = None
    thresholds: Mapping[str, Annotated[int, Field(gt=0)]] | None = None
    min_lots: Annotated[int, Field(ge=1)] | None = None
    burst_messages: Annotated[int, Field(ge=2)] | None = None
    phase: Phase = "ALL"
    exemptions: tuple[Exemption, ...] = ()
    alerts: bool = True
    fee: Fee | None = None
    measures: tuple[Text, ...] = ()
    measures_zh: tuple[Text, ...] = ()
    window_days: Annotated[int, Field(ge=1, le=20)] = 20
    counting: Text
    text: Text
    text_zh: Text
    effective_from: date
    effective_to: date | None = None
    source: Source

    @property
    def exchange(self) -> str:
        """The exchange whose contracts the rule is about."""
        return self.rule_id.split(".", 1)[0]

    def in_force(self, day: date) -> bool:
        """True from ``effective_from`` until the day before ``effective_to``."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        ways = (self.threshold, self.threshold_from, self.thresholds)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give exactly one of threshold, threshold_from, thresholds")
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must be later than effective_from")
        if (self.metric == "large_cancels") != (self.min_lots is not None):
            raise ValueError("min_lots belongs to large_cancels, and to it alone")
        if (self.metric == "bursts") != (self.burst_messages is not None):
            raise ValueError("burst_messages belongs to bursts, and to it alone")
        if self.alerts == (self.nature == "FEE"):
            raise ValueError("a fee is a bill: it never alerts, everything else does")
        if (self.metric == "messages") != (self.fee is not None):
            raise ValueError("fee belongs to messages, and to it alone")
        if len(self.measures) != len(self.measures_zh):
            raise ValueError("each measure needs its Chinese text")
        if self.alerts and not self.measures:
            raise ValueError("a rule that alerts says what the first measure is")
        return self


class RuleBook(_Closed):
    """All rules of all exchanges."""

    rules: tuple[BookRule, ...]

    def on(self, day: date) -> tuple[BookRule, ...]:
        """The rules in force on a trade date."""
        return tuple(rule for rule in self.rules if rule.in_force(day))

    @property
    def digest(self) -> str:
        """A digest of what the rules say, texts included: it changes with any rule."""
        body = [rule.model_dump(mode="json") for rule in self.rules]
        canonical = json.dumps(body, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def load_rule_book(folder: Path = FOLDER) -> RuleBook:
    """Read and check every file of the rule book. Raises RuleBookInvalidError."""
    files = sorted(folder.glob("*.yaml"))
    return read_rule_book({f.name: yaml.safe_load(f.read_text(encoding="utf-8")) for f in files})


def read_rule_book(files: Mapping[str, Any]) -> RuleBook:
    """Check parsed files (name -> list of rules). Raises RuleBookInvalidError with everything."""
    problems: list[str] = []
    rules: list[BookRule] = []
    for name, entries in files.items():
        if not isinstance(entries, list):
            problems.append(f"{name}: a file is a list of rules")
            continue
        for number, entry in enumerate(entries, start=1):
            where = f"{name} entry {number}"
            if isinstance(entry, dict) and "rule_id" in entry:
                where = f"{name} {entry['rule_id']} version {entry.get('version')}"
            try:
                rules.append(BookRule.model_validate(entry))
            except ValidationError as error:
                problems += [
                    f"{where}: {'.'.join(map(str, e['loc'])) or 'rule'}: {e['msg']}"
                    for e in error.errors()
                ]
    problems += _overlaps(rules)
    if problems:
        raise RuleBookInvalidError(problems)
    if not rules:
        raise RuleBookInvalidError(["no rule was found"])
    return RuleBook(rules=tuple(sorted(rules, key=lambda r: (r.rule_id, r.effective_from))))


def _overlaps(rules: list[BookRule]) -> list[str]:
    found = []
    by_id = sorted(rules, key=lambda r: (r.rule_id, r.effective_from))
    for earlier, later in pairwise(by_id):
        if earlier.rule_id != later.rule_id:
            continue
        if earlier.effective_to is None or earlier.effective_to > later.effective_from:
            found.append(
                f"{later.rule_id}: versions {earlier.version} and {later.version} are both "
                f"in force on {later.effective_from}"
            )
        if earlier.version >= later.version:
            found.append(f"{later.rule_id}: version {later.version} does not follow in time")
    return found
