"""One Markdown page per product, for readers who never open the YAML."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.catalogue import Catalogue
from contracts.model import Contract, Rule

_LEVELS = {1: "1 public", 2: "2 internal", 3: "3 sensitive", 4: "4 highly sensitive"}


def page(contract: Contract, catalogue: Catalogue) -> str:
    """Return the page: what it is, columns, rules, code lists, changes."""
    parts = [
        f"# {contract.product} {contract.title_zh}",
        f"{contract.title}. {contract.description}"
        + (f"\n\n{contract.description_zh}" if contract.description_zh else ""),
        _facts(contract),
        "## Columns\n\n" + _columns(contract),
    ]
    if contract.rules:
        parts.append("## Rules\n\n" + _rules(contract))
    codes = _codes(contract, catalogue)
    if codes:
        parts.append("## Code lists\n\n" + codes)
    if contract.changelog:
        notes = "\n".join(f"- **{c.version}** {c.note}" for c in contract.changelog)
        parts.append("## Changes\n\n" + notes)
    return "\n\n".join(parts) + "\n"


def _facts(contract: Contract) -> str:
    due = "none"
    if contract.sla is not None:
        days = contract.sla.days_after
        due = f"{contract.sla.due} Beijing time" + (f", {days} trade date(s) later" if days else "")
    rows = [
        ("Version", f"{contract.version} ({contract.status})"),
        ("Owner, steward", f"{contract.owner}, {contract.steward}"),
        ("Key", ", ".join(contract.key) or "none"),
        ("Interval", contract.interval_column or "all"),
        ("Flow", contract.flow),
        ("Due", due),
        ("Kept", f"{contract.retention_days} days"),
    ]
    if contract.audiences:
        rows.append(("Audiences", ", ".join(contract.audiences)))
    if contract.source:
        rows.append(("Source", contract.source))
    return _table(("", ""), rows)


def _columns(contract: Contract) -> str:
    references = {c: r for r in contract.references for c in r.columns}
    rows = []
    for column in contract.columns:
        notes = [column.description]
        if column.unit:
            notes.append(f"Unit: {column.unit}.")
        if column.code_list:
            notes.append(f"Codes: {column.code_list}.")
        if column.name in references:
            notes.append(f"Refers to {references[column.name].to_product}.")
        if column.mask:
            notes.append(f"Above clearance: {column.mask}.")
        rows.append(
            (
                f"`{column.name}`", column.title_zh, column.title, column.type,
                "yes" if column.required else "", _LEVELS[column.classification], " ".join(notes),
            )
        )  # fmt: skip
    return _table(("column", "中文", "title", "type", "required", "level", "meaning"), rows)


def _rules(contract: Contract) -> str:
    rows = [
        (f"`{r.id}`", r.kind, r.dimension, r.severity, r.scope, _tolerance(r), r.description)
        for r in contract.rules
    ]
    return _table(("rule", "kind", "dimension", "severity", "scope", "tolerance", "asks"), rows)


def _tolerance(rule: Rule) -> str:
    if rule.kind == "reconcile":
        return rule.tolerance_abs
    return f"{rule.tolerance:.2%}" if rule.tolerance else "0"


def _codes(contract: Contract, catalogue: Catalogue) -> str:
    used = dict.fromkeys(
        name
        for name in (
            *(c.code_list for c in contract.columns), *(r.code_list for r in contract.rules)
        )
        if name is not None
    )  # fmt: skip
    parts = []
    for name in used:
        codes = catalogue.code_lists.get(name)
        if codes is not None:
            values = ", ".join(f"`{v.code}` {v.title_zh} {v.title}" for v in codes.values)
            parts.append(f"- **{name}** {codes.title_zh}: {values}")
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
