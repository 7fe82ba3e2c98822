"""Our own policy for contracts, beyond the standard: each check yields what breaks it.

A violation is (where, message, mend); ``where`` is a key, ``ours:<custom property>``,
``column:<name>`` or ``rule:<id>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from contracts.catalogue import Catalogue
from contracts.implied import SCD2_COLUMNS
from contracts.model import Column, Contract, Format, Read, Rule
from contracts.sql_guard import SqlRefusedError, guard, outputs, unknown_columns

Violation = tuple[str, str, str]
FLOWS = (
    "reference", "trading_day", "external", "marts", "sentiment", "surveillance", "members",
)  # fmt: skip
STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_NOT_CHINESE = re.compile(r"(?!.*(?:TODO|[\u4e00-\u9fff])).*", re.DOTALL)
_DUE = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_LAYERS = {"bronze": 0, "silver": 1, "gold": 2}
_NUMERIC = ("int", "bigint", "decimal")
_UNPORTABLE = re.compile(r"\\[dDwWsSbBpP]|\(\?[^:]|[*+?}]\+")


def policy(contract: Contract, catalogue: Catalogue) -> Iterator[Violation]:
    """Check what one contract must say."""
    yield from _header(contract, catalogue)
    yield from _shape(contract)
    for column in contract.columns:
        if not column.technical:
            yield from _column(contract, column, catalogue)
    if contract.layer != "bronze":
        yield from _covered(contract)
    for rule in contract.rules:
        yield from _rule(contract, rule, catalogue)


def cross_policy(contract: Contract, catalogue: Catalogue) -> Iterator[Violation]:
    """Check what a contract says of others: references, reads and SQL over them."""
    for reference in contract.references:
        target = catalogue.contracts.get(reference.to_product)
        where = f"column:{reference.columns[0]}"
        if target is None:
            yield where, f"refers to unknown product {reference.to_product}", "Correct the name."
            continue
        known = {c.name for c in target.columns}
        for name in reference.to_columns:
            if name not in known:
                yield where, f"{reference.to_product} has no column {name}", "Correct the name."
    yield from _successor(contract, catalogue)
    for rule in contract.rules:
        yield from _reads(contract, rule, catalogue)


def _header(contract: Contract, catalogue: Catalogue) -> Iterator[Violation]:
    if not _VERSION.fullmatch(contract.version):
        yield "version", f"version {contract.version!r}", "Write three numbers: 1.0.0."
    if contract.status not in STATUSES:
        yield "status", f"status {contract.status!r}", f"Use one of: {', '.join(STATUSES)}."
    if contract.flow not in FLOWS:
        yield "ours:flow", f"unknown flow {contract.flow!r}", f"Use one of: {', '.join(FLOWS)}."
    if _NOT_CHINESE.fullmatch(contract.title_zh):
        yield "ours:titleZh", "the Chinese title holds no Chinese", "Write it in Chinese."
    if _CHINESE.search(contract.title):
        yield "schema", "the English title holds Chinese", "Write businessName in English."
    if len(contract.description) < 10:
        yield "description", "the purpose says too little", "Say what a row is and who uses it."
    for name in contract.audiences:
        if name not in catalogue.audiences:
            yield "ours:audiences", f"unknown audience {name!r}", "See standards/audiences.yaml."
    if contract.retention_days < 1:
        yield "slaProperties", "retention below one day", "Write a number of days."
    yield from _due(contract)


def _successor(contract: Contract, catalogue: Catalogue) -> Iterator[Violation]:
    """A product that ends names the one of the next major version that takes over."""
    if contract.ends_on is None and contract.replaced_by is None:
        return
    if contract.ends_on is None or contract.replaced_by is None:
        yield "customProperties", "endsOn and replacedBy belong together", "Write both."
        return
    if contract.status != "deprecated":
        yield "status", f"it ends and is {contract.status}", "Set the status to deprecated."
    after = catalogue.contracts.get(contract.replaced_by)
    if after is None or after.layer != contract.layer:
        yield (
            "ours:replacedBy",
            f"{contract.replaced_by} is no {contract.layer} product",
            "Name it.",
        )
    elif _major(after) <= _major(contract):
        mend = f"Give {after.product} version {_major(contract) + 1}.0.0."
        yield "ours:replacedBy", f"{after.product} is no later major version", mend


def _major(contract: Contract) -> int:
    head = contract.version.split(".", 1)[0]
    return int(head) if head.isdigit() else 0


def _due(contract: Contract) -> Iterator[Violation]:
    if contract.sla is None:
        if contract.layer != "bronze":
            yield "slaProperties", "no due time", '{property: due, value: "16:30"} (Beijing time)'
    elif not _DUE.fullmatch(contract.sla.due):
        yield "slaProperties", f"due {contract.sla.due!r}", 'Write HH:MM in quotes, e.g. "16:30".'
    elif contract.sla.days_after < 0:
        yield "slaProperties", "daysAfter is negative", "Count trade dates from 0."


def _shape(contract: Contract) -> Iterator[Violation]:
    bronze = contract.layer == "bronze"
    # Records kept whole as JSON text have no key of their own; corrections then replace the file.
    whole = bronze and all(f.kind in {"dat", "json", "html"} for f in contract.formats)
    if not contract.key and not whole:
        yield "schema", "no key", "Mark the key columns with primaryKey: true."
    if bronze:
        yield from _delivered(contract)
    elif contract.source or contract.formats:
        yield "customProperties", "source and formats belong to bronze", "Remove them here."
    if contract.scd2:
        yield from _dimension(contract)
    interval = contract.interval_column
    if interval is not None and contract.column(interval).type != "date":
        yield "ours:intervalColumn", f"{interval} is not a date", "Name a date column."


def _delivered(contract: Contract) -> Iterator[Violation]:
    if not contract.source or not contract.formats:
        yield "customProperties", "bronze without source or formats", "Add both."
    names = [f.name for f in contract.formats]
    if len(set(names)) != len(names):
        yield "ours:formats", "two formats share a name", "Rename one."
    for form in contract.formats:
        yield from _format(form, {c.name for c in contract.business_columns})


def _dimension(contract: Contract) -> Iterator[Violation]:
    names = [c.name for c in contract.columns]
    missing = [c for c in SCD2_COLUMNS if c not in names]
    if missing:
        yield "schema", f"scd2 without {', '.join(missing)}", "List those columns."
    if not {"valid_from", "known_from"} <= set(contract.key):
        yield "schema", "scd2 key lacks valid_from or known_from", "Add them to the key."
    if contract.interval_column is not None:
        yield "ours:intervalColumn", "a dimension is one interval", "Remove it."


def _format(form: Format, columns: set[str]) -> Iterator[Violation]:
    pattern = form.file
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        yield "ours:formats", f"file pattern {pattern!r}: {error}", "Correct the expression."
        return
    try:
        re.compile(form.record or "")
    except re.error as error:
        yield "ours:formats", f"record pattern {form.record!r}: {error}", "Correct the expression."
    if form.record is not None and not form.headerless:
        yield "ours:formats", f"{form.name}: record without headerless", "A header is its probe."
    unknown = groups - {"date", "publisher"} - columns
    if unknown:
        words = ", ".join(sorted(unknown))
        yield "ours:formats", f"unknown group {words}", "date, publisher, or a column's name"
    if form.date_column is not None and form.date_column not in columns:
        yield "ours:formats", f"{form.name}: no column {form.date_column}", "Name a column."
    if form.date_column is not None and ("date" in groups or form.interval is not None):
        yield "ours:formats", f"{form.name}: dated twice", "Name, fixed interval or column: one."
    if ("publisher" in groups) != bool(form.publishers):
        yield "ours:formats", f"{form.name}: group and list of publishers", "Give both, or none."


def _column(contract: Contract, column: Column, catalogue: Catalogue) -> Iterator[Violation]:
    where = f"column:{column.name}"
    if _NOT_CHINESE.fullmatch(column.title_zh):
        yield where, f"{column.name}: the Chinese title holds no Chinese", "Write it in Chinese."
    if _CHINESE.search(column.title):
        yield where, f"{column.name}: the English title holds Chinese", "Write it in English."
    if column.code_list is not None and column.code_list not in catalogue.code_lists:
        yield where, f"unknown code list {column.code_list!r}", "Add it to standards/codes.yaml."
    if column.type.startswith(("float", "double")) and contract.layer != "bronze":
        yield where, f"{column.name} is a float", "Use decimal(p,s) of stated scale."
    clearances = [
        catalogue.audiences[a].clearance for a in contract.audiences if a in catalogue.audiences
    ]
    if column.classification >= 3 and column.mask is None and min(clearances, default=4) < 3:
        yield where, f"{column.name} is sensitive and served, but has no mask", "hash or drop"


def _covered(contract: Contract) -> Iterator[Violation]:
    looked_at: set[str] = set()
    for rule in contract.rules:
        looked_at.update(rule.columns)
        if rule.sql:
            looked_at.update(re.findall(r"[a-z_][a-z0-9_]*", rule.sql))
    for column in contract.columns:
        wanted = column.name in contract.key or column.critical
        if wanted and not column.technical and column.name not in looked_at:
            what = "key" if column.name in contract.key else "critical"
            yield (
                f"column:{column.name}",
                f"no rule looks at the {what} column {column.name}",
                "Make it required, or add a rule for it.",
            )


def _rule(contract: Contract, rule: Rule, catalogue: Catalogue) -> Iterator[Violation]:
    where = f"rule:{rule.id}"
    if rule.code_list is not None and rule.code_list not in catalogue.code_lists:
        yield where, f"unknown code list {rule.code_list!r}", "Add it to standards/codes.yaml."
    if rule.kind == "codes" and not rule.values and rule.code_list is None:
        yield where, "codes without code_list or values", "Add one of them."
    if rule.kind == "freshness" and contract.sla is None:
        yield where, "freshness without a due time", "Add slaProperties due."
    if rule.kind == "parsed" and not contract.row_lineage:
        yield where, "parsed needs row lineage", "Add the custom property lineage: row."
    if rule.kind == "matches":
        yield from _pattern(where, contract.column(rule.columns[0]).type, str(rule.pattern))
    if rule.kind == "range":
        type_ = contract.column(rule.columns[0]).type
        for bound in (rule.min, rule.max):
            if bound is not None and not _is_literal(type_, bound):
                yield where, f"bound {bound!r} is no {type_}", "Write a constant of that type."
    if rule.is_row_rule and rule.scope == "accepted":
        yield where, "row rules count on the built batch", "Remove scope: accepted."
    if rule.kind in {"row_count", "freshness"} and rule.tolerance:
        yield where, f"{rule.kind} knows no tolerance", "Remove it."


def _pattern(where: str, type_: str, pattern: str) -> Iterator[Violation]:
    if type_ != "string":
        yield where, f"matches on a {type_} column", "Only strings match a pattern."
    try:
        re.compile(pattern)
    except re.error as error:
        yield where, f"pattern {pattern!r}: {error}", "Correct the expression."
        return
    found = _UNPORTABLE.search(pattern)
    if found:
        yield (
            where,
            f"{found.group()!r} means different things in Spark, Python and DuckDB",
            "Spell it out, e.g. [0-9] for \\d.",
        )


def _is_literal(type_: str, text: str) -> bool:
    try:
        if type_ == "date":
            date.fromisoformat(text)
        elif type_ == "timestamp":
            datetime.fromisoformat(text)
        elif type_.startswith(_NUMERIC):
            return Decimal(text).is_finite()
        else:
            return False
    except (ValueError, InvalidOperation):
        return False
    return True


def view_columns(read: Read, target: Contract) -> list[str]:
    """Return the columns a rule sees of a product it reads.

    Rows of ``previous`` intervals also say, in ``_for_interval``, for which interval they are read.
    """
    names = [c.name for c in target.columns]
    return [*names, "_for_interval"] if read.how == "previous" else names


def _reads(contract: Contract, rule: Rule, catalogue: Catalogue) -> Iterator[Violation]:
    where = f"rule:{rule.id}"
    for read in rule.reads:
        target = catalogue.contracts.get(read.product)
        if target is None:
            yield where, f"reads unknown product {read.product}", "Correct the name."
            return
        if read.product == contract.product and read.how != "previous":
            yield where, "reads its own product", "Its own rows are `batch`; earlier: previous(n)."
        if _LAYERS[target.layer] > _LAYERS[contract.layer]:
            yield where, f"reads {read.product}, a later layer", "Put the rule in that product."
        if read.how == "as_of" and not target.scd2:
            yield where, f"{read.product} has no history to read as of", "same, latest or previous"
        if read.how in {"same", "previous"} and target.interval_column is None:
            yield where, f"{read.product} is one interval", "Read it as_of, latest or history."
    if rule.sql is None:
        return
    try:
        tree = guard(rule)
    except SqlRefusedError as refused:
        yield where, refused.problem, refused.mend
        return
    views = {r.product: view_columns(r, catalogue[r.product]) for r in rule.reads}
    for name in unknown_columns(rule, contract, views):
        yield where, f"SQL: {name}", "Use columns of batch and of the products in reads."
    wanted = {"rows": set(contract.key), "reconcile": {"expected", "actual"}}.get(rule.kind, set())
    if rule.kind == "reconcile" and contract.interval_column is not None:
        wanted.add(contract.interval_column)
    found = set(outputs(tree)) if tree is not None else set()
    if wanted - found:
        missing = ", ".join(sorted(wanted - found))
        yield where, f"the SELECT does not yield {missing}", "Name every output column."
