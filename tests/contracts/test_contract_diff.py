from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from contract_cases import edit, write_root

from contracts.catalogue import load_catalogue
from contracts.diff import RevisionUnreadableError, changes, diff, refusals

DEAL = "silver/deal.yaml"
FIELDS = "standards/fields.yaml"
CASES = [
    ("A table made for tests.", "Another text for tests.", DEAL, "text", "description"),
    ("username: anna", "username: carl", DEAL, "text", "owner"),
    ("title_zh: 备注", "title_zh: 备注", DEAL, None, None),
    ("titleZh, value: 备注", "titleZh, value: 注释", DEAL, "text", "column memo title_zh"),
    ("kind: range, min: 1}", "kind: range, min: 2}", DEAL, "rules", "rule deal.lots.range"),
    ("tolerance: 0.5", "tolerance: 0.4", DEAL, "rules", "rule deal.client.lots"),
    ("S: [Sell, 卖]", "S: [Sell, 卖], N: [None, 无]", "standards/codes.yaml", "rules",
     "code list side"),
    ("- {name: side}", "- {name: side, required: true}", DEAL, "rules", "column side required"),
    ("- {name: side}", "- {name: side}\n      - {name: known_to}", DEAL, "additive",
     "column known_to"),
    ("value: 30,", "value: 60,", DEAL, "additive", "retention_days"),
    ("value: 30,", "value: 10,", DEAL, "breaking", "retention_days"),
    ("      - {name: side}\n", "", DEAL, "breaking", "column side"),
    ('"decimal(18,4)"', '"decimal(18,2)"', FIELDS, "breaking", "column price type"),
    ("unit: yuan", "unit: fen", FIELDS, "breaking", "column price unit"),
    ("classification: 3", "classification: 4", FIELDS, "breaking",
     "column client_id classification"),
    ("deal_id, primaryKey: true", "deal_id, required: true", DEAL, "breaking", "key"),
    ("[analyst]", "[]", DEAL, "breaking", "audiences"),
    ('"17:00"', '"18:00"', DEAL, "breaking", "sla"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "file", "kind", "what"), CASES)
def test_changes_are_classified(
    root: Path,
    tmp_path: Path,
    old: str,
    new: str,
    file: str,
    kind: str | None,
    what: str | None,
) -> None:
    """Each change is text, rules, additive or breaking, and breaking ones are not let through."""
    before = load_catalogue(root)
    if kind is None:
        assert changes(before, before) == ()
        return
    edit(root, old, new, file)
    after = load_catalogue(root)
    found = changes(before, after)
    deal = [(c.kind, c.what) for c in found if c.product == "silver.deal"]
    assert (kind, what) in deal, deal
    assert bool(refusals(found, before, after, root)) == any(k == "breaking" for k, _ in deal)


def test_a_breaking_change_passes_with_major_version_and_note(root: Path) -> None:
    """A new major version alone is not enough; with a changelog note it is."""
    before = load_catalogue(root)
    edit(root, "      - {name: side}\n", "")
    edit(root, "version: 1.0.0", "version: 2.0.0")
    after = load_catalogue(root)
    (refused,) = refusals(changes(before, after), before, after, root)
    assert refused.file == "contracts/silver/deal.yaml"
    assert "changelog" in refused.mend
    edit(
        root,
        "schema:\n",
        '  - {property: changelog, value: [{version: 2.0.0, note: "side is gone"}]}\nschema:\n',
    )
    after = load_catalogue(root)
    assert refusals(changes(before, after), before, after, root) == ()


def test_a_product_goes_only_after_deprecation(root: Path) -> None:
    """Removing an active product is refused, removing a deprecated one is not."""
    before = load_catalogue(root)
    (root / DEAL).unlink()
    after = load_catalogue(root)
    assert (
        "removed while active" in refusals(changes(before, after), before, after, root)[0].message
    )


def test_diff_reads_another_revision_from_git(tmp_path: Path) -> None:
    """The other side comes from git without touching the work tree; nonsense is refused."""
    root = write_root(tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.test"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    assert diff("HEAD", root) == ()
    edit(root, '"17:00"', '"16:00"')
    assert [(c.kind, c.what) for c in diff("HEAD", root)] == [("additive", "sla")]
    for nonsense in ("nope", "--output=x"):
        with pytest.raises(RevisionUnreadableError):
            diff(nonsense, root)
