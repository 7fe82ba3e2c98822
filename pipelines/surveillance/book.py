"""The rule book as rows: which rule speaks on which of the wanted trade dates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from contracts.errors import TerminalError
from contracts.rule_book import BookRule, RuleBook
from pipelines.engine.local import local_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from pipelines.engine.job import Inputs

BOOK_DIGEST = "bbce8264a22fd262"
"""Digest of the rule book the jobs were released with. A changed book changes this constant (a
test demands it), so the jobs' code changes, their versions rise and every day is counted anew."""

NEAR = "0.8"
"""Share of a threshold from which a figure is called near (our choice, not the exchange's)."""

RULE_COLUMNS = (
    "rule_no int, on_date date, rule_id string, rule_version int, rule_confidence string, "
    "rule_exchange string, rule_metric string, op string, fixed bigint, threshold_from string, "
    "by_commodity map<string,bigint>, phase string, exemptions array<string>, this_month string, "
    "next_month string, burst_messages int"
)


class RuleBookUnreleasedError(TerminalError):
    """Raised when the rule book is not the one the surveillance jobs were released with."""

    code = "rule-book-unreleased"

    def __init__(self, found: str, released: str) -> None:
        super().__init__(
            f"the rule book has digest {found}; the jobs were released with {released}.",
            next_step="set BOOK_DIGEST in pipelines/surveillance/book.py, raise the versions of "
            "the surveillance jobs and record them (python -m pipelines.engine.versions --write).",
            product="gold.surveillance_day",
        )


MEASURE_COLUMNS = (
    "on_date date, book_rule string, metric string, op string, alerts boolean, min_lots int, "
    "exemptions array<string>, title string, title_zh string, measures array<string>, "
    "measures_zh array<string>, window_days int, window_from date, burst_messages int, "
    "nature string"
)


def measures_frame(
    spark: SparkSession, book: RuleBook, inputs: Inputs, *, released: str
) -> DataFrame:
    """What an alert says of its rule, per wanted trade date. ``window_from``: the first trade date
    whose occurrences count. Raises RuleBookUnreleasedError."""
    _check(book, released)
    rows = [
        (
            day, r.rule_id, r.metric, r.op, r.alerts, r.min_lots, list(r.exemptions), r.title,
            r.title_zh, list(r.measures), list(r.measures_zh), r.window_days,
            inputs.calendar.previous(day, r.window_days), r.burst_messages, r.nature,
        )
        for day in map(date.fromisoformat, inputs.intervals)
        for r in book.on(day)
    ]  # fmt: skip
    return local_frame(spark, rows, MEASURE_COLUMNS)


def _check(book: RuleBook, released: str) -> None:
    if book.digest != released:
        raise RuleBookUnreleasedError(book.digest, released)


def rules_frame(
    spark: SparkSession, book: RuleBook, days: Iterable[str], *, released: str
) -> DataFrame:
    """One row per wanted trade date and rule in force on it; ``rule_no`` numbers the rows.

    Raises RuleBookUnreleasedError.
    """
    _check(book, released)
    rows = [_row(day, rule) for day in map(date.fromisoformat, days) for rule in book.on(day)]
    return local_frame(spark, [(no, *row) for no, row in enumerate(rows)], RULE_COLUMNS)


def _row(day: date, rule: BookRule) -> tuple[object, ...]:
    following = day.replace(day=28) + timedelta(days=4)
    by_commodity = None if rule.thresholds is None else dict(rule.thresholds)
    return (
        day, rule.rule_id, rule.version, rule.source.confidence, rule.exchange, rule.metric,
        rule.op, rule.threshold, rule.threshold_from, by_commodity, rule.phase,
        list(rule.exemptions), f"{day:%Y%m}", f"{following:%Y%m}", rule.burst_messages,
    )  # fmt: skip


def parameter_sql(book: RuleBook, metric: str, field: str) -> str:
    """SQL over ``exchange`` and ``trade_date`` giving a rule's own parameter, NULL without rule.

    ``large_cancels`` needs the smallest size while counting.
    """
    cases = [
        f"WHEN exchange = '{rule.exchange}' AND trade_date >= DATE'{rule.effective_from}'"
        + (f" AND trade_date < DATE'{rule.effective_to}'" if rule.effective_to else "")
        + f" THEN {getattr(rule, field)}"
        for rule in book.rules
        if rule.metric == metric
    ]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS INT)"


def fee_sql(book: RuleBook) -> str:
    """SQL over ``rule_id``, ``rule_version``, ``figure`` (messages) and ``filled_orders`` giving
    the message fee in yuan as DECIMAL(24,4), NULL for rules without a fee."""
    cases = [
        f"WHEN rule_id = '{rule.rule_id}' AND rule_version = {rule.version} THEN ({_bands(rule)})"
        for rule in book.rules
        if rule.fee is not None
    ]
    return (
        f"CAST(CASE {' '.join(cases)} END AS DECIMAL(24,4))"
        if cases
        else "CAST(NULL AS DECIMAL(24,4))"
    )


def _bands(rule: BookRule) -> str:
    assert rule.fee is not None
    parts, start = [], 0
    for band in rule.fee.bands:
        end = "figure" if band.upto is None else f"least(figure, {band.upto})"
        parts.append(f"greatest({end} - {start}, 0) * CAST('{band.price}' AS DECIMAL(10,4))")
        start = band.upto or start
    # ratio = messages / filled - 1 <= limit, without a division
    low = (
        f"figure <= (CAST('{rule.fee.ratio}' AS DECIMAL(10,4)) + 1)"
        " * greatest(coalesce(filled_orders, 0), 1)"
    )
    factor = f"CAST('{rule.fee.factor_up_to_ratio}' AS DECIMAL(10,4))"
    return f"({' + '.join(parts)}) * if({low}, {factor}, CAST(1 AS DECIMAL(10,4)))"
