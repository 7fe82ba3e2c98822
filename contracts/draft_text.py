"""The texts of a draft: YAML with its evidence as comments, a job, a test."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.draft import Draft, DraftColumn

_HEAD = """\
# Drafted from {sample} ({rows} rows{part}). Decide every TODO; `exlake contracts lint` lists them.
apiVersion: v3.1.0
kind: DataContract
id: {product}
name: {product}
version: 1.0.0
status: draft
domain: {area}
description:
  purpose: "TODO: what one row is, who delivers it and who uses it."
team:
  members:
    - {{username: TODO, role: owner}}
    - {{username: TODO, role: steward}}
slaProperties:
  - {{property: due, value: "18:00"}} # Beijing time, on the trade date
  - {{property: retention, value: 3650, unit: d}}
customProperties:
  - {{property: titleZh, value: TODO}}
  - {{property: flow, value: {flow}}}
"""


def fields_text(draft: Draft) -> str:
    """Return the field definitions the dictionary lacks; empty when it knows every column."""
    new = [c for c in draft.columns if c.known is None]
    if not new:
        return ""
    lines = [
        f"# Fields of {draft.name} new to the dictionary, from {draft.sample.file.name}.",
        "# Classification: 1 public, 2 internal, 3 sensitive, 4 highly sensitive.",
    ]
    for column in new:
        chinese = re.search(r"[\u4e00-\u9fff]", column.profile.source)
        lines += [
            f"# {column.profile.evidence}",
            f"{draft.name}.{column.name}:",
            f'  type: "{column.profile.type}"',
            f"  title: {_quoted(_title(column.name))}",
            f"  title_zh: {_quoted(column.profile.source) if chinese else 'TODO'}",
            '  description: "TODO: what it means, its unit, its classification."',
            "  classification: 2",
        ]
    return "\n".join(lines) + "\n"


def bronze_text(draft: Draft) -> str:
    """Return the bronze contract: the file as delivered."""
    rename = {c.profile.source: c.name for c in draft.columns if c.profile.source != c.name}
    form: dict[str, object] = {
        "name": "v1", "kind": draft.sample.kind, "file": draft.file_pattern,
        "encoding": [draft.sample.encoding], "system": draft.name,
    }  # fmt: skip
    if draft.sample.kind == "csv" and draft.sample.delimiter != ",":
        form["delimiter"] = draft.sample.delimiter
    if draft.sample.headerless:
        form["headerless"] = True
    elif rename:
        form["rename"] = rename
    lines = [
        _head(draft, "bronze"),
        f"  - {{property: source, value: {draft.name}}}",
        "  - property: formats",
        "    value:",
        *_block(form),
        "schema:",
        f"  - name: {draft.name}",
        f"    businessName: {_title(draft.name)} as delivered",
        "    properties: # in the file's order; bronze columns are text",
        *(
            f"      - {{name: {c.name}{', primaryKey: true' if c.name in draft.key else ''}}}"
            for c in draft.columns
        ),
        "    quality:",
        _rule(f"name: {draft.name}.row_count, ", "kind: row_count", "critical"),
        _rule(f"name: {draft.name}.freshness, ", "kind: freshness", "warning"),
    ]
    return "\n".join(lines) + "\n"


def silver_text(draft: Draft) -> str:
    """Return the silver contract: typed, keyed, with the rules the sample suggests."""
    lines = [
        _head(draft, "silver"),
        "  - {property: lineage, value: row}",
        "  - {property: audiences, value: [analyst, surveillance]}",
        "schema:",
        f"  - name: {draft.name}",
        f"    businessName: {_title(draft.name)}",
        "    properties:",
    ]
    if "trade_date" not in (c.name for c in draft.columns):
        lines.append("      - {name: trade_date, primaryKey: true} # the delivery's interval")
    if draft.key:
        lines.append(f"      # key: {', '.join(draft.key)} is unique in the sample")
    else:
        lines.append("      # key: no one to three columns are unique in the sample; choose one")
    for column in draft.columns:
        lines += _column(draft, column)
    lines.append("    quality:")
    lines.append(_rule(f"name: {draft.name}.row_count, ", "kind: row_count", "critical"))
    if not draft.key:
        lines.append(
            _rule(
                f'name: {draft.name}.key.unique, description: "TODO: choose a key", ',
                "kind: unique", "info",
            )
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def job_text(draft: Draft) -> str:
    """Return the job module."""
    delivered = any(c.name == "trade_date" for c in draft.columns)
    given = "" if delivered else ', {"trade_date": "_interval"}'
    return f'''"""{_title(draft.name)}: the delivered rows, typed by the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, job, same
