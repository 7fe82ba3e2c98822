"""A file that cannot be read now is transient: the others land, and it does the next time."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import TransientError
from pipelines.engine.ledgers import DELIVERY
from pipelines.sources.file_drop import FileDrop
from tests.pipelines.engine.small_lake import CLIENTS, D1, SmallLake, orders

FETCH = FileDrop.fetch


def _says_busy(offer: Any, target: Path) -> str:
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(offer.key))


def _changes(offer: Any, target: Path) -> str:
    target.write_bytes(b"half of it")
    return "another checksum"


@pytest.mark.parametrize(
    ("fault", "code"), [(_says_busy, "delivery-busy"), (_changes, "delivery-changing")]
)
def test_the_others_land_and_the_next_landing_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, code: str
) -> None:
    """Transient, so that Airflow retries; nothing of the file is recorded until it is whole."""
    lake = SmallLake.at(tmp_path / "lake")
    lake.drop("client", D1, CLIENTS[D1])
    lake.drop("order", D1, orders(D1))

    def fetch(self: FileDrop, offer: Any, target: Path) -> str:
        return fault(offer, target) if "order" in offer.name else FETCH(self, offer, target)

    monkeypatch.setattr(FileDrop, "fetch", fetch)
    with pytest.raises(TransientError) as caught:
        lake.land()
    assert caught.value.code == code
    assert [d.dataset for d in lake.lake.ledgers.read(DELIVERY)] == ["client"]
    monkeypatch.undo()
    assert [d.dataset for d in lake.land()] == ["order"]
    assert lake.land() == []


def test_a_full_disk_is_no_busy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no retry can read is not passed over."""
    lake = SmallLake.at(tmp_path / "lake")
    lake.drop("client", D1, CLIENTS[D1])

    def fetch(self: FileDrop, offer: Any, target: Path) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(FileDrop, "fetch", fetch)
    with pytest.raises(OSError, match="No space left"):
        lake.land()
