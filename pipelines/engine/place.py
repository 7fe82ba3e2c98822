"""Where tables lie, and how each engine reaches them.

A ``Place`` is one table's: its ``uri`` is what Spark, delta-rs and DuckDB call it by. ``Storage``
has the places of a whole lake. Here they are folders below the home; ``object_storage`` has those
in a bucket. Nobody else asks which of the two it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

    from quality.relations import Files, Only

LOG = "_delta_log"


@dataclass(frozen=True)
class Entry:
    """One stored file: its name below what was listed, its bytes and when it was written."""

    name: str
    size: int
    written_ns: int


class Place(ABC):
    """Where one Delta table lies, whether it is there yet or not."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """What Spark, delta-rs and DuckDB call it; data files are named below it."""

    @property
    def options(self) -> dict[str, str] | None:
        """What delta-rs must know besides the URI."""
        return None

    @abstractmethod
    def log(self) -> tuple[Entry, ...]:
        """The files of its log; none when there is no table."""

    @abstractmethod
    def log_text(self, name: str) -> str:
        """The text of one file of its log."""

    @abstractmethod
    def data(self) -> Iterator[Entry]:
        """Its Parquet files, whether a version names them or not, by names below the URI."""

    @abstractmethod
    def remove(self, file: str) -> None:
        """Remove one data file (by URI); one that is not there is fine."""

    @abstractmethod
    def move(self, name: str, to: str) -> None:
        """Give one data file another name below the URI."""

    @abstractmethod
    def files(self, paths: Sequence[str], where: Only | None = None) -> Files:
        """Data files (by URI) for whoever reads them without Spark."""

    @abstractmethod
    def tree(self) -> tuple[str, Any]:
        """pyarrow's name of it, and the filesystem that this is a folder of."""

    def prepare(self) -> None:
        """Make ready for a first write, where that takes anything."""
        return

    def file(self, name: str) -> str:
        """The URI of a file below it."""
        return f"{self.uri}/{name}"

    def version(self) -> int:
        """The newest version by the names in the log (one listing); -1 without a table."""
        return max((int(e.name[:-5]) for e in self.log() if is_commit(e.name)), default=-1)

    def delta(self, version: int | None = None, *, without_files: bool = False) -> DeltaTable:
        """The table as delta-rs sees it; it must be there."""
        from deltalake import DeltaTable

        return DeltaTable(
            self.uri, version=version, without_files=without_files, storage_options=self.options
        )

    def rows(
        self, partitions: list[tuple[str, str, Any]], columns: list[str] | None = None
    ) -> pa.Table:
        """Rows of the newest version by delta-rs' filters; the table must be there."""
        from pyarrow.fs import SubTreeFileSystem

        # Not delta-rs' own filesystem: its threads call Python, and may do so as Python ends.
        base, filesystem = self.tree()
        return self.delta().to_pyarrow_table(
            partitions=partitions,
            columns=columns,
            filesystem=SubTreeFileSystem(base, filesystem),
        )

    def __str__(self) -> str:
        return self.uri


class Storage(ABC):
    """Where the tables of a lake lie."""

    @property
    @abstractmethod
    def root(self) -> str | None:
        """The address of what is not in the home; None when everything is."""

    @abstractmethod
    def below(self, *names: str) -> Place:
        """The place of these names below the root."""

    def table(self, product: str) -> Place:
        """``<root>/<layer>/<name>``."""
        return self.below(*product.split(".", 1))

    def quarantine(self, product: str) -> Place:
        """``<root>/quarantine/<layer>_<name>``: the product's rejected rows."""
        return self.below("quarantine", product.replace(".", "_"))

    @property
    def jar_set(self) -> str | None:
        """The folder of jars below the jars' own that Spark needs for it; None: no others."""
        return None

    def spark_options(self, scratch: Path) -> Mapping[str, str]:
        """What Spark must know to read and write there; ``scratch`` is a local folder."""
        return {}

    def in_use(self) -> bool:
        """Tell whether anything lies below the root already, where others might have put it."""
        return False

    def check(self) -> None:
        """Raise when it cannot be reached, where that can be."""
        return

    def open_to(self, connection: DuckDBPyConnection) -> None:
        """Let a DuckDB connection read data files by their URI; this machine's it can."""
        return


def is_commit(name: str) -> bool:
    """True for a log file's name that is a version, such as ``00000000000000000012.json``."""
    return name.endswith(".json") and name[:-5].isdigit()


@dataclass(frozen=True)
class Folder(Place):
    """A table in a folder of this machine."""

    path: Path

    @property
    def uri(self) -> str:
        """The absolute path."""
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def log(self) -> tuple[Entry, ...]:
        """The files of its log; none when there is no table."""
        return tuple(_entries(self._log_files(), self.path / LOG))

    def version(self) -> int:
        """The newest version by the names in the log; -1 without a table."""
        return max((int(f.stem) for f in self._log_files() if is_commit(f.name)), default=-1)

    def _log_files(self) -> list[Path]:
        try:
            return list((self.path / LOG).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def log_text(self, name: str) -> str:
        """The text of one file of its log."""
        return (self.path / LOG / name).read_text(encoding="utf-8")

    def data(self) -> Iterator[Entry]:
        """Its Parquet files, whether a version names them or not, by names below the path."""
        found = self.path.rglob("*.parquet")
        log = self.path / LOG
        yield from _entries((f for f in found if not f.is_relative_to(log)), self.path)

    def remove(self, file: str) -> None:
        """Remove one data file and the checksum that Hadoop keeps beside it."""
        path = Path(file)
        path.unlink(missing_ok=True)
        (path.parent / f".{path.name}.crc").unlink(missing_ok=True)

    def move(self, name: str, to: str) -> None:
        """Give one data file another name below the path; a folder it leaves empty goes."""
        old, new = self.path / name, self.path / to
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        (old.parent / f".{old.name}.crc").unlink(missing_ok=True)
        with suppress(OSError):
            old.parent.rmdir()

    def files(self, paths: Sequence[str], where: Only | None = None) -> Files:
        """Data files (by path) for whoever reads them without Spark."""
        from quality.relations import Files

        return Files(tuple(paths), where)

    def tree(self) -> tuple[str, Any]:
        """The path, of this machine's files."""
        from pyarrow.fs import LocalFileSystem

        return str(self.path), LocalFileSystem()

    def prepare(self) -> None:
        """Make the folder above it, for nobody else to read."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def _entries(files: Iterable[Path], base: Path) -> Iterator[Entry]:
    for file in files:
        with suppress(FileNotFoundError):  # a writer's draft that has its name by now
            status = file.stat()
            name = file.relative_to(base).as_posix()
            yield Entry(name, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class LocalStorage(Storage):
    """Tables below the home."""

    home: Path

    @property
    def root(self) -> str | None:
        """Nothing is elsewhere."""
        return None

    def below(self, *names: str) -> Folder:
        """The folder of these names below the home."""
        return Folder(self.home.joinpath(*names))
