"""Deliveries published at web addresses: asked politely, kept as they were answered.

One request at a time, with a pause per host. A second look is conditional (``ETag``,
``Last-Modified``), so what has not changed is not sent again. Bodies are streamed to disk under a
size and a time limit; redirects are followed only to the allowed hosts and never from https to
http; certificates are verified. What the body *is* - an empty holiday reply, a changed page - is
decided by landing, as for any other file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from contracts.addresses import Address
from contracts.errors import ExlakeError
from pipelines.sources.base import Offer
from pipelines.sources.http_errors import (
    SourceRedirectError,
    SourceRefusedError,
    SourceTooLargeError,
    SourceUnavailableError,
    SourceUntrustedError,
)

STATE = "answers.json"
BODIES = ".fetched"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_THERE = frozenset({404, 410})
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
MOST_REDIRECTS = 5
KEPT_HEADERS = ("content-type", "content-length", "etag", "last-modified", "date")


@dataclass(frozen=True)
class Manners:
    """How an address is asked. Seconds and bytes; ``attempts`` counts the first one too."""

    timeout: float = 30.0
    """Longest silence."""
    total: float = 300.0
    """Longest time for one body."""
    limit: int = 256_000_000
    pause: float = 1.0
    """Between two requests to one host."""
    attempts: int = 4
    longest_wait: float = 60.0
    """Longest pause before a retry, also when the server asks for more."""


@dataclass(frozen=True)
class Answer:
    """One fetched body and what is kept of the answer as evidence."""

    body: Path
    size: int
    sha256: str
    evidence: bytes


@dataclass
class HttpSource:
    """Asks the addresses that hold for the given trade dates. Not for use by two processes at once.

    ``folder`` keeps bodies until they are landed, and validators for the next look. ``missing``
    holds addresses that have nothing (404) yet, ``problems`` the errors of addresses that could
    not be read: others are still asked.
    """

    addresses: tuple[Address, ...]
    dates: tuple[date, ...]
    folder: Path
    manners: Manners = Manners()
    client: httpx.Client | None = None
    wait: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    missing: list[str] = field(default_factory=list)
    problems: list[ExlakeError] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)

    def offers(self, interval: date | None = None) -> Iterator[Offer]:
        """Ask each address in order; what is new is offered, what is unchanged is not."""
        shutil.rmtree(self.folder / BODIES, ignore_errors=True)
        (self.folder / BODIES).mkdir(parents=True, mode=0o700)
        known = _state(self.folder)
        with self.client or httpx.Client(follow_redirects=False) as client:
            for day, address in self._wanted(interval):
                url = address.url_of(day)
                try:
                    answer = self._ask(client, url, address, day.isoformat(), known.get(url, {}))
                except ExlakeError as error:
                    self.problems.append(error)
                    continue
                if answer is not None:
                    self.answers[url] = answer
                    name = f"http/{address.file_of(day)}"
                    yield Offer(url, answer.sha256, name, answer.size, evidence=answer.evidence)

    def fetch(self, offer: Offer, target: Path) -> str:
        """Copy the kept body, flushed to disk; return its SHA-256."""
        with self.answers[offer.key].body.open("rb") as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        return self.checksum(offer)

    def checksum(self, offer: Offer) -> str:
        """SHA-256 of the body as it came."""
        return self.answers[offer.key].sha256

    def remember(self, took: Callable[[str], bool]) -> None:
        """Keep the validators of answers that were landed (``took`` says so by address).

        What was refused is asked for in full again: a format may have been added since.
        """
        known = _state(self.folder)
        for url, answer in self.answers.items():
            if not took(url):
                known.pop(url, None)
                continue
            headers = json.loads(answer.evidence)["headers"]
            kept = {k: headers[k] for k in ("etag", "last-modified") if k in headers}
            if kept:
                known[url] = kept
        draft = self.folder / f".{STATE}"
        draft.write_text(json.dumps(known, indent=0, sort_keys=True), encoding="utf-8")
        draft.replace(self.folder / STATE)
        shutil.rmtree(self.folder / BODIES, ignore_errors=True)

    def _wanted(self, interval: date | None) -> Iterable[tuple[date, Address]]:
        days = self.dates if interval is None else (interval,)
        return ((day, a) for day in days for a in self.addresses if a.holds(day))

    def _ask(
        self,
        client: httpx.Client,
        url: str,
        address: Address,
        interval: str,
        known: Mapping[str, str],
    ) -> Answer | None:
        """One answer, after as many tries as manners allow; None when it is unchanged or absent."""
        reason = "no answer"
        for attempt in range(1, self.manners.attempts + 1):
            pause = min(2.0**attempt, self.manners.longest_wait)
            try:
                found = self._once(client, url, address, interval, known)
            except ssl.SSLCertVerificationError as error:
                raise SourceUntrustedError(url, interval, error.verify_message) from None
            except httpx.ConnectError as error:
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    raise SourceUntrustedError(url, interval, str(error)[:150]) from None
                reason = f"no connection ({error})"
            except (httpx.TransportError, httpx.DecodingError, _TooSlowError) as error:
                reason = f"{type(error).__name__}: {error}"[:150]
            else:
                if not isinstance(found, _Busy):
                    return found
                reason = f"it answered {found.status}"
                pause = min(max(pause, found.retry_after), self.manners.longest_wait)
            if attempt < self.manners.attempts:
                self.wait(pause)
        raise SourceUnavailableError(url, interval, reason, self.manners.attempts)

    def _once(
        self,
        client: httpx.Client,
        url: str,
        address: Address,
        interval: str,
        known: Mapping[str, str],
    ) -> Answer | _Busy | None:
        here = url
        for _ in range(MOST_REDIRECTS + 1):
            self._be_polite(urlsplit(here).netloc)
            with client.stream(
                "GET", here, headers=_headers(known), timeout=self.manners.timeout
            ) as response:
                status = response.status_code
                if status in REDIRECTS:
                    here = _followed(here, response.headers.get("location", ""), address, interval)
                    continue
                if status == 304:
                    return None
                if status in NOT_THERE:
                    self.missing.append(url)
                    return None
                if status in BUSY:
                    return _Busy(status, _retry_after(response, self.now()))
                if status != 200:
                    raise SourceRefusedError(url, interval, status)
                return self._keep(response, url, here, interval)
        raise SourceRedirectError(url, interval, "itself, again and again")

    def _keep(self, response: httpx.Response, url: str, here: str, interval: str) -> Answer:
        body = self.folder / BODIES / hashlib.sha256(url.encode()).hexdigest()[:24]
        digest, size, began = hashlib.sha256(), 0, self.clock()
        with body.open("wb") as file:
            for chunk in response.iter_bytes(1 << 16):
                size += len(chunk)
                if size > self.manners.limit:
                    raise SourceTooLargeError(url, interval, self.manners.limit)
                if self.clock() - began > self.manners.total:
                    raise _TooSlowError(f"more than {self.manners.total:.0f} s for one body")
                digest.update(chunk)
                file.write(chunk)
        headers = {k: response.headers[k] for k in KEPT_HEADERS if k in response.headers}
        said = {
            "url": url, "answered_by": here, "status": response.status_code, "headers": headers,
            "fetched_at": self.now().isoformat(), "bytes": size, "sha256": digest.hexdigest(),
        }  # fmt: skip
        evidence = json.dumps(said, indent=1, ensure_ascii=False).encode()
        return Answer(body, size, digest.hexdigest(), evidence)

    def _be_polite(self, host: str) -> None:
        since = self.clock() - self.asked.get(host, float("-inf"))
        if since < self.manners.pause:
            self.wait(self.manners.pause - since)
        self.asked[host] = self.clock()


@dataclass(frozen=True)
class _Busy:
    status: int
    retry_after: float


class _TooSlowError(Exception):
    """A body takes longer than one may: tried again."""


def _headers(known: Mapping[str, str]) -> dict[str, str]:
    headers = {"User-Agent": "exlake", "Accept-Encoding": "identity"}
    if "etag" in known:
        headers["If-None-Match"] = known["etag"]
    if "last-modified" in known:
        headers["If-Modified-Since"] = known["last-modified"]
    return headers


def _followed(here: str, location: str, address: Address, interval: str) -> str:
    """Where a redirect leads; raises SourceRedirectError unless that is allowed."""
    target = urljoin(here, location)
    was, is_now = urlsplit(here), urlsplit(target)
    downgraded = was.scheme == "https" and is_now.scheme != "https"
    odd = is_now.scheme not in ("https", "http") or is_now.username is not None
    if not location or downgraded or odd or is_now.hostname not in address.hosts:
        raise SourceRedirectError(here, interval, target or "nowhere")
    return target


def _retry_after(response: httpx.Response, now: datetime) -> float:
    """Seconds that the server asks us to wait: a number or a date (RFC 9110, 10.2.3), else 0."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text[:6])
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _state(folder: Path) -> dict[str, dict[str, str]]:
    """Validators by address. A damaged file is as good as none: everything is asked in full."""
    try:
        body = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return {str(url): {str(k): str(v) for k, v in kept.items()} for url, kept in body.items()}
    except (OSError, ValueError, AttributeError):
        return {}
