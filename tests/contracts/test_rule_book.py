"""The surveillance rule book: what is refused, and what is in force when."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from contracts.rule_book import RuleBookInvalidError, load_rule_book, read_rule_book

RULE: dict[str, Any] = {
    "rule_id": "SHFE.self_trade", "version": 1, "title": "Self-trades", "title_zh": "自成交行为",
    "nature": "ABNORMAL",
    "metric": "self_trades", "op": ">=", "threshold": 5, "counting": "trades, not legs",
    "text": "Five or more.", "text_zh": "五次以上。", "effective_from": date(2019, 1, 21),
    "measures": ["call"], "measures_zh": ["电话提示"],
    "source": {"text": "measures of 2019", "confidence": "V"},
}  # fmt: skip


def damaged(**change: Any) -> dict[str, Any]:
    rule = deepcopy(RULE)
    rule.update(change)
    return {key: value for key, value in rule.items() if value is not None}


REFUSED = {
    "unknown key": ([damaged(treshold=5)], "treshold"),
    "no source": ([damaged(source=None)], "source"),
    "empty source": ([damaged(source={"text": "", "confidence": "V"})], "source.text"),
    "unknown confidence": ([damaged(source={"text": "read", "confidence": "Q"})], "confidence"),
    "two thresholds": ([damaged(thresholds={"cu": 5})], "exactly one"),
    "no threshold": ([damaged(threshold=None)], "exactly one"),
    "ends before it begins": ([damaged(effective_to=date(2019, 1, 21))], "later than"),
    "alert without measure": ([damaged(measures=[], measures_zh=[])], "first measure"),
    "overlap": ([RULE, damaged(version=2, effective_from=date(2024, 1, 1))], "both in force"),
    "large cancels of no size": ([damaged(metric="large_cancels")], "min_lots"),
    "no list": (RULE, "list of rules"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_rule_that_cannot_be_trusted_is_refused(case: str) -> None:
    """Promise: unknown keys, missing sources and overlapping validity never load, and are named."""
    given, part = REFUSED[case]
    with pytest.raises(RuleBookInvalidError) as caught:
        read_rule_book({"shfe.yaml": given})
    assert part in caught.value.what
    assert "shfe.yaml" in caught.value.what or "SHFE.self_trade" in caught.value.what


def test_the_version_of_the_day_counts() -> None:
    """Promise: a rule holds from its first day until the day before its successor's."""
    change = date(2024, 7, 19)
    book = read_rule_book(
        {
            "s": [
                damaged(effective_to=change),
                damaged(version=2, threshold=6, effective_from=change),
            ]
        }
    )
    on = {day: [r.threshold for r in book.on(day)] for day in (date(2024, 7, 18), change)}
    assert on == {date(2024, 7, 18): [5], change: [6]}
    assert book.on(date(2019, 1, 20)) == ()


def test_the_shipped_book_covers_both_exchanges() -> None:
    """Promise: both exchanges have every kind of rule on the demonstration's days."""
    in_force = load_rule_book().on(date(2026, 1, 5))
    kinds = {"self_trades", "cancels", "large_cancels", "open_lots", "position_lots", "bursts"}
    for exchange in ("SHFE", "INE"):
        assert kinds <= {r.metric for r in in_force if r.exchange == exchange}
