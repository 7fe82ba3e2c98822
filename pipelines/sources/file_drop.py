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
            yield self._offer(root, root.name, inside=True)
            return
        true_root = root.resolve()
        for folder, subfolders, files in os.walk(root, followlinks=False):
            here = Path(folder)
            # A link to a folder is not entered, but what it stands for is reported.
            files += [s for s in subfolders if (here / s).is_symlink()]
            subfolders[:] = sorted(s for s in subfolders if _enter(s, interval))
            names = set(files)
            # Once a folder: an inbox that nobody empties has thousands of files.
            inside = here.resolve().is_relative_to(true_root)
            for name in sorted(names):
                if name.startswith(".") or name.endswith(_UNFINISHED):
                    continue
                if name.endswith(SIDECAR) and name.removesuffix(SIDECAR) in names:
                    continue
                path = here / name
                relative = path.relative_to(root).as_posix()
                yield self._offer(path, f"{root.name}/{relative}", inside)

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

    def _offer(self, path: Path, name: str, inside: bool) -> Offer:
        """What stands at a path; ``inside``: its folder is below the root, links followed."""
        status = path.lstat()
        size, stamp = status.st_size, _stamp(status)
        if name.endswith(SIDECAR):
            lost = ManifestError(name, f"its file {path.name.removesuffix(SIDECAR)!r} is not there")
            return Offer(str(path), stamp, name, size, problem=lost)
        manifest: bytes | None = None
        problem = _unsafe(status, name, inside)
        sidecar = path.with_name(path.name + SIDECAR)
        if problem is None and sidecar.exists():
            beside = sidecar.lstat()
            problem = _unsafe(beside, name + SIDECAR, inside)
            stamp += "+" + _stamp(beside)
            if problem is None:
                with sidecar.open("rb") as file:
                    manifest = file.read(MANIFEST_LIMIT + 1)
        return Offer(str(path), stamp, name, size, manifest=manifest, problem=problem)


def _unsafe(status: os.stat_result, name: str, inside: bool) -> UnsafePathError | None:
    if stat.S_ISLNK(status.st_mode):
        return UnsafePathError(name, "it is a link")
    if not stat.S_ISREG(status.st_mode):
        return UnsafePathError(name, "it is not a plain file")
    if not inside:
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


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _enter(name: str, interval: date | None) -> bool:
    if name.startswith("."):
        return False
    return interval is None or not _DATE.fullmatch(name) or name == f"{interval:%Y%m%d}"
