"""What can go wrong between the lake and its readers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from contracts.errors import TerminalError


class UnknownAudienceError(TerminalError):
    """Raised when a name is no audience of the catalogue."""

    code = "unknown-audience"

    def __init__(self, audience: str, known: Iterable[str]) -> None:
        self.audience = audience
        self.known = tuple(sorted(known))
        close = difflib.get_close_matches(audience, self.known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        super().__init__(
            f"there is no audience {audience!r}.{hint}",
            next_step=f"use one of: {', '.join(self.known)}.",
        )


class MaskKeyError(TerminalError):
    """Raised when a mask key cannot be trusted: unreadable, damaged or open to others."""

    code = "mask-key"

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"the mask key {path.name} {problem}.",
            next_step="restore the file from the backup with mode 0600; a new key would change "
            "every masked id (`python -m catalog.keys AUDIENCE` makes one on purpose).",
        )


class NotPublishableError(TerminalError):
    """Raised when a product's table cannot be copied as its contract promises."""

    code = "not-publishable"

    def __init__(self, product: str, audience: str, problem: str) -> None:
        self.audience = audience
        self.problem = problem
        super().__init__(
            f"it cannot be published for {audience}: {problem}.",
            next_step="the last published file stays in place; rebuild the product "
            "(`exlake run --product`) or correct its contract, then publish again.",
            product=product,
        )


class NotPublishedError(TerminalError):
    """Raised when an audience has no file yet."""

    code = "not-published"

    def __init__(self, audience: str, path: Path) -> None:
        self.audience = audience
        self.path = path
        super().__init__(
            f"nothing is published for {audience} yet ({path} does not exist).",
            next_step="run `exlake publish`.",
        )


class QueryRefusedError(TerminalError):
    """Raised when a query fails or asks for what a published file does not give."""

    code = "query-refused"

    def __init__(self, audience: str, reason: str, hint: str) -> None:
        self.audience = audience
        self.reason = reason
        super().__init__(f"{reason} (audience {audience}).", next_step=hint)


class NoTableError(TerminalError):
    """Raised when a product has a contract and no table yet."""

    code = "no-table"

    def __init__(self, product: str, interval: str | None = None) -> None:
        super().__init__(
            "nothing is published yet.",
            next_step="land its deliveries and `exlake run`.",
            product=product,
            interval=interval,
        )
