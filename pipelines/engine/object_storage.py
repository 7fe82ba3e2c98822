"""Tables in a bucket of S3-compatible storage; everything else of a lake stays in its home.

Keys are read from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and, for keys
that expire, ``AWS_SESSION_TOKEN``) by whoever opens a connection: Spark, delta-rs and pyarrow do it
themselves, DuckDB is given them for one connection. No value of ours holds them.

One machine writes: locks are files of the home. What a commit needs then is that a log file is
never written over. delta-rs asks the store for just that (``If-None-Match``); Delta's own log store
for S3 looks first, and its lock is good for one JVM.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipelines.engine.place import LOG, Entry, Place, Storage
from pipelines.engine.storage_errors import (
    StorageKeysError,
    StorageRefusedError,
    StorageUnavailableError,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from contracts.errors import ExlakeError
    from quality.relations import Files, Only

SCHEME = "s3://"
KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
UNREACHABLE = ("NETWORK_CONNECTION", "SLOW_DOWN", "INTERNAL_FAILURE", "HTTP status 5", "timeout")
"""What in pyarrow's error texts says that the store may answer later."""


@dataclass(frozen=True)
class Endpoint:
    """Who answers: an address (None: Amazon's own), a region, and how buckets are addressed."""

    address: str | None
    region: str
    path_style: bool

    @property
    def plain(self) -> bool:
        """True when the address is not encrypted."""
        return self.address is not None and urlsplit(self.address).scheme == "http"

    @property
    def host(self) -> str | None:
        """Host and port of the address."""
        return urlsplit(self.address).netloc if self.address else None

    def arrow(self, paths: Sequence[str]) -> tuple[list[str], Any]:
        """The paths as pyarrow spells them, and the filesystem that they are in."""
        return [p.removeprefix(SCHEME) for p in paths], _filesystem(self)

    def open_to(self, connection: DuckDBPyConnection) -> None:
        """Let a DuckDB connection read ``s3://`` addresses; the keys are its own and go with it."""
        keys = _keys()
        options = {
            "KEY_ID": keys[KEY],
            "SECRET": keys[SECRET],
            "SESSION_TOKEN": keys.get(TOKEN),
            "REGION": self.region,
            "ENDPOINT": self.host,
            "URL_STYLE": "path" if self.path_style else "vhost",
        }
        said = ", ".join(f"{name} {_literal(v)}" for name, v in options.items() if v)
        connection.execute(f"LOAD {_literal(str(_httpfs()))}")
        try:
            connection.execute(
                "CREATE OR REPLACE TEMPORARY SECRET exlake_tables "
                f"(TYPE s3, {said}, USE_SSL {str(not self.plain).lower()})"
            )
        except Exception:  # its text would repeat the statement
            raise StorageRefusedError(
                self.host or "s3", "DuckDB does not take the keys as they are."
            ) from None


@dataclass(frozen=True)
class Bucket(Storage):
    """Tables below ``address``, which is ``s3://bucket`` or ``s3://bucket/prefix``."""

    address: str
    endpoint: Endpoint

    @property
    def root(self) -> str | None:
        """The address."""
        return self.address

    @property
    def jar_set(self) -> str | None:
        """Hadoop's S3 client, a set of its own."""
        return "s3"

    def below(self, *names: str) -> Object:
        """The prefix of these names below the address."""
        return Object("/".join((self.address, *names)), self.endpoint)

    def spark_options(self, scratch: Path) -> Mapping[str, str]:
        """What Spark must know to read and write there; ``scratch`` buffers uploads."""
        endpoint = self.endpoint
        options = {
            # One spelling for all engines: Hadoop's client would call it s3a://.
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            "spark.delta.logStore.s3.impl": "io.delta.storage.S3SingleDriverLogStore",
            "spark.hadoop.fs.s3a.endpoint.region": endpoint.region,
            "spark.hadoop.fs.s3a.path.style.access": str(endpoint.path_style).lower(),
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(not endpoint.plain).lower(),
            # From the environment, so that no configuration, page or log of Spark holds them.
            "spark.hadoop.fs.s3a.aws.credentials.provider": (
                "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider"
            ),
            "spark.hadoop.fs.s3a.buffer.dir": str(scratch / "s3a"),
        }
        if endpoint.address:
            options["spark.hadoop.fs.s3a.endpoint"] = endpoint.address
        return options

    def open_to(self, connection: DuckDBPyConnection) -> None:
        """Let a DuckDB connection read data files by their URI."""
        self.endpoint.open_to(connection)

    def check(self) -> None:
        """Ask for the bucket. Raises StorageKeysError, Storage{Unavailable,Refused}Error."""
        bucket = self.address.removeprefix(SCHEME).split("/", 1)[0]
        _bucket_is_there(self.endpoint, bucket)

    def in_use(self) -> bool:
        """Tell whether anything lies below the address; raises as ``check`` does."""
        self.check()
        key = self.address.removeprefix(SCHEME)
        return bool(_listing(self.endpoint, key, recursive=False))


