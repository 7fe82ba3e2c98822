"""Great Expectations suites, compiled from the contract alone.

An expectation never looks at a row rule's flag, so that the two counts of failing rows are
independent and can be compared. Where Great Expectations has a native expectation with the same
meaning it is used; otherwise the quality room adds a helper column from ``helper_sql`` and the
expectation judges that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from contracts.catalogue import Catalogue
from contracts.compile.rules import (
    allowed,
    failing_sql,
    full_pattern,
    one_line,
    out_of_range,
    quoted,
    quoted_list,
)
from contracts.model import Contract, Read, Rule

_INTEGER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Expectation:
    """One expectation and the rule it judges.

    ``type`` and ``kwargs`` are Great Expectations' own, all explicit. With ``helper_kind``
    ``column``, ``helper_sql`` is a Spark SQL scalar over the batch (it may hold a window function)
    to be added as the column ``kwargs["column"]``. With ``keys`` it is a SELECT over ``batch`` and
    the views of the rule's reads that yields the columns ``helper_on`` of failing rows: the helper
    column is 1 on rows found there (null-safe on all of ``helper_on``), else 0.
    """

    rule_id: str
    type: str
    kwargs: Mapping[str, Any]
    helper_kind: Literal["column", "keys"] | None = None
    helper_sql: str | None = None
    helper_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """The expectations of one product; ``name`` has no dots, as Great Expectations wants."""

    name: str
    product: str
    expectations: tuple[Expectation, ...]


def suite(contract: Contract, catalogue: Catalogue) -> Suite:
    """Compile one expectation per row rule, in the rules' order.

    Raises SqlRefusedError, and UnknownProductError when a referenced product has no contract.
    """
    rules = [r for r in contract.rules if r.is_row_rule]
    return Suite(
        name=contract.product.replace(".", "_"),
        product=contract.product,
        expectations=tuple(
            _expectation(contract, rule, f"__gx_{i}", catalogue) for i, rule in enumerate(rules)
        ),
    )


def suite_json(contract: Contract, catalogue: Catalogue) -> str:
    """Return a suite as reviewable JSON; rule texts and severities are in ``meta``."""
    compiled = suite(contract, catalogue)
    rules = {r.id: r for r in contract.rules}
    body = {
        "name": compiled.name,
        "meta": {"product": compiled.product, "contract_version": contract.version},
        "expectations": [
            {
                "type": e.type,
                "kwargs": dict(e.kwargs),
                "meta": _meta(e, rules[e.rule_id]),
            }
            for e in compiled.expectations
        ],
    }
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _meta(expectation: Expectation, rule: Rule) -> dict[str, Any]:
    helper = {
        k: v
        for k, v in asdict(expectation).items()
        if k.startswith("helper_") and v not in (None, ())
    }
    since = rule.effective_from.isoformat()
    return {
        "rule_id": rule.id,
        "description": rule.description,
        "dimension": rule.dimension,
        "severity": rule.severity,
        **({"tolerance": rule.tolerance} if rule.tolerance else {}),
        **({"effective_from": since} if rule.effective_from.year > 1990 else {}),
        **helper,
    }


def _expectation(contract: Contract, rule: Rule, helper: str, catalogue: Catalogue) -> Expectation:
    native = _native(contract, rule, catalogue)
    if native is not None:
        type_, kwargs = native
        return Expectation(rule.id, type_, {**kwargs, "mostly": 1.0})
    match rule.kind:
        case "unique":
            present = " AND ".join(f"{quoted(c)} IS NOT NULL" for c in rule.columns)
            sql = f"CASE WHEN {present} THEN row_number() OVER ({_key_window(contract, rule)}) END"
            return _helped(rule, helper, "column", sql, 1)
        case "reference":
            on = _reference_keys(contract, rule)
            return _helped(rule, helper, "keys", _missing_sql(contract, rule, catalogue), 0, on)
        case "rows":
            from contracts.sql_guard import guard, outputs

            tree = guard(rule)
            found = outputs(tree) if tree is not None else ()
            on = contract.key
            if contract.interval_column in found and contract.interval_column not in on:
                on = (*on, str(contract.interval_column))
            return _helped(rule, helper, "keys", one_line(str(rule.sql)), 0, on)
        case "expression":
            from contracts.sql_guard import guard

            guard(rule)
            sql = f"CASE WHEN NOT ({one_line(str(rule.sql))}) THEN 1 ELSE 0 END"
        case "range":
            sql = f"CASE WHEN {' OR '.join(out_of_range(contract, rule))} THEN 1 ELSE 0 END"
        case _:
            sql = f"CASE WHEN {failing_sql(contract, rule, catalogue)} THEN 1 ELSE 0 END"
    return _helped(rule, helper, "column", sql, 0)


def _native(
    contract: Contract, rule: Rule, catalogue: Catalogue
) -> tuple[str, dict[str, Any]] | None:
    """Return the native expectation of a rule, where both engines of GX count as Spark SQL does."""
    if rule.kind == "parsed":
        return "expect_column_values_to_be_null", {"column": "_unparsed"}
    if not rule.columns:
        return None
    column = {"column": rule.columns[0]}
    type_ = contract.column(rule.columns[0]).type
    if rule.kind == "not_null":
        return "expect_column_values_to_not_be_null", column
    if rule.kind == "codes" and type_ == "string":
        codes = list(allowed(rule, catalogue))
        return "expect_column_values_to_be_in_set", {**column, "value_set": codes}
    if rule.kind == "matches" and type_ == "string":
        pattern = full_pattern(str(rule.pattern))
        return "expect_column_values_to_match_regex", {**column, "regex": pattern}
    whole = all(b is None or _INTEGER.fullmatch(b) for b in (rule.min, rule.max))
    if rule.kind == "range" and whole and type_.startswith(("int", "bigint", "decimal")):
        # A bound with a fraction would be a float in one engine and a decimal in the other.
        return "expect_column_values_to_be_between", {
            **column,
            "min_value": None if rule.min is None else int(rule.min),
            "max_value": None if rule.max is None else int(rule.max),
            "strict_min": rule.exclusive_min,
            "strict_max": rule.exclusive_max,
        }
    return None


def _helped(
    rule: Rule,
    helper: str,
    kind: Literal["column", "keys"],
    sql: str,
    good: int,
    on: tuple[str, ...] = (),
) -> Expectation:
    kwargs = {
        "column": helper, "min_value": good, "max_value": good, "strict_min": False,
        "strict_max": False, "mostly": 1.0,
    }  # fmt: skip
    return Expectation(rule.id, "expect_column_values_to_be_between", kwargs, kind, sql, on)


def _key_window(contract: Contract, rule: Rule) -> str:
    # The interval last: rows are sorted by what tells them apart first.
    by = [c for c in rule.columns if c != contract.interval_column]
    if contract.interval_column is not None:
        by.append(contract.interval_column)
    order = ["_delivery_id", "_row_number"] if contract.row_lineage else list(rule.columns)
    return f"PARTITION BY {quoted_list(by)} ORDER BY {quoted_list(order)}"


def _reference_keys(contract: Contract, rule: Rule) -> tuple[str, ...]:
    dates = [d for d in (contract.interval_column, _as_of_date(contract, rule)) if d]
    return tuple(dict.fromkeys([*dates, *rule.columns]))


def _as_of_date(contract: Contract, rule: Rule) -> str | None:
    if _read(rule).how != "as_of":
        return None
    if contract.interval_column is not None:
        return contract.interval_column
    return "valid_from" if any(c.name == "valid_from" for c in contract.columns) else None


def _read(rule: Rule) -> Read:
    for read in rule.reads:
        if read.product == rule.to_product:
            return read
    return Read(product=str(rule.to_product))


def _missing_sql(contract: Contract, rule: Rule, catalogue: Catalogue) -> str:
    """Write the SELECT of referring values that the other product does not hold."""
    target = catalogue[str(rule.to_product)]
    columns = {c.name for c in target.columns}
    pairs = list(zip(rule.columns, rule.to_columns, strict=True))
    interval = contract.interval_column
    if (
        _read(rule).how == "same"
        and interval is not None
        and interval in columns
        and interval not in rule.columns
    ):
        pairs.append((interval, interval))
    match = [f"r.{quoted(b)} = b.{quoted(a)}" for a, b in pairs]
    date = _as_of_date(contract, rule)
    if date is not None and "valid_from" in columns:
        match.append(f"r.`valid_from` <= b.{quoted(date)}")
        match.append(f"(r.`valid_to` IS NULL OR b.{quoted(date)} < r.`valid_to`)")
    given = " AND ".join(f"b.{quoted(c)} IS NOT NULL" for c in rule.columns)
    view = str(rule.to_product).replace(".", "_")
    return (
        f"SELECT DISTINCT {quoted_list(_reference_keys(contract, rule), 'b.')} FROM batch b "
        f"WHERE {given} AND NOT EXISTS (SELECT 1 FROM {view} r WHERE {' AND '.join(match)})"
    )
