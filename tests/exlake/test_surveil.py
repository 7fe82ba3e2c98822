"""Surveillance questions over a tiny published file."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest

from exlake import surveil

DAY = date(2026, 1, 5)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in memory with four figures; whatever asks, asks it."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA gold")
    connection.execute(
        "CREATE TABLE gold.surveillance_day AS SELECT DATE '2026-01-05' AS trade_date, rule_id, "
        "subject_id, 'cu2605' AS contract_id, figure::BIGINT AS figure, result FROM (VALUES "
        "('SHFE.self_trade', 'a', 4, 'NEAR'), ('SHFE.self_trade', 'b', 5, 'REACHED'), "
        "('SHFE.self_trade', 'c', 3, 'BELOW'), ('SHFE.intraday_open', 'd', 40, 'NEAR')) "
        "v(rule_id, subject_id, figure, result)"
    )

    def ask(query: str) -> list[dict[str, Any]]:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    monkeypatch.setattr(surveil, "ask", ask)


@pytest.mark.usefixtures("published")
def test_another_threshold_says_whom_it_adds_and_drops() -> None:
    """Promise: `whatif` counts from exactly the threshold, and names the difference."""
    [lower] = surveil.what_if("SHFE.self_trade", 4, DAY, DAY)
    assert (lower["now"], lower["then"], lower["added"]) == (1, 2, "a cu2605 4")
    [higher] = surveil.what_if("SHFE.self_trade", 6, DAY, DAY)
    assert (higher["then"], higher["dropped"]) == (0, "b cu2605 5")


@pytest.mark.usefixtures("published")
def test_a_limit_may_be_used_up() -> None:
    """Promise: a rule that speaks above its limit does so in `whatif` too."""
    assert [surveil.what_if("SHFE.intraday_open", n, DAY, DAY)[0]["then"] for n in (40, 39)] == [
        0, 1,
    ]  # fmt: skip


def test_unknown_names_are_errors_that_say_so() -> None:
    """Promise: a name that is no rule or no alert is told, and never reaches SQL."""
    with pytest.raises(surveil.UnknownBookRuleError):
        surveil.what_if("SHFE.nothing'", 1, DAY, DAY)
    with pytest.raises(surveil.UnknownAlertError):
        surveil.explain("A' OR true --")
