"""``exlake open``: the mart read-only beside one's own database, errors shown, ctrl-C stops."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from catalog.errors import NotPublishedError
from catalog.publish import publish, published_path
from exlake import shell
from exlake.shell import Place, Shell, connect, history_path, own_shell, shell_command
from tests.catalog.catalog_cases import NOW, build_lake

Run = Callable[..., str]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The analysts' file of the tiny lake."""
    lake = build_lake(tmp_path_factory.mktemp("shell") / "lake")
    publish(lake.settings, lake.catalogue, now=NOW)
    return published_path(lake.settings, "analyst")


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Type lines into the shell; returns everything it prints."""

    def typed(*lines: str, scratch: Path | None = None) -> str:
        place = Place("analyst", file, scratch)
        waiting = iter(lines)

        def read(_: str) -> str:
            try:
                return next(waiting)
            except StopIteration:
                raise EOFError from None

        with connect(place) as connection:
            Shell(connection, place).run(read)
        return capsys.readouterr().out

    return typed


def test_the_mart_is_read_only_beside_a_database_of_ones_own(run: Run, tmp_path: Path) -> None:
    """``gold.x`` is the mart's, results are kept in scratch, and the mart cannot be changed."""
    own = tmp_path / "mine.duckdb"
    said = run(
        "SELECT count(*) AS trades", "FROM silver.trade;",
        "CREATE TABLE kept AS SELECT 'a;b' AS text, count(*) AS n FROM gold.client_day;",
        "DELETE FROM gold.client_day;", "CREATE TABLE gold.x AS SELECT 1;",
        "SELECT 'still ' || 'here' AS answer;", scratch=own,
    )  # fmt: skip
    assert "12" in said
    assert said.count("error: ") == 2
    assert "read-only" in said
    assert "still here" in said
    with duckdb.connect(str(own), read_only=True) as mine:
        assert mine.execute("FROM kept").fetchall() == [("a;b", 6)]


def test_it_says_what_is_there(run: Run) -> None:
    """Tables with Chinese names, columns with their meaning, the publication, and help."""
    said = run(".tables CLIENT", ".columns silver.trade", ".publication", ".help", ".nix", ".quit",
               "SELECT 'never';")  # fmt: skip
    for text in ("gold.client_day", "表", "成交号", "analyst-", "ctrl-C", "there is no .nix"):
        assert text in said
    assert "silver.trade │" not in said.split(".columns")[0].split("成交号")[0]
    assert "note" not in said.replace("notes", ""), "invariant 9: a dropped column is not listed"
    assert "never" not in said


def test_names_of_this_program_are_no_tables(run: Run) -> None:
    """A query cannot read variables of the Python process by their name."""
    assert "error: " in run("FROM statement;", "FROM found;")


def test_ctrl_c_stops_the_query_and_not_the_shell(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt ends a long query; the next one is answered."""
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    ask = Shell.ask

    def asked(shell: Shell, sql: str, *more: Any) -> None:
        if "range" in sql:
            timer.start()
        ask(shell, sql, *more)

    monkeypatch.setattr(Shell, "ask", asked)
    said = run(
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7;",
        "SELECT 6 * 7 AS answer;",
    )
    timer.join()
    assert "stopped." in said
    assert "42" in said


def test_duckdbs_own_shell_is_used_when_it_fits(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same version only: another may not read the file. It gets the same statements."""
    fake = tmp_path / "duckdb"
    fake.write_text('#!/bin/sh\necho "v1.5.9 (Name) abc"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_shell("1.5.5") == str(fake)
    assert own_shell("1.6.0") is None
    [_, flag, begin] = shell_command("duckdb", Place("analyst", file, None))
    assert flag == "-cmd"
    with duckdb.connect() as connection:
        connection.execute(begin)
        assert connection.execute("SELECT count(*) FROM silver.trade").fetchone() == (12,)


def test_the_history_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    """Kept outside the lake, readable by nobody else; a missing file is answered as always."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with shell._history():
        pass
    assert history_path().is_relative_to(tmp_path)
    assert stat.S_IMODE(history_path().stat().st_mode) == 0o600
    with pytest.raises(NotPublishedError):
        connect(Place("analyst", file.with_name("none.duckdb"), None))
