"""Backup and restore: the same lake again, or a clear refusal; kills leave nothing half-made."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.engine.backup import backup, backups, restore, verify
from pipelines.engine.backup_errors import (
    BackupDamagedError,
    BackupPlaceError,
    BackupSpaceError,
    RestoreTargetError,
)
from pipelines.engine.faults import VARIABLE
from pipelines.engine.locks import LockHeldError, lock_path, locked
from pipelines.engine.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every kept file below a lake: its bytes and its mode."""
    kept = [p for p in folder.rglob("*") if p.is_file() and "locks" not in p.parts]
    return {
        p.relative_to(folder).as_posix(): (p.read_bytes(), p.stat().st_mode & 0o777) for p in kept
    }


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """A lake of one table, a landed file, a key, and a publication that is one file twice."""
    settings = load_settings(environ={}, home=tmp_path / "lake", lock_wait_seconds=0.1)
    write_deltalake(str(settings.table("silver.login")), pa.table({"x": list(range(1000))}))
    for place, text, mode in (
        (settings.landing / "login" / "20260105.csv", "a,b\n1,2\n", 0o600),
        (settings.secrets / "analyst.key", "k" * 32, 0o600),
        (settings.publish / "analyst.duckdb", "published" * 9999, 0o444),
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)
    earlier = settings.publish / "earlier" / "analyst" / "1.duckdb"
    earlier.parent.mkdir(parents=True)
    os.link(settings.publish / "analyst.duckdb", earlier)
    (settings.home / "outside").symlink_to("/etc/hostname")
    return settings


def test_what_is_restored_is_the_lake_that_was(lake: Settings, tmp_path: Path) -> None:
    """Every file, its bytes and its mode; links out of the lake are not followed."""
    made = backup(lake, tmp_path / "kept", NOW)
    before = contents(lake.home)
    before.pop("outside")
    DeltaTable(str(lake.table("silver.login"))).delete("x < 500")
    restore(made.path, tmp_path / "again")
    assert contents(tmp_path / "again") == before
    again = DeltaTable(str(tmp_path / "again" / "silver" / "login")).to_pyarrow_table()
    assert again.num_rows == 1000
    verify(made.path)


def test_the_next_backup_costs_what_is_new(lake: Settings, tmp_path: Path) -> None:
    """Unchanged files are links to the backup before; each backup is whole by itself."""
    first = backup(lake, tmp_path / "kept", NOW)
    write_deltalake(
        str(lake.table("silver.login")), pa.table({"x": list(range(1000, 1010))}), mode="append"
    )
    second = backup(lake, tmp_path / "kept", NOW + timedelta(hours=1))
    assert [b.id for b in backups(tmp_path / "kept")] == [first.id, second.id]
    assert second.copied_bytes is not None
    assert 0 < second.copied_bytes < (first.copied_bytes or 0) / 4
    shutil.rmtree(first.path)
    restore(second.path, tmp_path / "again")
    table = DeltaTable(str(tmp_path / "again" / "silver" / "login")).to_pyarrow_table()
    assert table.num_rows == 1010


@pytest.mark.parametrize(("damage", "named"), [("changed", "20260105.csv"), ("gone", "analyst")])
def test_a_damaged_backup_is_found_and_not_restored(
    lake: Settings, tmp_path: Path, damage: str, named: str
) -> None:
    """One changed or missing byte: the error names the file, and no lake appears."""
    made = backup(lake, tmp_path / "kept", NOW)
    if damage == "changed":
        (made.path / "landing" / "login" / "20260105.csv").write_text("a,b\n1,3\n")
    else:
        (made.path / "secrets" / "analyst.key").unlink()
    with pytest.raises(BackupDamagedError, match=named):
        verify(made.path)
    with pytest.raises(BackupDamagedError, match=named):
        restore(made.path, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_backup_that_names_paths_outside_is_refused(lake: Settings, tmp_path: Path) -> None:
    """A hostile manifest writes nothing outside the new lake."""
    made = backup(lake, tmp_path / "kept", NOW)
    body = json.loads((made.path / "backup.json").read_text())
    body["files"]["../escaped"] = next(iter(body["files"].values()))
    (made.path / "backup.json").write_text(json.dumps(body))
    with pytest.raises(BackupDamagedError, match="escaped"):
        restore(made.path, tmp_path / "again")


def test_nothing_is_restored_over_what_is_there(lake: Settings, tmp_path: Path) -> None:
    """Restoring can lose nothing; a backup inside the lake, or without a lake, is refused."""
    made = backup(lake, tmp_path / "kept", NOW)
    with pytest.raises(RestoreTargetError):
        restore(made.path, lake.home)
    for target in (lake.home, lake.home / "kept"):
        with pytest.raises(BackupPlaceError):
            backup(lake, target, NOW)
    with pytest.raises(BackupPlaceError):
        backup(load_settings(environ={}, home=tmp_path / "nowhere"), tmp_path / "kept", NOW)


def test_a_full_disk_is_told_before_anything_is_copied(
    lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is refused with both figures, and leaves no half backup that counts."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(BackupSpaceError, match="10 free"):
        backup(lake, tmp_path / "kept", NOW)
    assert backups(tmp_path / "kept") == []


def test_a_backup_waits_for_a_run(lake: Settings, tmp_path: Path) -> None:
    """Files of a run that is at work do not belong together yet."""
    with locked(lock_path(lake.locks, "run")), pytest.raises(LockHeldError):
        backup(lake, tmp_path / "kept", NOW)


@pytest.mark.parametrize("point", ["backup-copied", "restore-copied"])
def test_a_kill_leaves_no_half_backup_and_no_half_lake(
    lake: Settings, tmp_path: Path, point: str
) -> None:
    """SIGKILL just before it would appear: it is not there, and the next one is whole."""
    kept, again = tmp_path / "kept", tmp_path / "again"
    if point == "restore-copied":
        backup(lake, kept, NOW)
    code = (
        "from datetime import datetime, timezone; from pathlib import Path\n"
        "from pipelines.engine.backup import *\n"
        "from pipelines.engine.settings import load_settings\n"
        f"kept = Path({str(kept)!r})\n"
        f"lake = load_settings(environ={{}}, home=Path({str(lake.home)!r}))\n"
        "at = datetime(2026, 1, 5, 13, tzinfo=timezone.utc)\n"
        f"restore(backups(kept)[-1].path, Path({str(again)!r})) if {point!r} == 'restore-copied'"
        " else backup(lake, kept, at)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {VARIABLE: point}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not again.exists()
    assert len(backups(kept)) == (1 if point == "restore-copied" else 0)
    made = backup(lake, kept, NOW + timedelta(hours=2))
    restore(made.path, again)
    assert not list(kept.glob(".partial-*"))
    assert (again / "silver" / "login").is_dir()
