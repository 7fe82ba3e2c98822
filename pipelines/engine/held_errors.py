"""What a held write refuses, and why nothing was published then."""

from __future__ import annotations

from typing import ClassVar

from contracts.errors import TerminalError, TransientError


class SchemaMismatchError(TerminalError):
    """Raised when a batch's columns differ from its contract's, before anything is written."""

    code: ClassVar[str] = "schema-mismatch"

    def __init__(self, product: str, expected: list[str], actual: list[str]) -> None:
        self.expected, self.actual = expected, actual
        wrong = [f"expected {e}, got {a}" for e, a in zip(expected, actual, strict=False) if e != a]
        wrong += [f"missing {e}" for e in expected[len(actual) :]]
        wrong += [f"unexpected {a}" for a in actual[len(expected) :]]
        super().__init__(
            f"the job's columns differ from the contract: {'; '.join(wrong[:5])}.",
            product=product,
            next_step="Return the contract's columns from the job, or change the contract.",
        )


class LostRowsError(TerminalError):
    """Raised when the written files hold another number of rows than the write observed.

    ``which``: of the rows, those that are meant; empty text for all.
    """

    code: ClassVar[str] = "lost-rows"

    def __init__(self, product: str, observed: int, in_files: int, which: str = "") -> None:
        self.observed, self.in_files = observed, in_files
        rows = f"rows {which}" if which else "rows"
        super().__init__(
            f"the write observed {observed} {rows} but its files hold {in_files}; nothing was"
            " published.",
            product=product,
            next_step="Run the interval again; if it repeats, look for failing Spark tasks.",
        )


class SuspectsLeftError(TerminalError):
    """Raised when rows that were kept apart were neither taken out nor written back."""

    code: ClassVar[str] = "suspects-left"

    def __init__(self, product: str, rows: int) -> None:
        self.rows = rows
        super().__init__(
            f"{rows} rows that were kept apart as suspects were neither rejected nor accepted; "
            "nothing was published.",
            product=product,
            next_step="This is an error of ours: please report it with the run's id.",
        )


class ConcurrentWriteError(TransientError):
    """Raised when another writer changed the table while the commit was held."""

    code: ClassVar[str] = "concurrent-write"

    def __init__(self, product: str, reason: str) -> None:
        super().__init__(
            f"another writer changed the table during the hold ({reason}).",
            product=product,
            next_step="Run again; the interval is rebuilt from what is there now.",
        )
