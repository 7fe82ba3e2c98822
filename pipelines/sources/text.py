"""A delivered file as clean UTF-8 text: unpacked within limits, decoded, without byte-order mark.

``inspect_text`` reads the file once and finds out; ``text_chunks`` reads it again as found. Both
stream: memory does not grow with the file.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.sources.base import Limits
from pipelines.sources.errors import (
    EncodingMismatchError,
    MalformedFileError,
    TruncatedFileError,
)

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
BOM = codecs.BOM_UTF8
_EAST_ASIAN = re.compile("[\u2e80-\uffff]")
MAGIC = 8
_MAGIC = {
    b"PK\x03\x04": "a zip archive (or an Excel file)",
    b"PAR1": "Parquet",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"%PDF": "PDF",
    GZIP: "gzip, packed once more",
    b"7z\xbc\xaf'\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel file",
}
"""Kinds of files by their first bytes (``MAGIC`` at most)."""
_UTF8_NAMES = frozenset({"utf-8", "utf8", "utf-8-sig"})


@dataclass(frozen=True)
class TextFile:
    """What ``inspect_text`` found; ``unpacked`` is the number of bytes after unpacking.

    ``quoted``: a quotation mark stands somewhere; ``ended``: the last line has its line end.
    """

    path: Path
    name: str
    encoding: str
    gzipped: bool
    unpacked: int
    limits: Limits
    quoted: bool = True
    ended: bool = True


def unpacked_chunks(path: Path, name: str, limits: Limits) -> Iterator[bytes]:
    """The file's bytes, unpacked when it is gzip (told by its first bytes, not its name).

    Raises TruncatedFileError for a damaged or shortened gzip file, UnpackedSizeError when it
    grows beyond the limits (before the surplus is kept anywhere).
    """
    with path.open("rb") as raw:
        gzipped = raw.read(2) == GZIP
        raw.seek(0)
        if not gzipped:
            if name.endswith(".gz"):
                what = _packed(raw.read(MAGIC))
                raise TruncatedFileError(name, f"named .gz but {what or 'not gzip'}")
            while chunk := raw.read(CHUNK):
                yield chunk
            return
        packed = path.stat().st_size
        total = 0
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                while chunk := stream.read(CHUNK):
                    total += len(chunk)
                    limits.check(name, packed, total)
                    yield chunk
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise TruncatedFileError(name, str(error)) from None


def inspect_text(path: Path, name: str, encodings: Sequence[str], limits: Limits) -> TextFile:
    """Read the whole file once: is it whole, within limits, and in which encoding.

    The first encoding that reads every byte wins. A file that breaks after correct East Asian
    UTF-8 text is damaged UTF-8, not GB18030, although nearly any bytes would decode as that.
    Raises EncodingMismatchError with the offset, and the errors of ``unpacked_chunks``.
    """
    last: EncodingMismatchError | None = None
    for encoding in encodings:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        offset, first, east_asian, quoted, last_byte = 0, True, False, False, b""
        try:
            for chunk in unpacked_chunks(path, name, limits):
                if first:
                    _refuse_binary(name, chunk, encodings)
                    first = False
                if (nul := chunk.find(b"\0")) >= 0:
                    reason = f"it holds a NUL byte at byte {offset + nul:,}, unpacked"
                    raise MalformedFileError(name, "text", reason)
                quoted, last_byte = quoted or b'"' in chunk, chunk[-1:]
                text = decoder.decode(chunk)
                if not east_asian and not text.isascii():
                    east_asian = _EAST_ASIAN.search(text) is not None
                offset += len(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            place = max(0, offset + error.start)
            last = EncodingMismatchError(name, encodings, place, error.reason)
            east_asian = east_asian or _begins_east_asian(error)
            if encoding.lower() in _UTF8_NAMES and east_asian:
                raise EncodingMismatchError(name, (encoding,), place, "damaged character") from None
            continue
        gzipped = _is_gzip(path)
        ended = last_byte in (b"", b"\n", b"\r")
        return TextFile(path, name, encoding.lower(), gzipped, offset, limits, quoted, ended)
    assert last is not None, "a format names at least one encoding"
    raise last


def text_chunks(file: TextFile) -> Iterator[bytes]:
    """The file as UTF-8 bytes without byte-order mark, chunk by chunk."""
    utf8 = file.encoding in _UTF8_NAMES
    decoder = None if utf8 else codecs.getincrementaldecoder(file.encoding)("strict")
    first = True
    for chunk in unpacked_chunks(file.path, file.name, file.limits):
        data = chunk if decoder is None else decoder.decode(chunk).encode("utf-8")
        if first and data:
            data = data.removeprefix(BOM)
            first = False
        if data:
            yield data


class ChunkStream(io.RawIOBase):
    """Chunks as a readable file object, for readers that want one."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always: this is a stream of bytes to read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill ``buffer`` with what comes next; 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as raw:
        return raw.read(2) == GZIP


def _begins_east_asian(error: UnicodeDecodeError) -> bool:
    """True when the text before the damage, in the same chunk, is East Asian UTF-8."""
    try:
        before = error.object[: error.start].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return _EAST_ASIAN.search(before) is not None


def _refuse_binary(name: str, start: bytes, encodings: Sequence[str]) -> None:
    what = _packed(start)
    if what is not None:
        raise MalformedFileError(name, "text", f"its first bytes are those of {what}")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise EncodingMismatchError(name, encodings, 0, "UTF-16 byte-order mark")


def _packed(start: bytes) -> str | None:
    """What a file that begins so is, where it is a known kind and no text."""
    return next((what for magic, what in _MAGIC.items() if start.startswith(magic)), None)
