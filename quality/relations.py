"""Where rows can be read from without Spark, and how DuckDB gets to see them."""

from __future__ import annotations

import re
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
class Only:
    """The rows whose ``column`` is null (``values`` None) or one of ``values``."""

    column: str
    values: tuple[str, ...] | None = None

    @property
    def sql(self) -> str:
        """As DuckDB understands it."""
        if self.values is None:
            return f'"{self.column}" IS NULL'
        listed = ", ".join(_quote(v) for v in self.values)
        return f'"{self.column}" IN ({listed})' if listed else "false"

    @property
    def arrow(self) -> ds.Expression:
        """As pyarrow understands it."""
        field = ds.field(self.column)
        return field.is_null() if self.values is None else field.isin(list(self.values))


@dataclass(frozen=True)
class Files:
    """Parquet files by local path or URI, with Hive partition columns in their paths.

    Partition columns are dates (intervals). ``where`` limits the rows, for example to those with
    ``known_to`` null. ``access`` reaches files that are not on this machine. At least one file: an
    input without files is an empty Arrow table (``empty_table``), which has a schema.
    """

    paths: tuple[str, ...]
    where: Only | None = None
    access: Access | None = None


Relation = Any
"""Files, a pyarrow Table, or a Spark DataFrame (collected; small inputs only)."""

_PARTITION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=\d{4}-\d{2}-\d{2}")


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
    found = _dataset(files).to_table()
    order = [c.name for c in contract.columns if c.name in found.column_names]
    return found.select(order)


def _dataset(files: Files) -> Any:
    paths, filesystem = [local_path(p) for p in files.paths], None
    if files.access is not None:
        paths, filesystem = files.access.arrow(files.paths)
    dated = [part.split("=", 1)[0] for part in paths[0].split("/") if _PARTITION.fullmatch(part)]
    layout: Any = None
    if dated:
        layout = ds.partitioning(pa.schema([(n, pa.date32()) for n in dated]), flavor="hive")
    return ds.dataset(paths, format="parquet", partitioning=layout, filesystem=filesystem)


def as_dataset(relation: Relation) -> Any:
    """A relation's rows as a pyarrow dataset: of files, with the columns of any of them."""
    if not isinstance(relation, Files):
        return ds.dataset(as_arrow(relation))
    whole = _whole(_dataset(relation))
    return whole.filter(relation.where.arrow) if relation.where else whole


def _whole(dataset: Any) -> Any:
    """The dataset with the columns of all its files: a table's older ones may lack some."""
    schemas = [fragment.physical_schema for fragment in dataset.get_fragments()]
    return dataset.replace_schema(pa.unify_schemas([dataset.schema, *schemas]))


def as_arrow(relation: Relation) -> Any:
    """An Arrow table of a relation that is not Files."""
    if isinstance(relation, pa.Table):
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
            where = f" WHERE {relation.where.sql}" if relation.where else ""
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
