"""The drop folder: files that other systems leave below a root, with or without a manifest."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipelines.sources.base import Offer
from pipelines.sources.errors import ChangedWhileReadError, ManifestError, UnsafePathError

SIDECAR = ".manifest.json"
MANIFEST_LIMIT = 64_000
CHUNK = 1 << 20
_UNFINISHED = (".part", ".tmp", ".partial", ".crdownload")
_DATE = re.compile(r"\d{8}")


@dataclass(frozen=True)
class FileDrop:
    """Files below ``root``. Hidden files and names ending in .part or .tmp are still arriving."""

    root: Path

    def offers(self, interval: date | None = None) -> Iterator[Offer]:
        """Every file below the root in name order.

        Folders whose name is another date (YYYYMMDD) than ``interval`` are not entered. Links
        are offered with a problem and never followed. A manifest whose file is absent is offered
        as a problem of its own, so that a lost file is seen.
        """
        root = self.root
        if root.is_file():
            yield self._offer(root, root.name)
            return
        for folder, subfolders, files in os.walk(root, followlinks=False):
            here = Path(folder)
            # A link to a folder is not entered, but what it stands for is reported.
            files += [s for s in subfolders if (here / s).is_symlink()]
            subfolders[:] = sorted(s for s in subfolders if _enter(s, interval))
            names = set(files)
            for name in sorted(names):
                if name.startswith(".") or name.endswith(_UNFINISHED):
                    continue
                if name.endswith(SIDECAR) and name.removesuffix(SIDECAR) in names:
                    continue
                relative = (here / name).relative_to(root).as_posix()
                yield self._offer(here / name, f"{root.name}/{relative}")

    def fetch(self, offer: Offer, target: Path) -> str:
        """Copy the file byte for byte and flush it to disk; return the copy's SHA-256."""
        digest = hashlib.sha256()
        with _open(Path(offer.key), offer) as source, target.open("xb") as copy:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        return digest.hexdigest()

    def checksum(self, offer: Offer) -> str:
        """SHA-256 of the file as it is."""
        with _open(Path(offer.key), offer) as source:
            return hashlib.file_digest(source, "sha256").hexdigest()

    def _offer(self, path: Path, name: str) -> Offer:
        if name.endswith(SIDECAR):
            lost = ManifestError(name, f"its file {path.name.removesuffix(SIDECAR)!r} is not there")
            return Offer(str(path), _stamp(path), name, path.stat().st_size, problem=lost)
        sidecar = path.with_name(path.name + SIDECAR)
        manifest: bytes | None = None
        stamp = _stamp(path)
        problem = self._unsafe(path, name)
        if problem is None and sidecar.exists():
            problem = self._unsafe(sidecar, name + SIDECAR)
            stamp += "+" + _stamp(sidecar)
            if problem is None:
                with sidecar.open("rb") as file:
                    manifest = file.read(MANIFEST_LIMIT + 1)
        size = path.lstat().st_size
        return Offer(str(path), stamp, name, size, manifest=manifest, problem=problem)

    def _unsafe(self, path: Path, name: str) -> UnsafePathError | None:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return UnsafePathError(name, "it is a link")
        if not stat.S_ISREG(mode):
            return UnsafePathError(name, "it is not a plain file")
        if not path.resolve().is_relative_to(self.root.resolve()):
            return UnsafePathError(name, "it lies outside the drop folder")
        return None


def _open(path: Path, offer: Offer):  # type: ignore[no-untyped-def]  # io.BufferedReader
    # O_NOFOLLOW: a link put in place after the check is refused as well.
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    except FileNotFoundError:
        raise ChangedWhileReadError(offer.name) from None
    except OSError as error:
        raise UnsafePathError(offer.name, f"it cannot be opened ({error.strerror})") from None


def _stamp(path: Path) -> str:
    status = path.lstat()
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _enter(name: str, interval: date | None) -> bool:
    if name.startswith("."):
        return False
    return interval is None or not _DATE.fullmatch(name) or name == f"{interval:%Y%m%d}"
