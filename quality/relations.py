"""Where rows can be read from without Spark, and how DuckDB gets to see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds

from quality.sets import view_name

if TYPE_CHECKING:
    import duckdb

    from contracts.model import Contract


class Access(Protocol):
    """How files that are not on this machine are read."""

    def arrow(self, paths: Sequence[str]) -> tuple[list[str], Any]:
        """The paths as pyarrow spells them, and the filesystem that they are in."""

    def open_to(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let the connection read them by their URI."""


@dataclass(frozen=True)
class Files:
    """Parquet files by local path or URI, with Hive partition columns in their paths.

    ``where`` (DuckDB SQL) limits the rows, for example ``known_to IS NULL``. ``access`` reaches
    files that are not on this machine. At least one file: an input without files is an empty
    Arrow table (``empty_table``), which has a schema.
    """

    paths: tuple[str, ...]
    where: str | None = None
    access: Access | None = None


Relation = Any
"""Files, a pyarrow Table or Dataset, or a Spark DataFrame (collected; small inputs only)."""


def arrow_type(spark_type: str) -> pa.DataType:
    """The Arrow type of a contract's column type."""
    if spark_type.startswith("decimal"):
        precision, scale = spark_type[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return {
        "string": pa.string(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }[spark_type]


def empty_table(contract: Contract, *, previous: bool = False) -> pa.Table:
    """No rows with the contract's columns: an optional input that is not there.

    ``previous`` adds ``_for_interval``, the interval that rows of earlier intervals serve.
    """
    fields = [(c.name, arrow_type(c.type)) for c in contract.columns]
    if previous:
        fields.append(("_for_interval", pa.date32()))
    return pa.schema(fields).empty_table()


def local_path(path: str) -> str:
    """A local path of a path or ``file:`` URI (Spark and Delta percent-encode theirs)."""
    if path.startswith("file:"):
        return unquote("/" + path.removeprefix("file:").lstrip("/"))
    return path


def read_batch(files: Files, contract: Contract) -> pa.Table:
    """Read a batch's Parquet files in order, the interval from their Hive path where it is.

    Unlike a relation's, there may be none; ``where`` is not looked at.
    """
    if not files.paths:
        return empty_table(contract)
    paths, filesystem = [local_path(p) for p in files.paths], None
    if files.access is not None:
        paths, filesystem = files.access.arrow(files.paths)
    layout: Any = None
    if contract.interval_column is not None:
        field = (contract.interval_column, pa.date32())
        layout = ds.partitioning(pa.schema([field]), flavor="hive")
    found = ds.dataset(
        paths, format="parquet", partitioning=layout, filesystem=filesystem
    ).to_table()
    order = [c.name for c in contract.columns if c.name in found.column_names]
    return found.select(order)


def as_arrow(relation: Relation) -> Any:
    """An Arrow table or dataset of a relation that is not Files."""
    if isinstance(relation, (pa.Table, ds.Dataset)):
        return relation
    return relation.toArrow()


def bind(connection: duckdb.DuckDBPyConnection, relations: Mapping[str, Relation]) -> None:
    """Make relations visible as ``layer_name`` in one DuckDB connection."""
    for product, relation in relations.items():
        name = view_name(product)
        if isinstance(relation, Files):
            if relation.access is not None:
                relation.access.open_to(connection)
            paths = ", ".join(_quote(local_path(p)) for p in relation.paths)
            where = f" WHERE {relation.where}" if relation.where else ""
            connection.execute(
                f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{paths}], '
                f"hive_partitioning=true, union_by_name=true){where}"
            )
        else:
            connection.register(name, as_arrow(relation))


def connect() -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in memory: two threads, UTC, no way out to the network."""
    import duckdb

    connection = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})
    connection.execute("SET TimeZone='UTC'")
    return connection


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
