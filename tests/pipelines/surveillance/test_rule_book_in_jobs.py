"""The rule book and the jobs that were released with it."""

from __future__ import annotations

from contracts.rule_book import load_rule_book
from pipelines.surveillance.book import BOOK_DIGEST


def test_a_changed_book_is_a_changed_job() -> None:
    """Promise: no rule changes without a new job version, so no day keeps an old rule's figures."""
    assert load_rule_book().digest == BOOK_DIGEST
