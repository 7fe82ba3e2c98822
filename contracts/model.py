"""The typed contract: what one product promises.

These objects are what every other room reads; the ODCS YAML is only how they
are written down (``contracts.load``). All of them are frozen.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Layer = Literal["bronze", "silver", "gold"]
Severity = Literal["critical", "error", "warning", "info"]
Dimension = Literal[
    "completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness"
]
Scope = Literal["built", "accepted"]
How = Literal["same", "previous", "as_of", "latest", "history"]

ROW_KINDS = frozenset(
    {"not_null", "unique", "range", "codes", "matches", "parsed", "expression", "reference", "rows"}
)
TABLE_KINDS = frozenset({"row_count", "reconcile", "freshness"})
RuleKind = Literal[
    "not_null",
    "unique",
    "range",
    "codes",
    "matches",
    "parsed",
    "expression",
    "reference",
    "rows",
    "row_count",
    "reconcile",
    "freshness",
]


class Frozen(BaseModel):
    """A value object: immutable, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Read(Frozen):
    """What a job or a rule reads of another product.

    ``same``: the same interval; ``previous``: the ``n`` trade dates before;
    ``as_of``: a dimension as valid on the date; ``latest``: the newest full
    delivery of a snapshot; ``history``: every delivery (dimensions only).
    ``optional``: the interval is built without it when it is not there. ``alternative``: one of
    several sources of the same facts - optional, and no gap when it is absent.
    """

    product: str
    how: How = "same"
    n: int = 1
    optional: bool = False
    alternative: bool = False


class Column(Frozen):
    """One column. ``type`` is a Spark SQL type: string, int, bigint, boolean,
    date, timestamp (UTC) or decimal(p,s)."""

    name: str
    type: str
    title: str
    title_zh: str
    description: str
    description_zh: str = ""
    unit: str | None = None
    classification: Annotated[int, Field(ge=1, le=4)] = 1
    required: bool = False
    critical: bool = False
    code_list: str | None = None
    mask: Literal["hash", "drop"] | None = None
    technical: bool = False
    """Technical columns (name starts with ``_``) are outside every fingerprint."""
    values_from: str | None = None
    """Additive columns: ``sum`` when a column may be added up over rows."""
    null_means: str = ""
    """What an empty value says; empty text: the standard says nothing of it."""
    null_means_zh: str = ""
    renamed_from: str | None = None
    """The name it had in an earlier version: its stored values are carried over."""
    null_before: date | None = None
    """An added column that stays null, and makes nothing stale, in intervals before this date."""


class Rule(Frozen):
    """One check compiled from a contract.

    Row kinds (a row fails; SQL three-valued: unknown passes, except not_null):
      not_null(column) | unique(columns; later rows of a duplicate key fail)
      | range(column,min,max,exclusive_min) | codes(column; code_list or values)
      | matches(column, pattern: full Java/RE2 regex) | parsed() (``_unparsed`` is null)
      | expression(sql: boolean over the row's own columns, must hold)
      | reference(columns, to_product, to_columns; one of ``reads``)
      | rows(sql: a SELECT of the product's key columns of the FAILING rows, over the view
        ``batch`` and the views of ``reads``, named ``layer_name``)
    Table kinds (the interval fails):
      row_count() (bronze rows of effective deliveries against their manifests)
      | reconcile(sql: SELECT <interval column>, <key...>, expected, actual over ``batch`` and
        ``reads``; fails where they differ by more than ``tolerance_abs``)
      | freshness() (arrived before the contract's SLA due time).
    """

    id: str
    kind: RuleKind
    description: str
    description_zh: str = ""
    dimension: Dimension
    severity: Severity
    columns: tuple[str, ...] = ()
    min: str | None = None
    max: str | None = None
    exclusive_min: bool = False
    exclusive_max: bool = False
    code_list: str | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    sql: str | None = None
    to_product: str | None = None
    to_columns: tuple[str, ...] = ()
    reads: tuple[Read, ...] = ()
    tolerance: float = 0.0
    """Share of failing rows tolerated: above it an ``error`` blocks, a ``critical`` too."""
    tolerance_abs: str = "0"
    """Decimal text: reconcile rules ignore absolute differences up to this."""
    scope: Scope = "built"
    unit: tuple[str, ...] = ()
    """Columns naming the rows that move together when one of them fails."""
    effective_from: date = date(1990, 1, 1)

    @property
    def is_row_rule(self) -> bool:
        """True when the rule fails rows, False when it fails an interval."""
        return self.kind in ROW_KINDS

    @property
    def fingerprint(self) -> str:
        """Digest of everything that can change an outcome (text and severity's words aside)."""
        # A rule reads nothing `alternative`: the key is a job's.
        outside: Any = {"description": True, "description_zh": True,
                        "reads": {"__all__": {"alternative"}}}  # fmt: skip
        body = self.model_dump(mode="json", exclude=outside)
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


class Sla(Frozen):
    """When an interval is due: ``due`` HH:MM Beijing time, ``days_after`` trade dates after it."""

    due: str
    days_after: int = 0


