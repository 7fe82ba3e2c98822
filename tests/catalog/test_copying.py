"""The copy of a published file is whole, however the file system makes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog import copying
from catalog.copying import copy_file


@pytest.mark.parametrize("way", ["as it can", "in the kernel", "in Python", "broken half way"])
def test_every_way_of_copying_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Shared blocks, copy_file_range, plain Python, and a kernel copy that gives up: same file."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(os.urandom(300_000))
    target.write_bytes(b"x" * 400_000)
    if way != "as it can":
        monkeypatch.setattr(copying, "_cloned", lambda old, new: False)
    if way == "in Python":
        monkeypatch.setattr(copying, "_in_kernel", lambda old, new: False)
    if way == "broken half way":
        whole = os.copy_file_range
        calls = iter([True])

        def once(old: int, new: int, left: int) -> int:
            if next(calls, False):
                return whole(old, new, 1000)
            raise OSError("not on this file system")

        monkeypatch.setattr(os, "copy_file_range", once)
    copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()
