"""From delivered fields to bronze columns: names, order, and what is missing."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from contracts.model import Contract, Format

ROW_NUMBER = "_row_number"
SPELLINGS = 200
"""Unexpected names that a missing one is compared with for a misspelling."""
DOCUMENT_COLUMNS = frozenset({"section", "header", "record"})
"""Filled by the JSON reader only: a table of rows does not carry them."""
NAME_GROUPS = frozenset({"date", "publisher"})
"""Groups of a file pattern that say where a file belongs; any other names a column it fills."""


def delivered_columns(form: Format, contract: Contract) -> tuple[str, ...]:
    """The field names a format's file must carry, as the source spells them."""
    if form.header:
        return form.header
    back = {bronze: source for source, bronze in form.rename.items()}
    elsewhere = DOCUMENT_COLUMNS | (set(re.compile(form.file).groupindex) - NAME_GROUPS)
    names = [c.name for c in contract.business_columns if c.name not in elsewhere]
    return tuple(back.get(name, name) for name in names)


def batch_schema(contract: Contract) -> pa.Schema:
    """What every reader yields: the business columns as text, then the record's ordinal."""
    fields = [pa.field(c.name, pa.string()) for c in contract.business_columns]
    return pa.schema([*fields, pa.field(ROW_NUMBER, pa.int64())])


def ordinals(before: int, rows: int) -> pa.Array:
    """The records' ordinals of a batch with ``rows`` of them that follows ``before`` others."""
    return pa.array(np.arange(before + 1, before + 1 + rows, dtype=np.int64))


def shape_batch(
    columns: Mapping[str, pa.Array], form: Format, contract: Contract
) -> pa.RecordBatch:
    """Rename, order and complete: a column the format does not carry is NULL."""
    named = {form.rename.get(name, name): values for name, values in columns.items()}
    rows = len(named[ROW_NUMBER])
    schema = batch_schema(contract)
    arrays = [named[f.name] if f.name in named else pa.nulls(rows, f.type) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def fill(batch: pa.RecordBatch, named: Sequence[tuple[str, str]]) -> pa.RecordBatch:
    """The batch with each named column holding one value in every row."""
    for name, value in named:
        place = batch.schema.get_field_index(name)
        values = pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)
        batch = batch.set_column(place, batch.schema.field(place), values)
    return batch


def differences(found: Sequence[str], expected: Sequence[str]) -> tuple[str, ...]:
    """How two lists of names differ, in words; order does not count."""
    counted = Counter(found)
    missing = [name for name in expected if name not in counted]
    extra = [name for name in counted if name not in expected]
    twice = sorted(name for name, times in counted.items() if times > 1)
    words = []
    for name in list(missing):
        # A hostile header can hold many thousand names: compare with the first of them only.
        near = {_spelt(e): e for e in extra[:SPELLINGS] if len(e) < 2 * len(name)}
        close = difflib.get_close_matches(_spelt(name), near, n=1, cutoff=0.8)
        if close:
            words.append(f"{near[close[0]]!r} instead of {name!r}")
            missing.remove(name)
            extra.remove(near[close[0]])
    if missing:
        words.append(f"missing {', '.join(missing)}")
    if extra:
        more = f" and {len(extra) - 20:,} more" if len(extra) > 20 else ""
        words.append(f"unexpected {', '.join(e[:60] for e in extra[:20])}{more}")
    if twice:
        words.append(f"twice {', '.join(t[:60] for t in twice[:20])}")
    return tuple(words)


def _spelt(name: str) -> str:
    """A name without what spellings differ in: case, underscores, blanks."""
    return re.sub(r"[\W_]+", "", name).lower()
