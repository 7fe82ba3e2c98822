"""Exports that a person asks for: the answer to a query, or what is in quarantine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.export.sheet import About, Sheet
from catalog.export.writing import Exported, check_target, person, write_export
from catalog.query import stream_query
from exlake.lake import open_catalogue

if TYPE_CHECKING:
    from pipelines.engine.run import Lake

FIRST = ("interval", "state", "rules", "delivery_id", "row_number")
"""Columns of exported quarantine, before those of the original row."""


def export_query(
    query: str, audience: str, publication: str | None, file: Path, overwrite: bool
) -> Exported:
    """Write the whole answer to a file.

    Raises UnknownAudienceError, NotPublishedError, QueryRefusedError, ExportRefusedError.
    """
    settings, catalogue = open_catalogue()
    check_target(settings, file, overwrite)
    with stream_query(
        settings, catalogue, query, audience=audience, publication=publication
    ) as answer:
        about = About(
            query=query,
            audience=audience,
            person=person(),
            publication_id=answer.publication_id,
            published_at=answer.published_at,
            state="; ".join(str(t) for t in answer.touched if not t.clean)
            or "every interval of the tables in the query is clean",
            exported_at=datetime.now(UTC),
        )
        sheet = Sheet(answer.schema, answer.batches, about)
        return write_export(settings, sheet, file, overwrite=overwrite)


def export_quarantine(
    lake: Lake,
    product: str,
    interval: str | None,
    rows: Sequence[dict[str, Any]],
    clear: bool,
    file: Path,
    overwrite: bool,
) -> Exported:
    """Write rows of quarantine, masked as they are shown; the original's columns side by side.

    Everything is text, as it was delivered.
    """
    import pyarrow as pa

    originals = [json.loads(row["original"] or row["row"] or "{}") for row in rows]
    given = list(dict.fromkeys(name for original in originals for name in original))
    names = [*FIRST, *(f"original.{name}" if name in FIRST else name for name in given)]
    values = [
        [row["interval"], row["state"], ", ".join(row["rules"]), row["delivery_id"],
         row["row_number"], *(original.get(name) for name in given)]
        for row, original in zip(rows, originals, strict=True)
    ]  # fmt: skip
    columns = list(zip(*values, strict=True)) or [() for _ in names]
    table = pa.Table.from_arrays(
        [pa.array([_text(v) for v in column], pa.string()) for column in columns], names=names
    )
    asked = f"quarantine show {product}" + (f" --interval {interval}" if interval else "")
    about = About(
        query=asked + (" --clear" if clear else ""),
        audience="stewards, in clear" if clear else "stewards, masked",
        person=person(),
        publication_id=None,
        published_at=None,
        state="rows that the gate put aside; they are in no published table",
        exported_at=datetime.now(UTC),
    )
    sheet = Sheet(table.schema, iter(table.to_batches()), about)
    return write_export(lake.settings, sheet, file, overwrite=overwrite)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
