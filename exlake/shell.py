"""``exlake open``: a SQL shell with the mart attached read-only beside a database of one's own.

Where DuckDB's own shell of the same version is installed, that one is started; else this small
one: statements end with a semicolon, ctrl-C stops the running query, errors are shown and the
shell goes on, the history is kept in the user's own folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.query import ATTACHED_SEARCH, attach_sql, open_published
from catalog.refusals import own_error

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

ROWS_SHOWN = 200
HISTORY_LINES = 2000
HELP = """\
SELECT ... ;        ask; tables of the mart are gold.x, silver.x and _meta.x (also mart.gold.x)
CREATE TABLE t AS   keeps a result in your own database ({scratch})
.tables [TEXT]      tables of the mart, with their Chinese names
.columns TABLE      columns of a table: type, unit, what they mean
.publication        which publication this is, and what in it is not clean
.help               this
.quit               leave (or ctrl-D); ctrl-C stops a running query
"""
TABLES = """SELECT table_name AS "table", title_zh, title, rows FROM mart._meta.product
            WHERE contains(lower(table_name || title_zh || title), lower(?)) ORDER BY 1"""
COLUMNS = """SELECT column_name AS "column", type, title_zh, title, unit, null_means_zh
             FROM mart._meta.column WHERE product = ? AND shown <> 'drop' ORDER BY position"""
PUBLICATION = "SELECT publication_id, published_at FROM mart._meta.publication"
NOT_CLEAN = """SELECT product, "interval", state, waiting_on FROM mart._meta.interval
               WHERE state NOT IN ('published', 'no_trading_day') OR partial ORDER BY ALL"""


@dataclass(frozen=True)
class Place:
    """What is opened: the audience's file, and the user's own database (None: in memory)."""

    audience: str
    file: Path
    scratch: Path | None

    @property
    def scratch_name(self) -> str:
        """How the user's database is shown."""
        return str(self.scratch) if self.scratch else "in memory, gone when you leave"


def own_shell(version: str) -> str | None:
    """DuckDB's shell on the PATH when it can read the file: of the library's major and minor."""
    found = shutil.which("duckdb")
    if found is None:
        return None
    try:
        said = subprocess.run(
            [found, "-no-init", "--version"], capture_output=True, text=True, timeout=10
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = (said.split() or [""])[0].lstrip("v")
    return found if first.split(".")[:2] == version.split(".")[:2] else None


def shell_command(shell: str, place: Place) -> list[str]:
    """The command line that starts DuckDB's shell as ours would be."""
    begin = [*attach_sql(place.file, place.scratch), ATTACHED_SEARCH]
    return [shell, "-cmd", "; ".join(begin) + ";"]


def connect(place: Place) -> DuckDBPyConnection:
    """A connection with ``mart`` read-only and ``scratch`` as the place for tables of one's own.

    Raises NotPublishedError or QueryRefusedError as for any published file.
    """
    import duckdb

    open_published(place.file, place.audience).close()
    connection = duckdb.connect(":memory:")
    connection.execute("SET python_enable_replacements = false")
    for statement in (*attach_sql(place.file, place.scratch), ATTACHED_SEARCH):
        connection.execute(statement)
    return connection


@dataclass
class Shell:
    """Reads statements and answers them, until the end of input."""

    connection: DuckDBPyConnection
    place: Place
    write: Callable[[str], object] = print
    failed: bool = False

    def run(self, read: Callable[[str], str]) -> None:
        """Ask ``read`` (given a prompt) for lines until it raises EOFError."""
        self.write(f"mart: {self.place.audience}, {self._publication()}; read-only. .help for help")
        lines: list[str] = []
        while True:
            try:
                line = read("   ...> " if lines else "exlake> ")
            except EOFError:
                break
            except KeyboardInterrupt:
                lines = []
                self.write("")
                continue
            if not lines and line.strip().startswith("."):
                if line.strip() in (".quit", ".exit"):
                    return
                self._command(*line.strip().split(maxsplit=1))
                continue
            lines.append(line)
            text = "\n".join(lines)
            if not text.strip():
                lines = []
            elif sqlite3.complete_statement(text):
                lines = []
                self.ask(text)
        if rest := "\n".join(lines).strip():
            self.ask(rest)

    def ask(self, sql: str, parameters: list[str] | None = None) -> None:
        """Answer statements; an error is shown, ctrl-C stops the query, the shell goes on."""
        found: list[BaseException] = []
        stopped = threading.Event()
        done = threading.Event()

        def work() -> None:
            try:
                for statement in self.connection.extract_statements(sql):
                    self._show(statement, parameters, stopped)
            except BaseException as error:
                found.append(error)
            finally:
                done.set()

        # An interrupted Thread.join() takes the thread for ended (Python before 3.13): an event.
        threading.Thread(target=work, daemon=True).start()
        while not done.is_set():
            try:
                done.wait(0.2)
            except KeyboardInterrupt:
                stopped.set()
                self.connection.interrupt()
        for error in found:
            self.failed = True
            self.write("stopped." if stopped.is_set() else f"error: {error}")

    def _show(
        self, statement: Statement, parameters: list[str] | None, stopped: threading.Event
    ) -> None:
        import duckdb

        try:
            answer = self.connection.sql(statement, params=parameters)
            if answer is not None:
                answer.show(max_rows=ROWS_SHOWN, max_width=self._width())
        except duckdb.Error as error:
            if stopped.is_set() or statement.type is not duckdb.StatementType.SELECT:
                raise
            raise own_error(self.connection, statement, error, parameters or ()) from None

    def _command(self, name: str, given: str = "") -> None:
        match name:
            case ".tables":
                self.ask(TABLES, [given])
            case ".columns":
                self.ask(COLUMNS, [given.strip(";")])
            case ".publication":
                self.ask(PUBLICATION)
                self.ask(NOT_CLEAN)
            case ".help":
                self.write(HELP.format(scratch=self.place.scratch_name))
            case _:
                self.write(f"error: there is no {name}; .help lists what there is")

    def _publication(self) -> str:
        row = self.connection.execute(PUBLICATION).fetchone()
        bad = len(self.connection.execute(NOT_CLEAN).fetchall())
        warned = f" ({bad} intervals are not clean: .publication lists them)" if bad else ""
        return f"publication {row[0] if row else 'unknown'}{warned}"

    @staticmethod
    def _width() -> int:
        return shutil.get_terminal_size((200, 50)).columns


def start(place: Place) -> int:
    """Run the shell on this process's terminal or input; returns the exit code."""
    import duckdb

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if interactive and (shell := own_shell(duckdb.__version__)):
        open_published(place.file, place.audience).close()
        return subprocess.call(shell_command(shell, place))
    connection = connect(place)
    try:
        shell_of_ours = Shell(connection, place)
        with _history() if interactive else contextlib.nullcontext():
            shell_of_ours.run(input if interactive else _piped)
    finally:
        connection.close()
    return 1 if shell_of_ours.failed and not interactive else 0


def _piped(_: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def history_path() -> Path:
    """The user's own state folder (XDG), never the lake."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "exlake" / "sql_history"


@contextlib.contextmanager
def _history() -> Iterator[None]:
    try:
        import readline
    except ImportError:  # a Python without it: the shell works, arrows do not
        yield
        return
    path = history_path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY_LINES)
        with contextlib.suppress(OSError):
            readline.write_history_file(path)
            path.chmod(0o600)
