"""What can go wrong while an address is asked. Transient ones were already retried."""

from __future__ import annotations

from typing import ClassVar

from contracts.errors import TerminalError, TransientError


class SourceUnavailableError(TransientError):
    """Raised when an address gave no whole answer after several tries."""

    code: ClassVar[str] = "source-unavailable"

    def __init__(self, url: str, interval: str, reason: str, tries: int) -> None:
        self.url, self.reason, self.tries = url, reason, tries
        super().__init__(
            f"{url} gave no whole answer in {tries} tries: {reason}.",
            next_step="Wait and ask again; what was fetched before it is landed.",
            interval=interval,
        )


class SourceRefusedError(TerminalError):
    """Raised when an address answers that it will not serve the file."""

    code: ClassVar[str] = "source-refused"

    def __init__(self, url: str, interval: str, status: int) -> None:
        self.url, self.status = url, status
        super().__init__(
            f"{url} answered {status}.",
            next_step="Look at the address in a browser; correct contracts/standards/addresses.yaml"
            " when it has moved.",
            interval=interval,
        )


class SourceRedirectError(TerminalError):
    """Raised when an address leads to another host, to plain http, or round in circles."""

    code: ClassVar[str] = "source-redirect"

    def __init__(self, url: str, interval: str, target: str) -> None:
        self.url, self.target = url, target
        super().__init__(
            f"{url} leads to {target[:200]}, which was not asked.",
            next_step="Check who that is; add the host to contracts/standards/addresses.yaml if it "
            "belongs to the publisher.",
            interval=interval,
        )


class SourceTooLargeError(TerminalError):
    """Raised when an answer is larger than allowed; reading was stopped there."""

    code: ClassVar[str] = "source-too-large"

    def __init__(self, url: str, interval: str, limit: int) -> None:
        self.url, self.limit = url, limit
        super().__init__(
            f"{url} sends more than {limit:,} bytes; reading was stopped.",
            next_step="Raise EXLAKE_HTTP_LIMIT_BYTES if it is right.",
            interval=interval,
        )


class SourceUntrustedError(TerminalError):
    """Raised when the certificate of a host cannot be verified."""

    code: ClassVar[str] = "source-untrusted"

    def __init__(self, url: str, interval: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"the certificate of {url} cannot be verified ({reason}); nothing was sent or read.",
            next_step="Behind a proxy with its own certificate let SSL_CERT_FILE name it; "
            "otherwise do not trust the answer.",
            interval=interval,
        )
