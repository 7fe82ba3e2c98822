"""Mask keys: made once, kept secret, rotated on purpose."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import duckdb
import pytest

from catalog.errors import MaskKeyError
from catalog.keys import load_or_create_key, rotate_key
from catalog.masking import mask, mask_pads, mask_sql


def test_the_sql_is_hmac_sha256(tmp_path: Path) -> None:
    """What DuckDB computes is RFC 2104's HMAC, for any text, Chinese and quotes included."""
    key = load_or_create_key(tmp_path, "analyst")
    for value in ("00010001", "张三", "x' OR '1", "", "a" * 200):
        row = (
            duckdb.connect()
            .execute(
                f"SELECT {mask_sql('v')} FROM (SELECT ?::VARCHAR AS v)", [*mask_pads(key), value]
            )
            .fetchone()
        )
        assert row == (mask(key, value),)


def test_a_key_is_made_once_and_never_shown(tmp_path: Path) -> None:
    """Two loads give one key; another audience has another; its text hides the secret."""
    key = load_or_create_key(tmp_path / "secrets", "analyst")
    assert load_or_create_key(tmp_path / "secrets", "analyst") == key
    assert load_or_create_key(tmp_path / "secrets", "surveillance").secret != key.secret
    assert key.secret.hex() not in repr(key)
    assert str(key.secret) not in repr(key)
    assert [p.name for p in sorted((tmp_path / "secrets").iterdir())] == [
        "analyst.key",
        "surveillance.key",
    ]


def test_rotation_keeps_the_old_key_aside(tmp_path: Path) -> None:
    """A rotated key has the next version; the old one is kept 0600, retired."""
    old = load_or_create_key(tmp_path, "analyst")
    new = rotate_key(tmp_path, "analyst")
    assert (new.version, load_or_create_key(tmp_path, "analyst")) == (2, new)
    retired = tmp_path / "analyst.v1.retired"
    assert json.loads(retired.read_text())["key"] == old.secret.hex()
    assert stat.S_IMODE(retired.stat().st_mode) == 0o600


def test_a_key_that_cannot_be_trusted_stops_publishing(tmp_path: Path) -> None:
    """Damaged or readable by others: an error, never a silent new key that changes every id."""
    load_or_create_key(tmp_path, "analyst")
    path = tmp_path / "analyst.key"
    path.chmod(0o644)
    with pytest.raises(MaskKeyError, match="read by others"):
        load_or_create_key(tmp_path, "analyst")
    path.chmod(0o600)
    path.write_text('{"audience": "analyst"')
    with pytest.raises(MaskKeyError, match="cannot be read"):
        load_or_create_key(tmp_path, "analyst")
