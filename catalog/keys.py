"""The secret keys of the masks: one per audience, in a 0600 file.

A key is made on its first use and stays: masked ids are the same in every
publication, so that analysts can follow a client over time. Rotation makes a
new one and keeps the old beside it, retired, for whoever must link old extracts.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from catalog.errors import MaskKeyError

KEY_BYTES = 32


@dataclass(frozen=True)
class MaskKey:
    """One audience's HMAC key; ``version`` counts rotations from 1. Never printed."""

    audience: str
    version: int
    secret: bytes = field(repr=False)


def load_or_create_key(folder: Path, audience: str) -> MaskKey:
    """The audience's key, made on first use in ``folder`` (0700) with mode 0600.

    Raises MaskKeyError when the file is damaged or readable by others: using it, or
    silently making another, would be worse than stopping.
    """
    path = key_path(folder, audience)
    if not path.exists():
        try:
            return _write_new(path, audience, 1)
        except FileExistsError:  # another process was first: its key is the key
            pass
    return _read(path, audience)


def rotate_key(folder: Path, audience: str) -> MaskKey:
    """Replace the audience's key; the old one stays as ``<audience>.v<N>.retired`` (0600).

    Every masked id of the audience changes with the next publication.
    """
    path = key_path(folder, audience)
    old = load_or_create_key(folder, audience)
    retired = path.with_name(f"{audience}.v{old.version}.retired")
    if not retired.exists():
        os.link(path, retired)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    key = _write_new(fresh, audience, old.version + 1)
    fresh.replace(path)
    _fsync_folder(path.parent)
    return key


def key_path(folder: Path, audience: str) -> Path:
    """Where the audience's key is kept."""
    return folder / f"{audience}.key"


def _write_new(path: Path, audience: str, version: int) -> MaskKey:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = MaskKey(audience, version, secrets.token_bytes(KEY_BYTES))
    body = {"audience": audience, "version": version, "key": key.secret.hex()}
    # Written whole under another name, then linked: a killed process leaves no half key.
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, json.dumps(body).encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    finally:
        draft.unlink()
    _fsync_folder(path.parent)
    return key


def _read(path: Path, audience: str) -> MaskKey:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise MaskKeyError(path, f"can be read by others (mode {mode:04o})")
        body = json.loads(path.read_text(encoding="ascii"))
        key = MaskKey(str(body["audience"]), int(body["version"]), bytes.fromhex(body["key"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MaskKeyError(path, f"cannot be read ({type(error).__name__})") from None
    if key.audience != audience or len(key.secret) != KEY_BYTES:
        raise MaskKeyError(path, "is not this audience's key")
    return key


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":  # python -m catalog.keys AUDIENCE
    import sys

    from catalog.audience import pick
    from contracts.load import load_catalogue
    from pipelines.engine.settings import load_settings

    settings = load_settings()
    audience = pick(load_catalogue(settings.contracts_dir).audiences, sys.argv[1]).name
    fresh = rotate_key(settings.secrets, audience)
    print(f"{audience}: key {fresh.version}; every masked id changes with the next publication")
