"""Schemas of stored tables: how they are read, and how a plan tells what a contract changes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from pipelines.engine.place import Folder
from pipelines.engine.schema_change import describe_schema, widens
from pipelines.engine.stored import stored_columns
from tests.pipelines.engine.planning import NOW, column


def test_schema_changes_are_named_by_column() -> None:
    """A plan says of each column what differs, and what is refused because it would lose values."""
    stored = (("a", "string"), ("b", "int"), ("c", "int"), ("e", "bigint"), ("f", "decimal(8,2)"))
    promised = [
        column("a"), column("b", "bigint"), column("d", "int"), column("e", "int"),
        column("g", "decimal(10,4)").model_copy(update={"renamed_from": "f"}),
        column("h").model_copy(update={"null_before": date(2026, 2, 2)}),
    ]  # fmt: skip
    found = describe_schema("silver.x", stored, promised)
    assert [(c.kind, c.column, c.refused, c.how.split(":")[0]) for c in found] == [
        ("widened", "b", False, "the table is rewritten once, then built again"),
        ("added", "d", False, "built for every interval"),
        ("retyped", "e", True, "refused"),
        ("renamed", "g", False, "the table is rewritten once, then built again"),
        ("added", "h", False, "null before 2026-02-02, built from then on"),
        ("dropped", "c", True, "refused"),
    ]
    turned = [column("b", "int"), column("a"), *(column(n, t) for n, t in stored[2:])]
    assert describe_schema("p", stored, turned)[0].kind == "reordered"
    assert not widens("decimal(18,4)", "decimal(18,6)"), "two digits of the whole part would go"


def test_stored_schemas_are_read_without_spark(tmp_path: Path) -> None:
    """Types come back in the words of contracts, for every type that they know."""
    table = pa.table(
        {
            "s": pa.array(["x"]), "i": pa.array([1], pa.int32()), "l": pa.array([1], pa.int64()),
            "b": pa.array([True]), "d": pa.array([date(2026, 1, 5)]),
            "t": pa.array([NOW], pa.timestamp("us", tz="UTC")),
            "n": pa.array([None], pa.decimal128(18, 4)),
        }
    )  # fmt: skip
    place = Folder(tmp_path / "silver" / "x")
    assert stored_columns(place) is None
    write_deltalake(place.uri, table)
    assert stored_columns(place) == (
        ("s", "string"), ("i", "int"), ("l", "bigint"), ("b", "boolean"), ("d", "date"),
        ("t", "timestamp"), ("n", "decimal(18,4)"),
    )  # fmt: skip
