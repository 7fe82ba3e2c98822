"""Why a file was not landed.

Every class becomes one refused record in the delivery ledger: its ``code`` and its sentence. None
of them quotes a row's content, because a sentence may be read by people who may not read the row.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import ClassVar

from contracts.errors import TerminalError, TransientError


class DeliveryError(TerminalError):
    """A delivered file cannot be landed; ``file`` is its path below the drop folder."""

    code: ClassVar[str] = "delivery"

    def __init__(
        self,
        file: str,
        what: str,
        next_step: str,
        *,
        product: str | None = None,
        interval: str | None = None,
    ) -> None:
        self.file = file
        super().__init__(f"{file}: {what}", next_step=next_step, product=product, interval=interval)


class TruncatedFileError(DeliveryError):
    """Raised when a compressed file ends early or is damaged."""

    code = "delivery-truncated"

    def __init__(self, file: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            file,
            f"the compressed file is damaged ({reason}).",
            "ask the sender to deliver it again; compare its size and checksum.",
        )


class EncodingMismatchError(DeliveryError):
    """Raised when the text is in none of the encodings the format allows."""

    code = "delivery-encoding"

    def __init__(self, file: str, tried: Sequence[str], offset: int, detail: str) -> None:
        self.tried, self.offset = tuple(tried), offset
        super().__init__(
            file,
            f"the text is not {' or '.join(tried)}: {detail} at byte {offset}, unpacked.",
            "deliver the file in one of these encodings, or add the encoding to the format.",
        )


class SchemaDriftError(DeliveryError):
    """Raised when the header or the records differ from every known generation."""

    code = "delivery-schema"

    def __init__(self, file: str, product: str, nearest: str, differences: Sequence[str]) -> None:
        self.nearest, self.differences = nearest, tuple(differences)
        super().__init__(
            file,
            f"no known generation fits; the nearest is {nearest}: {'; '.join(differences)}.",
            "deliver the agreed columns, or add a format to the bronze contract.",
            product=product,
        )


class MalformedFileError(DeliveryError):
    """Raised when the file cannot be read as its format says (row, quote or JSON structure)."""

    code = "delivery-malformed"

    def __init__(self, file: str, format: str, reason: str) -> None:
        self.format, self.reason = format, reason
        super().__init__(
            file,
            f"cannot be read as {format}: {reason}.",
            "ask the sender for a correct file; nothing of this one was stored.",
        )


class ChecksumMismatchError(DeliveryError):
    """Raised when size or checksum are not what the manifest promises."""

    code = "delivery-checksum"

    def __init__(self, file: str, field: str, promised: object, found: object) -> None:
        self.field, self.promised, self.found = field, promised, found
        super().__init__(
            file,
            f"the manifest promises {field} {promised}, the file has {found}.",
            "deliver the file again together with its manifest.",
        )


class ManifestError(DeliveryError):
    """Raised when a manifest is unreadable or does not belong to its file."""

    code = "delivery-manifest"

    def __init__(self, file: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            file, f"the manifest is wrong: {reason}.", "deliver a corrected one beside the file."
        )


class SequenceConflictError(DeliveryError):
    """Raised when a sequence number was already used for other content."""

    code = "delivery-sequence"

    def __init__(self, file: str, sequence: int, earlier: str) -> None:
        self.sequence, self.earlier = sequence, earlier
        super().__init__(
            file,
            f"sequence {sequence} was already delivered with other content ({earlier}).",
            "deliver changed content under the next sequence number.",
        )


class EmptyDeliveryError(DeliveryError):
    """Raised when a file without data arrives where data must be."""

    code = "delivery-empty"

    def __init__(self, file: str, product: str, interval: str) -> None:
        super().__init__(
            file,
            "the file holds no rows, and its format refuses that on a trade date.",
            "ask the sender for the data; if there is truly none, allow it in the format.",
            product=product,
            interval=interval,
        )


class UnpackedSizeError(DeliveryError):
    """Raised when a compressed file unpacks to more than allowed (a zip bomb)."""

    code = "delivery-bomb"

    def __init__(self, file: str, what: str, limit: int) -> None:
        self.limit = limit
        super().__init__(
            file,
            f"unpacks to more than {limit:,} {what}; unpacking was stopped.",
            "check the sender; raise unpacked_limit_bytes or unpacked_ratio_limit if it is right.",
        )


class UnsafePathError(DeliveryError):
    """Raised when a path leaves the drop folder or is a link."""

    code = "delivery-path"

    def __init__(self, file: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            file, f"{reason}; it was not opened.", "deliver a plain file inside the drop folder."
        )


class DateMismatchError(DeliveryError):
    """Raised when name, manifest and body of a file disagree about its date."""

    code = "delivery-date"

    def __init__(self, file: str, expected: str, where: str, found: str) -> None:
        self.expected, self.where, self.found = expected, where, found
        super().__init__(
            file,
            f"its {where} says {found}, expected {expected}.",
            "ask the sender which date it is; say it in the file's name, or as the interval of a"
            " manifest beside the file.",
        )


class UnknownFileError(DeliveryError):
    """Raised when a file with a manifest fits no format of its dataset."""

    code = "delivery-unknown"

    def __init__(self, file: str, dataset: str, known: Sequence[str]) -> None:
        self.dataset, self.known = dataset, tuple(known)
        super().__init__(
            file,
            f"no format of {dataset} knows this file name; known: {', '.join(known) or 'none'}.",
            "correct the dataset in the manifest, or add a format to the bronze contract.",
        )


BUSY = frozenset({errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.ETXTBSY})
"""What the system says of a file that somebody else is at work with; a full disk is no such."""


class FileBusyError(TransientError):
    """Raised when the system does not give a delivered file now: somebody is at work with it."""

    code: ClassVar[str] = "delivery-busy"

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        super().__init__(
            f"{file} could not be read now ({reason}).",
            next_step="land again; nothing of it was recorded.",
        )


class ChangedWhileReadError(TransientError):
    """Raised when a file changed between its checksum and its copy: it is still being written."""

    code: ClassVar[str] = "delivery-changing"

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(
            f"{file} changed while it was copied.",
            next_step="land again when the sender has finished; nothing was recorded.",
        )
