"""Tables in object storage: the same lake, kills included, against a local S3 endpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipelines.engine.backup import backup
from pipelines.engine.lake_format import check_tables, note_tables
from pipelines.engine.maintenance import MANY_FILES, maintain, plan_care
from pipelines.engine.object_storage import KEY, SECRET, Bucket, Endpoint
from pipelines.engine.retention import _delete
from pipelines.engine.session import MissingJarsError, spark_session
from pipelines.engine.settings import SettingsError, load_settings
from pipelines.engine.storage_errors import (
    StorageKeysError,
    StorageRefusedError,
    StorageUnavailableError,
    TablesElsewhereError,
    TablesNotInHomeError,
    TablesTakenError,
)
from quality.hashing import portable_hash_sql
from tests.pipelines.engine.killing import AUDIENCE, SERVED, Order, drop, lake_at
from tests.pipelines.engine.s3_endpoint import BUCKET, KEYS, ROOT, s3_endpoint
from tests.pipelines.engine.small_lake import ALL, SmallLake

full = [pytest.mark.full, pytest.mark.timeout(1800)]
EVERYTHING = ("land", "run", "publish")
BRONZE = ("bronze.client", "bronze.settle", "bronze.order")


def process(home: Path, storage: dict[str, str], *what: str, fault: str = "", **how: Any) -> int:
    """Do it in a process of its own, which dies at the fault; its exit code."""
    order = Order(str(home), what or EVERYTHING, fault=fault, storage=storage, **how)
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.engine.on_storage", json.dumps(asdict(order))],
        cwd=ROOT, env={**os.environ, **KEYS, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert KEYS[SECRET] not in said
    assert fault or done.returncode == 0, said[-3000:]
    return done.returncode


@dataclass(frozen=True)
class Two:
    """The lake whose tables are in the bucket, and the undisturbed one that is a folder."""

    remote: SmallLake
    local: SmallLake
    settled: dict[str, int]
    """Table versions after everything was built; then it was run again."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An endpoint that has the bucket; its keys are in the environment."""
    with (
        s3_endpoint(tmp_path_factory.mktemp("endpoint")) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in KEYS.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def two(address: str, tmp_path_factory: pytest.TempPathFactory) -> Two:
    """Both lakes after the same files; every kill of the remote one is asserted on the way."""
    folder = tmp_path_factory.mktemp("s3")
    storage = {"tables": f"s3://{BUCKET}/lakes/one", "s3_endpoint": address}
    remote = lake_at(folder / "remote", storage)
    local = lake_at(folder / "local")
    for number in (1, 2):
        drop(remote, number)
    killed = -signal.SIGKILL
    assert process(remote.home, storage, fault="delivery-appended") == killed
    assert process(remote.home, storage, fault="files-written:3") == killed
    assert remote.rows("silver.order") == [], "readable before the commit"
    assert process(remote.home, storage, fault="dirty-rewritten") == killed
    assert remote.rows("silver.order") == [], "readable before the commit"
    assert process(remote.home, storage, fault="committed") == killed
    assert process(remote.home, storage) == 0
    for number in (3, 4):
        drop(remote, number)
        assert process(remote.home, storage) == 0
    settled = remote.versions()
    assert process(remote.home, storage) == 0
    for number in (1, 2):
        drop(local, number)
    assert process(local.home, {}) == 0
    for number in (3, 4):
        drop(local, number)
        assert process(local.home, {}) == 0
    return Two(remote, local, settled)


class TestTwoLakes:
    """What holds of a lake in a folder holds of one in a bucket."""

    pytestmark = full

    def test_killed_at_every_kind_of_point_it_holds_the_same(self, two: Two) -> None:
        """Invariants 2 and 3: hashes, states and quarantined rows are those of a folder."""
        assert two.remote.hashes((*BRONZE, *ALL)) == two.local.hashes((*BRONZE, *ALL))
        assert two.remote.states() == two.local.states()
        assert "blocked" in two.remote.states().values()
        aside = [
            sorted((r["row_key"], r["rules"], r["original"]) for r in lake.aside())
            for lake in (two.remote, two.local)
        ]
        assert aside[0] == aside[1] != []

    def test_the_home_holds_no_table_and_a_run_again_commits_nothing(self, two: Two) -> None:
        """Invariant 3, and the bucket is where the tables really are."""
        assert two.remote.versions() == two.settled
        assert not list(two.remote.home.glob("[bsgq]*/*/_delta_log"))
        assert two.settled.keys() == two.local.versions().keys()

    def test_duckdb_reads_the_tables_where_they_are(self, two: Two) -> None:
        """Invariant 8: any reader with keys, by the table's own log; the portable hash agrees."""
        from duckdb_extensions import import_extension

        settings = two.remote.lake.settings
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone='UTC'")
            import_extension("delta")
            connection.execute("LOAD delta")
            settings.storage.open_to(connection)
            for product in ALL:
                scan = f"delta_scan('{settings.table(product).uri}')"
                sql = portable_hash_sql(two.remote.catalogue[product], "duckdb", scan)
                (found,) = connection.execute(sql).fetchall()[0]
                assert found == two.local.hash(product)
            secrets = str(connection.execute("FROM duckdb_secrets()").fetchall())
        assert KEYS[SECRET] not in secrets

    def test_what_is_published_is_the_same(self, two: Two) -> None:
        """An audience's file is made from the bucket, and opens without it."""
        found = []
        for lake in (two.remote, two.local):
            file = lake.home / "publish" / f"{AUDIENCE}.duckdb"
            with duckdb.connect(str(file), read_only=True) as connection:
                found.append([connection.execute(f"FROM {p} ORDER BY ALL").fetchall()
                              for p in SERVED])  # fmt: skip
        assert found[0] == found[1]
        assert all(found[0])

    def test_no_key_is_written_anywhere(self, two: Two) -> None:
        """Files of the home and logs of the tables hold neither of the keys."""
        files = [p for p in two.remote.home.rglob("*") if p.is_file()]
        assert files
        for value in KEYS.values():
            assert [p for p in files if value.encode() in p.read_bytes()] == []
            for product in (*BRONZE, *ALL):
                place = two.remote.lake.settings.table(product)
                texts = [place.log_text(e.name) for e in place.log() if e.name.endswith("json")]
                assert texts
                assert not any(value in text for text in texts)

    def test_maintenance_sweeps_what_kills_left(self, two: Two) -> None:
        """Orphans and replaced files go, in the bucket too; rows stay as they are."""
        remote, products = two.remote, [*BRONZE, *ALL]
        before = remote.hashes((*BRONZE, *ALL))
        settings = remote.lake.settings.model_copy(update={"retention_hours": 0})
        cares = plan_care(settings, products)
        assert sum(c.orphans for c in cares) > 0
        assert sum(c.expired for c in cares) > 0
        assert process(remote.home, dict(remote.storage), "maintain", expire=True) == 0
        assert all(care.idle for care in plan_care(settings, products))
        assert remote.hashes((*BRONZE, *ALL)) == before
        assert sum(1 for p in ALL for _ in settings.table(p).data()) == sum(
            len(settings.table(p).delta().file_uris()) for p in ALL
        )

    def test_the_staged_commit_works_there_too(self, two: Two) -> None:
        """The fallback over Delta's public API stages in the home and commits to the bucket."""
        remote = two.remote
        drop(remote, 5)
        storage = dict(remote.storage)
        assert process(remote.home, storage, "land", "run", commit="staged") == 0
        drop(two.local, 5)
        assert process(two.local.home, {}, "land", "run") == 0
        assert remote.hash("silver.order") == two.local.hash("silver.order")

    def test_wrong_keys_are_refused_without_being_told(self, two: Two) -> None:
        """An operator sees who refused; the text holds no key."""
        endpoint = Endpoint(two.remote.storage["s3_endpoint"], "eu-west-1", True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(SECRET, "another-secret-4711")
            with pytest.raises(StorageRefusedError) as refused:
                Bucket(f"s3://{BUCKET}", endpoint).check()
        assert "another-secret-4711" not in str(refused.value)
        with pytest.raises(StorageRefusedError, match="no such bucket"):
            Bucket("s3://not-there", endpoint).check()

    def test_a_second_lake_over_the_same_tables_is_refused(self, two: Two, tmp_path: Path) -> None:
        """Invariant 7: two homes would hold two locks for one table."""
        second = lake_at(tmp_path / "second", two.remote.storage)
        with pytest.raises(TablesTakenError):
            note_tables(second.lake.settings)
        assert not second.home.exists()


@pytest.mark.full
def test_small_files_are_merged_there_and_an_interval_can_go(address: str, tmp_path: Path) -> None:
    """What maintenance and retention do through delta-rs needs no folder."""
    storage = {"tables": f"s3://{BUCKET}/lakes/small", "s3_endpoint": address}
    settings = load_settings(environ={}, home=tmp_path, retention_hours=24, **storage)
    place = settings.table("silver.thing")
    for number in range(MANY_FILES + 1):
        for day in ("2026-01-05", "2026-01-06"):
            rows = pa.table({"day": [day], "x": [number]})
            write_deltalake(
                place.uri, rows, mode="append", partition_by=["day"], storage_options=place.options
            )
    before = sorted(place.rows([]).to_pylist(), key=str)
    (care,) = maintain(settings.model_copy(update={"retention_hours": 0}), ["silver.thing"])
    assert (care.compact, care.small_files) == (("2026-01-05", "2026-01-06"), len(before))
    maintain(settings.model_copy(update={"retention_hours": 0}), ["silver.thing"])
    assert len(list(place.data())) == 2
    assert sorted(place.rows([]).to_pylist(), key=str) == before
    _delete(place, "day", ["2026-01-05"])
    assert [r for r in before if r["day"] == "2026-01-06"] == sorted(
        place.rows([]).to_pylist(), key=str
    )


def asked(home: Path, **more: Any) -> Any:
    """Settings with tables in a bucket of an endpoint that nobody listens at."""
    given = {"tables": "s3://bucket/a", "s3_endpoint": "http://127.0.0.1:9", **more}
    return load_settings(environ={}, home=home, **given)


def test_without_keys_or_answer_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing keys cannot be retried, a store that does not answer can."""
    place = asked(tmp_path).table("silver.trade")
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(StorageKeysError, match=KEY):
        place.version()
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageUnavailableError) as refused:
        place.version()
    assert refused.value.transient
    assert not any(value in str(refused.value) for value in KEYS.values())


def test_without_the_jars_no_jvm_is_started(tmp_path: Path) -> None:
    """Spark needs Hadoop's S3 client; the error names the command that fetches it."""
    (tmp_path / "delta-spark_4.2_2.13-4.4.0.jar").touch()
    with pytest.raises(MissingJarsError, match="make setup-s3"):
        spark_session(asked(tmp_path, jars_dir=tmp_path))


def test_tables_are_looked_for_only_where_they_were_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing reads as empty: other settings than the lake's are refused at once."""
    monkeypatch.setattr(Bucket, "in_use", lambda self: False)
    first = asked(tmp_path / "a")
    check_tables(first)
    note_tables(first)
    note_tables(first)
    for other in ({"tables": None, "s3_endpoint": None}, {"tables": "s3://bucket/b"}):
        with pytest.raises(TablesElsewhereError, match="s3://bucket/a"):
            check_tables(asked(tmp_path / "a", **other))
    (tmp_path / "b" / "ops").mkdir(parents=True)
    with pytest.raises(TablesElsewhereError, match="s3://bucket/a"):
        note_tables(asked(tmp_path / "b"))


def test_a_backup_that_would_lack_the_tables_is_refused(tmp_path: Path) -> None:
    """A backup is whole or there is none; the store has means of its own."""
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(TablesNotInHomeError, match="s3://bucket/a"):
        backup(asked(home), tmp_path / "kept", datetime.now(UTC))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXLAKE_TABLES", "/a/folder"),
        ("EXLAKE_TABLES", "s3://Bucket_/x"),
        ("EXLAKE_TABLES", "s3://bucket/../x"),
        ("EXLAKE_TABLES", "s3://bucket/x y"),
        ("EXLAKE_S3_ENDPOINT", "host:9000"),
        ("EXLAKE_S3_ENDPOINT", "http://key:secret@host"),
    ],
)
def test_addresses_that_are_none_are_refused(variable: str, value: str) -> None:
    """A mistyped place is found before anything is written; keys have no place in an address."""
    with pytest.raises(SettingsError, match=variable) as refused:
        load_settings({variable: value})
    assert "secret" not in str(refused.value)
