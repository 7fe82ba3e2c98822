from __future__ import annotations

import os
from pathlib import Path

import pytest
from contract_cases import edit

from contracts.catalogue import HOME, contract_files
from contracts.lint import lint
from contracts.odcs_schema import schema_problems
from contracts.yaml_text import read_yaml

HERE = Path(__file__).resolve()
SHARED = Path(os.environ.get("EXLAKE_SHARED", HERE.parents[2].parent / "shared"))
OFFICIAL = SHARED / "schemas" / "odcs" / "odcs-json-schema-v3.1.0.json"


def test_our_contracts_are_clean() -> None:
    """Every contract of the platform keeps the ODCS schema (as its package ships it) and policy."""
    assert [str(f) for f in lint()] == []


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official schema's folder is not here")
def test_our_contracts_keep_the_official_schema() -> None:
    """The same holds against the official v3.1.0 schema file."""
    problems = {
        file.name: found
        for file in contract_files(HOME)
        if (found := list(schema_problems(read_yaml(file), OFFICIAL)))
    }
    assert problems == {}


def test_the_test_folder_is_clean(root: Path) -> None:
    """The folder that the next test breaks is clean before."""
    assert lint(root) == ()


ZH = "value: 测试}"
ENDS = "\n  - {property: endsOn, value: '2026-06-30'}"
AFTER = "\n  - {property: replacedBy, value: silver.client}"
HOLD = "\n  - {property: legalHold, value: [{first: '2026-01-05', reason: a case}]}"
EDITS = [
    ("businessName: Deals", "businessName: TODO", "silver/deal.yaml", "undecided (TODO)"),
    ("businessName: Deals", "businessName: 成交", "silver/deal.yaml", "English title"),
    ("value: 测试", "value: Deals", "silver/deal.yaml", "no Chinese"),
    ("value: trading_day", "value: nightly", "silver/deal.yaml", "unknown flow"),
    ('due, value: "17:00"', 'due, value: "25:00"', "silver/deal.yaml", "due '25:00'"),
    ("[analyst]", "[analysts]", "silver/deal.yaml", "unknown audience"),
    ("version: 1.0.0", "version: one", "silver/deal.yaml", "version 'one'"),
    ("status: active", "status: fine", "silver/deal.yaml", "status 'fine'"),
    ("A table made for tests.", "Deals.", "silver/deal.yaml", "says too little"),
    ("pattern: '[0-9]{3}'", "pattern: '\\d{3}'", "silver/deal.yaml", "different things"),
    ("max: 100", "max: many", "silver/deal.yaml", "bound 'many'"),
    ("memo <> deal_id", "note <> deal_id", "silver/deal.yaml", "SQL: note"),
    ("SELECT b.trade_date, b.deal_id FROM", "SELECT b.deal_id FROM", "silver/deal.yaml",
     "does not yield trade_date"),
    ("FROM batch b", "FROM silver_client b", "silver/deal.yaml", "does not declare"),
    ("to: silver.client", "to: silver.klient", "silver/deal.yaml", "unknown product silver.klient"),
    ("column: client_id, to: silver.client", "column: client_id, to: silver.client, to_columns: id",
     "silver/deal.yaml", "has no column id"),
    ("to: silver.client}", "to: silver.client, reads: same silver.client}", "silver/deal.yaml",
     "is one interval"),
    ("hash, description: Client", "drop, description: TODO", "standards/fields.yaml", "undecided"),
    ("mask: hash, ", "", "standards/fields.yaml", "has no mask"),
    ("      - {name: known_to}\n", "", "silver/client.yaml", "scd2 without known_to"),
    ("{name: known_from, primaryKey: true}", "{name: known_from}", "silver/client.yaml",
     "scd2 key lacks"),
    ("businessName: Deals", "businessName: Deals\n    tagz: [a]", "silver/deal.yaml", "tagz"),
    ("- {username: anna, role: owner}", "- {user: anna, role: owner}", "silver/deal.yaml", "user"),
    (ZH, f"{ZH}{ENDS}", "silver/deal.yaml", "belong together"),
    (ZH, f"{ZH}{ENDS}{AFTER}", "silver/deal.yaml", "no later major"),
    (ZH, f"{ZH}{ENDS}".replace("2026-06-30", "June"), "silver/deal.yaml", "'June' is not a date"),
    (ZH, f"{ZH}{HOLD}", "silver/deal.yaml", "is not a date"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "file", "message"), EDITS)
def test_lint_finds_and_says_how_to_mend(
    root: Path, old: str, new: str, file: str, message: str
) -> None:
    """Every broken policy is a finding with its file, a line and a mend."""
    edit(root, old, new, file)
    findings = lint(root)
    found = [f for f in findings if message in f.message]
    assert found, [str(f) for f in findings]
    assert found[0].file.startswith("contracts/")
    assert found[0].mend


def test_a_critical_column_needs_a_rule(root: Path) -> None:
    """Key and critical columns are each looked at by some rule."""
    edit(
        root,
        "      - name: price\n        quality:\n          - {type: custom, engine: exlake, "
        'implementation: {kind: range, min: "0.05", max: 100, exclusive_max: true}}\n',
        "      - {name: price}\n",
    )
    assert [f.message for f in lint(root)] == ["no rule looks at the critical column price"]


def test_one_broken_contract_does_not_hide_another(root: Path) -> None:
    """A file that cannot be loaded gives one finding; the others are still checked."""
    edit(root, "kind: matches", "kind: matchs")
    edit(root, "status: active", "status: fine", "silver/client.yaml")
    files = {f.file for f in lint(root)}
    assert files == {"contracts/silver/deal.yaml", "contracts/silver/client.yaml"}
