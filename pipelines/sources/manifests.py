"""A manifest and the file it came with: do they belong together."""

from __future__ import annotations

from datetime import date

from pydantic import ValidationError

from contracts.model import Contract, Format
from pipelines.engine.delivery import Manifest
from pipelines.sources.base import Offer
from pipelines.sources.errors import (
    ChecksumMismatchError,
    DateMismatchError,
    ManifestError,
)
from pipelines.sources.file_drop import MANIFEST_LIMIT

ENCODINGS = ("utf-8", "utf-8-sig", "ascii", "gb18030", "gbk", "gb2312")
"""What a manifest may say: Python knows many more, some of which are no text at all."""
MOST_DELIVERIES = 100_000
"""Of one dataset and interval."""
EARLIEST_YEAR, LATEST_YEAR = 1990, 2200


def read_manifest(offer: Offer) -> Manifest | None:
    """The offer's manifest, None without one; raises ManifestError when it cannot be read."""
    if offer.manifest is None:
        return None
    if len(offer.manifest) > MANIFEST_LIMIT:
        raise ManifestError(offer.name, f"larger than {MANIFEST_LIMIT:,} bytes")
    try:
        manifest = Manifest.model_validate_json(offer.manifest)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the text"
        raise ManifestError(offer.name, f"{field}: {first['msg']}") from None
    if manifest.file != offer.file:
        raise ManifestError(offer.name, f"it names the file {manifest.file!r}")
    if manifest.encoding.lower() not in ENCODINGS:
        raise ManifestError(offer.name, f"encoding is not one of {', '.join(ENCODINGS)}")
    numbers = (manifest.sequence, manifest.part or 0, manifest.parts or 0)
    if max(numbers) > MOST_DELIVERIES or max(manifest.rows, manifest.bytes) > 2**62:
        raise ManifestError(offer.name, "a number is far too large")
    if not EARLIEST_YEAR <= manifest.generated_at.year < LATEST_YEAR:
        raise ManifestError(offer.name, "generated_at is no time of this exchange")
    return manifest


def check_origin(offer: Offer, manifest: Manifest, contract: Contract, form: Format) -> None:
    """Raise ManifestError when the system is not the dataset's own."""
    system = form.system or contract.source
    if system is not None and manifest.system != system:
        raise ManifestError(
            offer.name, f"{contract.name} comes from system {system}, not {manifest.system}"
        )


def check_date(offer: Offer, manifest: Manifest, day: date | None) -> None:
    """Raise DateMismatchError when name and manifest say different dates."""
    if day is not None and manifest.interval != day.isoformat():
        raise DateMismatchError(offer.name, day.isoformat(), "manifest", manifest.interval)


def check_content(offer: Offer, manifest: Manifest, sha256: str) -> None:
    """Raise ChecksumMismatchError when size or checksum differ from the manifest."""
    if manifest.bytes != offer.size:
        raise ChecksumMismatchError(offer.name, "bytes", manifest.bytes, offer.size)
    if manifest.sha256 != sha256:
        raise ChecksumMismatchError(offer.name, "sha256", manifest.sha256, sha256)