class Format(Frozen):
    """A reader description: how one generation of a source's files looks.

    ``file`` is a regular expression matched against the path below the drop folder (with ``/``);
    named groups: ``date`` (YYYYMMDD), ``publisher`` (see ``publishers``); any other is a bronze
    column that the file's name fills for each of its rows. ``kind`` names a reader.
    Formats are tried in order; the first whose ``file`` matches, whose period holds the interval
    and whose probe agrees is used.
    """

    name: str
    kind: Literal["csv", "jsonl", "json", "dat", "html", "parquet"]
    file: str
    encoding: tuple[str, ...] = ("utf-8", "gb18030")
    delimiter: str = ","
    header: tuple[str, ...] = ()
    """CSV with a header line: the exact names expected (order free). Empty: contract's columns."""
    headerless: bool = False
    record: str | None = None
    """headerless CSV: the probe - a regular expression that the whole first record matches."""
    rename: dict[str, str] = {}
    """Source field -> bronze column, where they differ."""
    sections: tuple[str, ...] = ()
    """dat/json: top-level arrays whose items are records; the rest of the object is the header."""
    required_keys: tuple[str, ...] = ()
    """dat/json: the probe - keys each record of the first section must have."""
    absent_keys: tuple[str, ...] = ()
    """dat/json: the probe - keys no record of the first section may have."""
    date_keys: tuple[str, ...] = ()
    """dat/json: top-level keys that together spell the file's date (YYYYMMDD), if there."""
    data_keys: tuple[str, ...] = ()
    """dat/json: a file in which no record fills any of these holds no data (a holiday's reply)."""
    repeated_keys: Literal["refused", "last"] = "refused"
    """dat/json: a key that comes twice in one object: refused, or the last one counts."""
    mode: Literal["full", "part"] = "full"
    publishers: tuple[str, ...] = ()
    """What the group ``publisher`` of ``file`` may hold, the main publisher's first. Each one's
    file is a part of the interval (a newer file of his takes its place); without the main one's
    the interval is partial."""
    interval: str | None = None
    """A fixed interval (ISO date) for files that carry no date in their name."""
    date_column: str | None = None
    """The bronze column that dates the rows of a file whose name has no date: the interval is the
    latest date in it (YYYYMMDD, YYYY-MM-DD or YYYY/M/D, whatever follows)."""
    valid_from: date = date(1990, 1, 1)
    valid_to: date | None = None
    empty: Literal["allowed", "refused"] = "refused"
    system: str | None = None


class ChangeNote(Frozen):
    """One line of a contract's changelog: what a version changed, and what readers must do."""

    version: str
    note: str


class Reference(Frozen):
    """A foreign key: ``columns`` of this product name ``to_columns`` of ``to_product``."""

    columns: tuple[str, ...]
    to_product: str
    to_columns: tuple[str, ...]


class LegalHold(Frozen):
    """Intervals that no retention removes: dates from ``first`` to ``last``, both included."""

    first: date
    last: date
    reason: str


class Contract(Frozen):
    """What one product promises: schema, rules, owner, SLA, classification, retention, flow."""

    product: str
    version: str
    status: str
    title: str
    title_zh: str
    description: str
    description_zh: str = ""
    domain: str
    owner: str
    steward: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    interval_column: str | None
    """The date column that names the interval; None: the product is one interval, ``all``."""
    scd2: bool = False
    references: tuple[Reference, ...] = ()
    rules: tuple[Rule, ...] = ()
    sla: Sla | None = None
    retention_days: int
    flow: str
    audiences: tuple[str, ...] = ()
    """Audiences whose DuckDB file carries this product."""
    sort_key: tuple[str, ...] = ()
    source: str | None = None
    """Bronze: the delivering system (``exlake land SOURCE``)."""
    formats: tuple[Format, ...] = ()
    """Bronze: reader descriptions."""
    synonyms: tuple[str, ...] = ()
    changelog: tuple[ChangeNote, ...] = ()
    ends_on: date | None = None
    """The last interval that is built: a product of the next major version takes over."""
    replaced_by: str | None = None
    """The product that takes over."""
    legal_holds: tuple[LegalHold, ...] = ()

    @property
    def layer(self) -> str:
        """The part of the product's name before the dot."""
        return self.product.split(".", 1)[0]

    @property
    def name(self) -> str:
        """The part of the product's name after the dot."""
        return self.product.split(".", 1)[1]

    @property
    def business_columns(self) -> tuple[Column, ...]:
        """The columns that fingerprints and hashes cover, in contract order."""
        return tuple(c for c in self.columns if not c.technical)

    @property
    def row_lineage(self) -> bool:
        """True when rows carry ``_delivery_id``, ``_row_number`` and ``_unparsed`` (silver)."""
        return any(c.name == "_unparsed" for c in self.columns)

    def column(self, name: str) -> Column:
        """Return a column by name (KeyError when there is none)."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.product} has no column {name}")

    @property
    def schema_fingerprint(self) -> str:
        """Digest of names and types in order: a change makes stored intervals stale."""
        return self.schema_at(None)

    def schema_at(self, interval: str | None) -> str:
        """``schema_fingerprint`` of the columns that an interval has (None, ``all``: every one)."""
        body: Any = [(c.name, c.type) for c in self.columns if not is_null_at(c, interval)]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:16]


def is_null_at(column: Column, interval: str | None) -> bool:
    """True when a column was added later than the interval and is declared null there."""
    if column.null_before is None or interval is None or not interval[:1].isdigit():
        return False
    return date.fromisoformat(interval) < column.null_before
