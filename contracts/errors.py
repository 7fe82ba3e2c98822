"""The root of every error the platform raises on purpose.

A subclass says what happened, to which product and interval, and what to do
next. It is *transient* (a retry can help) or *terminal* (it cannot). Its code
is stable and has a page in ``docs/errors/``.
"""

from __future__ import annotations

from typing import ClassVar


class ExlakeError(Exception):
    """Base class: a stable code, a sentence, and the next step.

    Subclasses set ``code`` and build the sentence in their constructor from
    typed fields, so that callers never parse text.
    """

    code: ClassVar[str] = "exlake-error"
    transient: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        next_step: str,
        product: str | None = None,
        interval: str | None = None,
    ) -> None:
        self.what = what
        self.next_step = next_step
        self.product = product
        self.interval = interval
        where = " ".join(part for part in (product, interval) if part)
        super().__init__(f"[{self.code}] {where + ': ' if where else ''}{what} Next: {next_step}")


class TransientError(ExlakeError):
    """Retrying can help (a busy file, a lock held by another run)."""

    code = "transient"
    transient = True


class TerminalError(ExlakeError):
    """Retrying cannot help; a person has to change something."""

    code = "terminal"