from pipelines.trading.delivered import delivered_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("{draft.product}", version=1, inputs=(same("bronze.{draft.name}"),))
def {draft.name}(inputs: Inputs) -> DataFrame:
    """One row per delivered row; ``trade_date`` is the delivery's interval."""
    return delivered_rows(inputs, "bronze.{draft.name}"{given})
'''


def test_text(draft: Draft) -> str:
    """Return a first test: the contract loads, has its key and reads what bronze delivers."""
    columns = json.dumps([c.name for c in draft.columns])
    return f'''from __future__ import annotations

from contracts.load import load_catalogue

DELIVERED = {_wrapped(columns)}


def test_every_delivered_column_is_carried() -> None:
    """No column that the sample held is lost between the file and {draft.product}."""
    catalogue = load_catalogue()
    bronze = [c.name for c in catalogue["bronze.{draft.name}"].business_columns]
    silver = [c.name for c in catalogue["{draft.product}"].business_columns]
    assert bronze == DELIVERED
    assert set(DELIVERED) <= set(silver)
    assert catalogue["{draft.product}"].interval_column == "trade_date"
'''


def _column(draft: Draft, column: DraftColumn) -> list[str]:
    """Write one silver column: its key mark, its evidence, the rules the sample suggests."""
    seen = column.profile
    parts = [f"name: {column.name}"]
    if column.name in draft.key or column.name == "trade_date":
        parts.append("primaryKey: true")
    elif seen.given == seen.rows:
        parts.append("required: true")
    rules = []
    coded = column.known is not None and column.known.code_list is not None
    if seen.codes and not coded and column.name not in draft.key:
        values = json.dumps(list(seen.codes), ensure_ascii=False)
        rules.append(_suggested(f"kind: codes, values: {values}"))
    if seen.low is not None and column.type.startswith(("int", "bigint", "decimal")):
        number = float(seen.low)
        if number >= 0:
            rules.append(_suggested("kind: range, min: 0"))
    evidence = f"      # {seen.evidence}"
    if column.known is not None and column.known.type != seen.type:
        evidence += f"; looks like {seen.type}, the dictionary says {column.known.type}"
    if not rules:
        return [evidence, f"      - {{{', '.join(parts)}}}"]
    block = [f"      - {parts[0]}", *(f"        {p}" for p in parts[1:]), "        quality:"]
    return [evidence, *block, *rules]


def _block(form: dict[str, object]) -> list[str]:
    lines = [
        f"{key}: " + (f"'{value}'" if key == "file" else json.dumps(value, ensure_ascii=False))
        for key, value in form.items()
    ]
    return [f"      - {lines[0]}", *(f"        {line}" for line in lines[1:])]


def _suggested(implementation: str) -> str:
    # A warning: what one sample never showed may still be right.
    return (
        "          - {type: custom, engine: exlake, severity: warning, "
        f"implementation: {{{implementation}}}}}"
    )


def _rule(head: str, implementation: str, severity: str) -> str:
    return (
        f"      - {{{head}type: custom, engine: exlake, severity: {severity}, "
        f"implementation: {{{implementation}}}}}"
    )


def _head(draft: Draft, layer: str) -> str:
    return _HEAD.format(
        sample=draft.sample.file.name,
        rows=len(draft.sample.rows),
        part=", the first of more" if draft.sample.truncated else "",
        product=f"{layer}.{draft.name}",
        area=draft.area,
        flow=draft.flow,
    ).rstrip("\n")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _wrapped(json_list: str) -> str:
    if len(json_list) <= 85:
        return json_list
    items = json_list.strip("[]").split(", ")
    return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
