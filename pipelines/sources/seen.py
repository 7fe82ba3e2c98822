"""A cache of files already dealt with, so that a second look costs one ``stat`` per file.

It is only a cache: the delivery ledger is the authority. Deleting it costs checksums, nothing else.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.sources.base import Offer

FILE = "seen.json"


@dataclass
class Seen:
    """What was decided about each offer, by its key and stamp.

    ``formats``: a refusal holds only while the formats are the same. ``versions``: the newest
    version of each bronze table whose commits are known to be in the ledger.
    """

    path: Path
    formats: str
    entries: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def load(cls, folder: Path, formats: str, *, trusted: bool) -> Seen:
        """Read the cache; empty when absent, damaged or not ``trusted`` (the ledger is gone)."""
        seen = cls(folder / FILE, formats)
        if not trusted:
            return seen
        try:
            body = json.loads(seen.path.read_text(encoding="utf-8"))
            seen.entries = {k: (str(v[0]), v[1]) for k, v in body["entries"].items()}
            seen.versions = {str(k): int(v) for k, v in body["versions"].items()}
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return cls(folder / FILE, formats)
        return seen

    def knows(self, offer: Offer) -> bool:
        """True when the offer is unchanged and was landed, or refused under these formats."""
        stamp, refused_under = self.entries.get(offer.key, ("", None))
        return stamp == offer.stamp and refused_under in (None, self.formats)

    def took(self, key: str) -> bool:
        """True when what ``key`` offered last is in the ledger as landed."""
        return key in self.entries and self.entries[key][1] is None

    def landed(self, offer: Offer) -> None:
        """Remember that the offer is in the ledger."""
        self._put(offer, None)

    def refused(self, offer: Offer) -> None:
        """Remember that the offer was refused under the present formats."""
        self._put(offer, self.formats)

    def table_at(self, product: str, version: int) -> None:
        """Remember that every commit up to ``version`` is in the ledger."""
        if self.versions.get(product) != version:
            self.versions[product] = version
            self.changed = True

    def save(self) -> None:
        """Write the cache when it changed (a new file renamed over the old one)."""
        if not self.changed:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.path.with_name(f".{FILE}.{os.getpid()}")
        body = {"entries": self.entries, "versions": self.versions}
        temporary.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
        temporary.replace(self.path)
        self.changed = False

    def _put(self, offer: Offer, refused_under: str | None) -> None:
        self.entries[offer.key] = (offer.stamp, refused_under)
        self.changed = True
