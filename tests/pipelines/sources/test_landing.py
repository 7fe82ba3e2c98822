"""Landing: everything once, nothing half, the rest goes on."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.load import load_catalogue
from pipelines.engine.delivery import effective
from pipelines.engine.ledgers import Ledgers
from pipelines.sources import landing
from pipelines.sources.landing import DropFolderError, UnknownSourceError, land
from pipelines.sources.seen import Seen
from tests.pipelines.sources.drops import INTERVAL, Drop, logins


def test_a_file_lands_byte_for_byte(tmp_path: Path) -> None:
    """The landed copy is the delivered bytes; bronze holds text, lineage and receipt time."""
    drop = Drop.at(tmp_path)
    data = gzip.compress(logins(1, 2))
    drop.put("login_20260105.csv.gz", data, manifest=True)
    delivery = drop.only()
    assert delivery.status == "landed"
    assert delivery.path is not None
    assert (drop.settings.home / delivery.path).read_bytes() == data
    rows = drop.bronze("login")
    assert [(r["login_id"], r["_row_number"]) for r in rows] == [("L1", 1), ("L2", 2)]
    assert {r["_delivery_id"] for r in rows} == {delivery.delivery_id}
    assert {r["_interval"] for r in rows} == {INTERVAL}
    assert drop.ledger()[0].rows == 2


def test_a_generation_with_one_more_column_lands_beside_the_old(tmp_path: Path) -> None:
    """Rows of before the column was delivered stay, and say nothing in it."""
    now = load_catalogue()
    login = now["bronze.login"]
    kept = tuple(c for c in login.columns if c.name != "terminal_kind")
    told = {**now.contracts, "bronze.login": login.model_copy(update={"columns": kept})}
    before = replace(now, contracts=told)
    drop = Drop.at(tmp_path)
    short = b"\n".join(line.rsplit(b",", 1)[0] for line in logins(1).splitlines()) + b"\n"
    drop.put("login_20260105.csv", short)
    assert [d.status for d in land(drop.settings, before)] == ["landed"]
    drop.put("login_20260106.csv", logins(2))
    assert [d.status for d in drop.land()] == ["landed"]
    rows = drop.bronze("login")
    assert {r["login_id"]: r["terminal_kind"] for r in rows} == {"L1": None, "L2": "HOME"}


def test_landing_again_does_nothing(tmp_path: Path) -> None:
    """The same delivery twice is a no-op: with the cache, without it, and under another path."""
    drop = Drop.at(tmp_path)
    path = drop.put("login_20260105.csv", logins(1, 2))
    drop.land()
    assert drop.land() == []
    (drop.settings.landing / "seen.json").unlink()
    assert drop.land() == []
    os.utime(path, (1, 1))
    assert drop.land() == []
    (path.parent / "again").mkdir()
    path.rename(path.parent / "again" / path.name)
    assert drop.land() == []
    assert len(drop.bronze("login")) == 2
    assert len(drop.ledger()) == 1


@pytest.mark.parametrize("point", ["append", "ledger", "cache"])
def test_a_kill_at_any_point_lands_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Killed after the copy, after the bronze commit or after the ledger: one copy of each row."""
    drop = Drop.at(tmp_path)
    drop.put("login_20260105.csv", logins(1, 2), manifest=True)
    drop.put("login_20260105.c2.csv", logins(3), sequence=2, dataset="login", mode="part")

    class Killed(BaseException):
        """Stands for SIGKILL: nothing after it runs."""

    def die(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        if point == "append":
            patch.setattr(landing, "append", die)
        elif point == "ledger":
            patch.setattr(Ledgers, "append", die)
        else:
            patch.setattr(Seen, "save", die)
        with pytest.raises(Killed):
            drop.land()
    assert not any((drop.settings.landing / ".incoming").glob("*"))
    again = drop.land()
    assert len(again) == (0 if point == "cache" else 2)
    assert [r["login_id"] for r in drop.bronze("login")] == ["L1", "L2", "L3"]
    assert sorted(d.sequence for d in drop.ledger()) == [1, 2]
    assert drop.land() == []


def test_a_lost_file_is_repaired_from_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that a killed run appended are recorded even when the delivered file has gone."""
    drop = Drop.at(tmp_path)
    path = drop.put("login_20260105.csv", logins(1))
    with monkeypatch.context() as patch:
        patch.setattr(Ledgers, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            drop.land()
    path.unlink()
    assert [d.file for d in drop.land()] == ["login_20260105.csv"]
    assert drop.ledger()[0].rows == 1


def test_corrections_and_parts_keep_their_sequence(tmp_path: Path) -> None:
    """Modes and sequence numbers come from the manifest and fold into what counts."""
    drop = Drop.at(tmp_path)
    drop.put("login_20260105.csv", logins(1, 2), manifest=True)
    drop.put("login_20260105.c2.csv", logins(2), sequence=2, mode="correction", dataset="login")
    drop.land()
    folded = effective(drop.ledger())
    assert [s.action for s in folded.steps] == ["rows", "overlay"]
    assert folded.completeness == "complete"


def test_a_withdrawal_without_rows_is_a_delivery(tmp_path: Path) -> None:
    """An empty withdrawal lands, although an empty login file is refused otherwise."""
    drop = Drop.at(tmp_path)
    drop.put("login_20260105.csv", logins(1), manifest=True)
    drop.put("login_20260105.c2.csv", logins(), sequence=2, mode="withdrawal", dataset="login")
    assert [(d.status, d.rows) for d in drop.land()] == [("landed", 0), ("landed", 1)]
    assert effective(drop.ledger()).steps == ()


def test_a_day_costs_what_its_month_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the ledger of deliveries, landing reads the months of the files that it lands."""
    drop = Drop.at(tmp_path)
    for day in (5, 6):
        drop.put(f"login_202601{day:02}.csv", logins(day))
    drop.land()
    asked: list[Any] = []
    read = Ledgers.read

    def noted(self: Ledgers, ledger: Any, **limits: Any) -> Any:
        asked.append(limits)
        return read(self, ledger, **limits)

    monkeypatch.setattr(Ledgers, "read", noted)
    drop.put("login_20260209.csv", logins(9))
    drop.put("login_20260210.csv", logins(10))
    assert [d.status for d in drop.land()] == ["landed", "landed"]
    assert asked == [{"periods": ["2026-02"]}]
    drop.put("again/login_20260105.csv", logins(5))  # of another month, and known there
    assert drop.land() == []
    assert asked[1:] == [{"periods": ["2026-01"]}]


def test_only_the_wanted_source_and_date(tmp_path: Path) -> None:
    """A source and a date narrow what is landed; the rest waits."""
    drop = Drop.at(tmp_path)
    drop.put("login_20260105.csv", logins(1))
    drop.put("login_20260106.csv", logins(2))
    assert drop.land(source="clearing") == []
    assert [d.interval for d in drop.land(source="trading", interval=INTERVAL)] == ["2026-01-05"]
    assert [d.interval for d in drop.land(source="login")] == ["2026-01-06"]
    with pytest.raises(UnknownSourceError):
        drop.land(source="trade-ing")
    with pytest.raises(DropFolderError):
        drop.land(from_path=tmp_path / "nowhere")


def test_unfinished_and_foreign_files_wait(tmp_path: Path) -> None:
    """Files still arriving, and files nobody described, are left alone."""
    drop = Drop.at(tmp_path)
    for name in (".login_20260105.csv", "login_20260105.csv.part", "readme.txt"):
        drop.put(name, logins(1))
    assert drop.land() == []


def test_a_changed_file_without_manifest_is_the_next_delivery(tmp_path: Path) -> None:
    """Other content under the same name is a new version; the old one stays as evidence."""
    drop = Drop.at(tmp_path)
    drop.put("login_20260105.csv", logins(1))
    drop.land()
    drop.put("login_20260105.csv", logins(1, 2))
    assert drop.only().sequence == 2
    assert len(drop.bronze("login")) == 3
    assert effective(drop.ledger()).steps[0].rows == 2


def test_wrong_row_counts_are_left_to_the_gate(tmp_path: Path) -> None:
    """A manifest's row count is recorded as promised: the row_count rule compares, not landing."""
    drop = Drop.at(tmp_path)
    drop.put("login_20260105.csv", logins(1, 2), rows=5)
    delivery = drop.only()
    assert (delivery.status, delivery.rows) == ("landed", 5)
    assert delivery.message == "the file holds 2 rows"
    assert len(drop.bronze("login")) == 2


TICKS = b"20190610 08:59:00,3470.0000,544.0000,714088.0000,713758.0000,1.797693e+308,1,1\n"


def test_rows_date_a_file_and_its_name_fills_a_column(tmp_path: Path) -> None:
    """Without a date in the name the latest in the rows is the interval; a manifest must agree.

    A file that gives no date at all is refused, and lands once a manifest says it.
    """
    drop = Drop.at(tmp_path)
    folder = drop.settings.inbox / "public" / "rb_ticks"
    folder.mkdir(parents=True)
    (folder / "rb2001.csv").write_bytes(TICKS + TICKS.replace(b"0610 08", b"0606 21"))
    (folder / "rb1801.csv").write_bytes(b"rb1801,09:08:06.500,3828,16,3827,11,3828,2,3.1e+006,6\n")
    found = {d.file: d for d in drop.land()}
    dated = found["rb2001.csv"]
    assert (dated.status, dated.interval, dated.format) == ("landed", "2019-06-10", "contract-2019")
    assert {r["instrument"] for r in drop.bronze("market_tick")} == {"rb2001"}
    assert found["rb1801.csv"].error_code == "delivery-date"
    assert "interval of a manifest beside the file" in str(found["rb1801.csv"].message)
    (folder / "rb2001.csv").touch()
    assert drop.land() == []
    claims = {"system": "public", "dataset": "market_tick", "mode": "part", "rows": 1}
    for name, data, day in (
        ("rb1801.csv", (folder / "rb1801.csv").read_bytes(), "2017-08-14"),
        ("rb2005.csv", TICKS, "2019-06-11"),
    ):
        path = drop.put(name, data, **{**claims, "interval": day})
        ticks = path.parent.parent / "ticks"
        ticks.mkdir(exist_ok=True)
        for part in (path, path.with_name(name + ".manifest.json")):
            part.rename(ticks / part.name)
    found = {d.file: d for d in drop.land()}
    assert (found["rb1801.csv"].status, found["rb1801.csv"].interval) == ("landed", "2017-08-14")
    assert found["rb2005.csv"].error_code == "delivery-date"
    assert "latest action_time says 2019-06-10" in str(found["rb2005.csv"].message)


def test_a_corrected_part_takes_the_place_of_its_name(tmp_path: Path) -> None:
    """One contract's ticks sent again count once: the newer; the older stays as evidence."""
    drop = Drop.at(tmp_path)
    folder = drop.settings.inbox / "public" / "ticks"
    folder.mkdir(parents=True)
    (folder / "rb2001.csv").write_bytes(TICKS)
    (folder / "rb1910.csv").write_bytes(TICKS + TICKS)
    first = {d.file: d.delivery_id for d in drop.land()}
    (folder / "rb2001.csv").write_bytes(TICKS.replace(b"3470", b"3471") + TICKS)
    better = drop.only()
    assert set(effective(drop.ledger()).delivery_ids) == {first["rb1910.csv"], better.delivery_id}
    assert len(drop.bronze("market_tick")) == 5
    (folder / "copy").mkdir()
    (folder / "copy" / "rb1910.csv").write_bytes(TICKS + TICKS)
    assert drop.land() == [], "the same bytes again"


def test_a_headerless_file_of_another_order_is_refused(tmp_path: Path) -> None:
    """As many fields as a known generation has are not enough: the first record has to fit."""
    drop = Drop.at(tmp_path)
    folder = drop.settings.inbox / "public" / "ticks"
    folder.mkdir(parents=True)
    fields = TICKS.decode().strip().split(",")
    (folder / "rb2001.csv").write_text(",".join([*fields[1:], fields[0]]) + "\n")
    assert drop.only().error_code == "delivery-schema"