@dataclass(frozen=True)
class Object(Place):
    """A table below a prefix of a bucket; ``address`` begins with ``s3://``."""

    address: str
    endpoint: Endpoint

    @property
    def uri(self) -> str:
        """The address."""
        return self.address

    @property
    def options(self) -> dict[str, str] | None:
        """What delta-rs must know besides the URI; it finds the keys by itself."""
        options = {
            "AWS_REGION": self.endpoint.region,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": str(not self.endpoint.path_style).lower(),
            "AWS_ALLOW_HTTP": str(self.endpoint.plain).lower(),
            "AWS_CONDITIONAL_PUT": "etag",
        }
        if self.endpoint.address:
            options["AWS_ENDPOINT_URL"] = self.endpoint.address
        return options

    def log(self) -> tuple[Entry, ...]:
        """The files of its log; none when there is no table.

        Everything that is done to a table begins here, so this tells what is wrong with the
        store: raises StorageKeysError, StorageUnavailableError or StorageRefusedError.
        """
        _bucket_is_there(self.endpoint, self._key.split("/", 1)[0])
        return tuple(self._listed(f"{self._key}/{LOG}", recursive=False))

    def log_text(self, name: str) -> str:
        """The text of one file of its log."""
        with self._filesystem.open_input_stream(f"{self._key}/{LOG}/{name}") as stream:
            return str(stream.readall(), "utf-8")

    def data(self) -> Iterator[Entry]:
        """Its Parquet files, whether a version names them or not, by names below the URI."""
        for entry in self._listed(self._key, recursive=True):
            if entry.name.endswith(".parquet") and not entry.name.startswith(f"{LOG}/"):
                yield entry

    def remove(self, file: str) -> None:
        """Remove one data file (by URI); one that is not there is fine."""
        try:
            self._filesystem.delete_file(file.removeprefix(SCHEME))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _told(error, self.uri) from None

    def move(self, name: str, to: str) -> None:
        """Give one data file another name below the URI: the store copies it and removes the old.

        A kill between the two leaves both, and no version names either.
        """
        old, new = (self.file(n).removeprefix(SCHEME) for n in (name, to))
        try:
            self._filesystem.copy_file(old, new)
            self._filesystem.delete_file(old)
        except OSError as error:
            raise _told(error, self.uri) from None

    def files(self, paths: Sequence[str], where: Only | None = None) -> Files:
        """Data files (by URI), or staged ones of this machine, for who reads without Spark."""
        from quality.relations import Files

        here = all(p.startswith(SCHEME) for p in paths)
        return Files(tuple(paths), where, self.endpoint if here else None)

    def tree(self) -> tuple[str, Any]:
        """Bucket and prefix, of the endpoint's files."""
        return self._key, self._filesystem

    @property
    def _key(self) -> str:
        return self.address.removeprefix(SCHEME)

    @property
    def _filesystem(self) -> Any:
        return _filesystem(self.endpoint)

    def _listed(self, base: str, *, recursive: bool) -> Iterator[Entry]:
        from pyarrow.fs import FileType

        for info in _listing(self.endpoint, base, recursive=recursive):
            if info.type == FileType.File:
                name = info.path.removeprefix(f"{base}/")
                yield Entry(name, int(info.size), int(info.mtime_ns))


def _keys() -> dict[str, str]:
    """The keys in the environment. Raises StorageKeysError."""
    if not (os.environ.get(KEY) and os.environ.get(SECRET)):
        raise StorageKeysError(KEY, SECRET)
    return {name: os.environ[name] for name in (KEY, SECRET, TOKEN) if os.environ.get(name)}


@lru_cache
def _filesystem(endpoint: Endpoint) -> Any:
    from pyarrow.fs import S3FileSystem

    _keys()
    where = {"endpoint_override": endpoint.host} if endpoint.host else {}
    return S3FileSystem(
        region=endpoint.region,
        scheme="http" if endpoint.plain else "https",
        force_virtual_addressing=not endpoint.path_style,
        **where,
    )


def _listing(endpoint: Endpoint, base: str, *, recursive: bool) -> list[Any]:
    from pyarrow.fs import FileSelector

    selector = FileSelector(base, recursive=recursive, allow_not_found=True)
    try:
        return list(_filesystem(endpoint).get_file_info(selector))
    except OSError as error:
        raise _told(error, SCHEME + base) from None


@lru_cache
def _bucket_is_there(endpoint: Endpoint, bucket: str) -> None:
    """Ask once: listing below a bucket that does not exist only finds nothing."""
    from pyarrow.fs import FileType

    try:
        (found,) = _filesystem(endpoint).get_file_info([bucket])
    except OSError as error:
        raise _told(error, SCHEME + bucket) from None
    if found.type == FileType.NotFound:
        raise StorageRefusedError(SCHEME + bucket, "there is no such bucket.")


def _told(error: OSError, uri: str) -> ExlakeError:
    """The error in our words: pyarrow's first line, without anything that is a key."""
    text = str(error).splitlines()[0]
    for name in (KEY, SECRET, TOKEN):
        if value := os.environ.get(name):
            text = text.replace(value, "…")
    later = any(mark in text for mark in UNREACHABLE)
    return StorageUnavailableError(uri, text) if later else StorageRefusedError(uri, text)


@lru_cache
def _httpfs() -> Path:
    """DuckDB's extension for S3, as its package brings it: nothing is fetched or installed."""
    spec = find_spec("duckdb_extension_httpfs")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = [f for folder in folders for f in Path(folder).rglob("httpfs.duckdb_extension")]
    if not found:
        raise StorageRefusedError("DuckDB", "its package duckdb-extension-httpfs is missing.")
    return found[0]


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
