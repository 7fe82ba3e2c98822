"""What every kind of source offers: a list of deliveries, and the bytes of each.

A source is anything that can say what it has and write one delivery's bytes to a file: a drop
folder copies, a database would write one Parquet file per query. Everything after that (checks,
landing, bronze, ledger) is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from pipelines.engine.settings import Settings
from pipelines.sources.errors import DeliveryError, UnpackedSizeError


@dataclass(frozen=True)
class Offer:
    """One delivery a source has.

    ``key`` names it for good (a path, a query); ``stamp`` changes when its content may have
    changed; ``name`` is what formats match and messages show (a path below the drop folder,
    with ``/``); ``manifest`` is the sidecar's bytes, if there is one; ``evidence`` is what the
    source itself said of it (JSON), kept beside the landed copy; ``problem`` says why it must not
    be fetched at all.
    """

    key: str
    stamp: str
    name: str
    size: int
    manifest: bytes | None = None
    evidence: bytes | None = None
    problem: DeliveryError | None = None

    @property
    def file(self) -> str:
        """The plain file name."""
        return self.name.rsplit("/", 1)[-1]


class Source(Protocol):
    """A kind of source: lists deliveries and fetches one, byte for byte."""

    def offers(self, interval: date | None = None) -> Iterator[Offer]:
        """Everything there is, in a stable order; ``interval`` may narrow the search."""

    def fetch(self, offer: Offer, target: Path) -> str:
        """Write the delivery's bytes to ``target`` (flushed to disk); return their SHA-256."""

    def checksum(self, offer: Offer) -> str:
        """SHA-256 of the delivery's bytes, without writing them."""


@dataclass(frozen=True)
class Limits:
    """How far a compressed file may unpack: bytes in all, and times its own size."""

    bytes: int
    ratio: int
    ratio_from: int = 16_000_000
    """The ratio is judged only above this many unpacked bytes: small texts compress well."""
    document: int = 32_000_000
    """Bytes of one JSON document, which has to fit in memory."""
    values: int = 500_000
    """Values in one JSON document: each costs some hundred bytes of memory, however short."""

    def check(self, file: str, packed: int, unpacked: int) -> None:
        """Raise UnpackedSizeError when ``packed`` bytes have grown to too many."""
        if unpacked > self.bytes:
            raise UnpackedSizeError(file, "bytes", self.bytes)
        if unpacked > self.ratio_from and unpacked > packed * self.ratio:
            raise UnpackedSizeError(file, "times its size", self.ratio)

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that a lake's settings give."""
        return cls(settings.unpacked_limit_bytes, settings.unpacked_ratio_limit)
