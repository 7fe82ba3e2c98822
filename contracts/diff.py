"""What changed in the contracts against another git revision, and whether readers can bear it.

Kinds, from harmless to harmful: ``text`` (words, owners), ``rules`` (what the gate asks),
``additive`` (more than before), ``breaking`` (less, or another meaning). A breaking change needs a
new major version and a line in the contract's ``changelog`` for it.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contracts.catalogue import HOME, Catalogue, load_catalogue
from contracts.errors import TerminalError
from contracts.finding import Finding, finding
from contracts.model import Column, Contract, Rule, Sla
from contracts.standards import Standards

ChangeKind = Literal["text", "rules", "additive", "breaking"]


@dataclass(frozen=True)
class Change:
    """One difference in one contract; ``before`` and ``after`` are None where there is nothing."""

    product: str
    kind: ChangeKind
    what: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        sides = f"{self.before or '(none)'} -> {self.after or '(none)'}"
        return f"{self.product} {self.kind}: {self.what}: {sides}"


class RevisionUnreadableError(TerminalError):
    """Raised when a revision, or the contracts in it, cannot be read from git."""

    code = "revision-unreadable"

    def __init__(self, revision: str, reason: str) -> None:
        self.revision, self.reason = revision, reason
        super().__init__(
            f"cannot read the contracts of revision {revision!r}: {reason}",
            next_step="Name a commit, branch or tag that holds contracts/, and fetch it first.",
        )


def diff(revision: str, root: Path | None = None) -> tuple[Change, ...]:
    """Compare the contracts under ``root`` (default: this package's) with a git revision's."""
    root = root or HOME
    before = at_revision(revision, root)
    return changes(before, load_catalogue(root))


def at_revision(revision: str, root: Path) -> Catalogue:
    """Load the contracts as a revision has them; nothing is checked out."""
    root = root.resolve()
    git = ["git", "-C", str(root.parent)]
    if revision.startswith("-"):
        raise RevisionUnreadableError(revision, "it looks like an option")
    prefix = subprocess.run([*git, "rev-parse", "--show-prefix"], capture_output=True, text=True)
    path = f"{prefix.stdout.strip()}{root.name}"
    archive = subprocess.run(
        ["git", "-C", str(root.parent), "archive", "--format=tar", f"{revision}:{path}"],
        capture_output=True,
    )
    if archive.returncode != 0:
        lines = archive.stderr.decode(errors="replace").strip().splitlines()
        raise RevisionUnreadableError(revision, lines[-1] if lines else "git failed")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        return load_catalogue(Path(folder))


def changes(before: Catalogue, after: Catalogue) -> tuple[Change, ...]:
    """List every change, by product; pure."""
    found: list[Change] = []
    for product in sorted({*before.contracts, *after.contracts}):
        old, new = before.contracts.get(product), after.contracts.get(product)
        if new is None and old is not None:
            found.append(Change(product, "breaking", "product", old.version, None))
        elif old is None and new is not None:
            found.append(Change(product, "additive", "product", None, new.version))
        elif old is not None and new is not None:
            found += _contract(old, new)
            found += _codes(product, new, before.standards, after.standards)
    return tuple(found)


def refusals(
    found: tuple[Change, ...], before: Catalogue, after: Catalogue, root: Path | None = None
) -> tuple[Finding, ...]:
    """Return a finding for each product with breaking changes and no new major version and note.

    A product may go when its last contract was already deprecated or retired.
    """
    root = root or HOME
    findings = []
    for product in dict.fromkeys(c.product for c in found if c.kind == "breaking"):
        what = ", ".join(c.what for c in found if c.product == product and c.kind == "breaking")
        old, new = before[product], after.contracts.get(product)
        file = root / old.layer / f"{old.name}.yaml"
        if new is None:
            if old.status not in {"deprecated", "retired"}:
                findings.append(
                    finding(
                        root, file, (), f"{product} was removed while {old.status}",
                        "Set its status to deprecated in a release before removing it.",
                    )
                )  # fmt: skip
            continue
        major = _major(new) > _major(old)
        noted = any(n.version == new.version for n in new.changelog)
        if not (major and noted):
            findings.append(
                finding(
                    root, file, ("version",),
                    f"breaking ({what}) between {old.version} and {new.version}",
                    f"Set version {_major(old) + 1}.0.0 and add a changelog note for it.",
                )
            )  # fmt: skip
    return tuple(findings)


def _major(contract: Contract) -> int:
    head = contract.version.split(".", 1)[0]
    return int(head) if head.isdigit() else 0


def _contract(old: Contract, new: Contract) -> Iterator[Change]:
    def change(kind: ChangeKind, what: str, a: object, b: object) -> Change:
        return Change(new.product, kind, what, _say(a), _say(b))

    for name in ("title", "title_zh", "description", "description_zh", "owner", "steward",
                 "domain", "status", "synonyms", "version"):  # fmt: skip
        if getattr(old, name) != getattr(new, name):
            yield change("text", name, getattr(old, name), getattr(new, name))
    for name in ("key", "interval_column", "scd2"):
        if getattr(old, name) != getattr(new, name):
            yield change("breaking", name, getattr(old, name), getattr(new, name))
    for name in ("flow", "sort_key", "source", "references"):
        if getattr(old, name) != getattr(new, name):
            yield change("additive", name, getattr(old, name), getattr(new, name))
    if old.retention_days != new.retention_days:
        kind: ChangeKind = "breaking" if new.retention_days < old.retention_days else "additive"
        yield change(kind, "retention_days", old.retention_days, new.retention_days)
    if old.sla != new.sla:
        kind = "additive" if _due(new.sla) <= _due(old.sla) else "breaking"
        yield change(kind, "sla", old.sla, new.sla)
    if old.audiences != new.audiences:
        kind = "additive" if set(old.audiences) <= set(new.audiences) else "breaking"
        yield change(kind, "audiences", old.audiences, new.audiences)
    if old.formats != new.formats:
        gone = {f.name for f in old.formats} - {f.name for f in new.formats}
        names = ([f.name for f in old.formats], [f.name for f in new.formats])
        yield change("breaking" if gone else "additive", "formats", *names)
    yield from _columns(old, new)
    yield from _rules(old, new)


def _columns(old: Contract, new: Contract) -> Iterator[Change]:
    before = {c.name: c for c in old.columns}
    after = {c.name: c for c in new.columns}
    for name, column in before.items():
        if name not in after:
            yield Change(new.product, "breaking", f"column {name}", column.type, None)
        else:
            yield from _column(new.product, column, after[name])
    for name, column in after.items():
        if name not in before:
            yield Change(new.product, "additive", f"column {name}", None, column.type)
    kept = [n for n in before if n in after]
    if kept != [n for n in after if n in before]:
        yield Change(new.product, "additive", "column order", _say(tuple(before)), _say(kept))


def _column(product: str, old: Column, new: Column) -> Iterator[Change]:
    def change(kind: ChangeKind, what: str) -> Change:
        a, b = _say(getattr(old, what)), _say(getattr(new, what))
        return Change(product, kind, f"column {new.name} {what}", a, b)

    for what in ("type", "unit"):
        if getattr(old, what) != getattr(new, what):
            yield change("breaking", what)
    if old.required != new.required:
        yield change("rules" if new.required else "breaking", "required")
    if old.classification != new.classification:
        # A higher level takes the column from readers who had it.
        kind: ChangeKind = "breaking" if new.classification > old.classification else "additive"
        yield change(kind, "classification")
    if old.mask != new.mask:
        yield change("breaking", "mask")
    for what in ("code_list", "critical", "values_from"):
        if getattr(old, what) != getattr(new, what):
            yield change("rules", what)
    for what in ("title", "title_zh", "description", "description_zh"):
        if getattr(old, what) != getattr(new, what):
            yield change("text", what)


def _rules(old: Contract, new: Contract) -> Iterator[Change]:
    before, after = {r.id: r for r in old.rules}, {r.id: r for r in new.rules}
    for rule_id in sorted({*before, *after}):
        a, b = before.get(rule_id), after.get(rule_id)
        what = f"rule {rule_id}"
        if a is None or b is None or a.fingerprint != b.fingerprint:
            yield Change(
                new.product, "rules", what,
                None if a is None else _rule_words(a), None if b is None else _rule_words(b),
            )  # fmt: skip
        elif (a.description, a.description_zh) != (b.description, b.description_zh):
            yield Change(new.product, "text", what, a.description, b.description)


def _rule_words(rule: Rule) -> str:
    plain = rule.model_dump(mode="json", exclude_defaults=True)
    shown = {k: v for k, v in plain.items() if k not in {"id", "description", "description_zh"}}
    return ", ".join(f"{k}={v}" for k, v in shown.items())


def _codes(
    product: str, contract: Contract, before: Standards, after: Standards
) -> Iterator[Change]:
    names = {c.code_list for c in contract.columns} | {r.code_list for r in contract.rules}
    for name in sorted(n for n in names if n is not None):
        a, b = before.code_lists.get(name), after.code_lists.get(name)
        if a is not None and b is not None and set(a.codes) != set(b.codes):
            # The gate then asks for something else, though no rule's text changed.
            yield Change(product, "rules", f"code list {name}", _say(a.codes), _say(b.codes))


def _due(sla: Sla | None) -> tuple[int, str]:
    return (9999, "") if sla is None else (sla.days_after, sla.due)


def _say(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return ", ".join(str(_say(v)) for v in value)
    if isinstance(value, Sla):
        return f"{value.due} +{value.days_after}d"
    return str(value)
