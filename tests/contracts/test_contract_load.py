from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from contract_cases import edit

from contracts.catalogue import HOME, UnknownProductError, contract_files, load_catalogue
from contracts.load import load_contract
from contracts.yaml_text import ContractInvalidError, read_yaml


def test_one_contract_says_everything(root: Path) -> None:
    """Dictionary columns need only a name; key, lineage and implied rules come by themselves."""
    deal = load_catalogue(root)["silver.deal"]
    assert deal.key == ("trade_date", "deal_id")
    assert deal.interval_column == "trade_date"
    assert [c.name for c in deal.columns][-3:] == ["_delivery_id", "_row_number", "_unparsed"]
    price = deal.column("price")
    assert (price.type, price.unit, price.critical) == ("decimal(18,4)", "yuan", True)
    rules = {r.id: r for r in deal.rules}
    assert {"deal.parsed", "deal.key.unique", "deal.deal_id.not_null", "deal.side.codes"} <= set(
        rules
    )
    assert rules["deal.price.range"].max == "100"
    assert rules["deal.client.known"].reads[0].how == "as_of"
    assert rules["deal.client.lots"].effective_from.isoformat() == "2026-01-05"
    assert deal.references[0].to_product == "silver.client"


def test_a_written_rule_replaces_the_implied_one(root: Path) -> None:
    """Severity of an implied rule is changed by writing a rule of the same name."""
    edit(
        root,
        "      - {name: deal.row_count",
        "      - {name: deal.side.codes, type: custom, engine: exlake, severity: info,"
        " implementation: {kind: codes, column: side, code_list: side}}\n"
        "      - {name: deal.row_count",
    )
    rules = [r for r in load_catalogue(root)["silver.deal"].rules if r.id == "deal.side.codes"]
    assert [r.severity for r in rules] == ["info"]


BROKEN = [
    ("status: active", "status: active\ncolour: red", "colour", "unknown key 'colour'"),
    ("{name: side}", "{name: side, nam: x}", "schema[0].properties[2].nam", "unknown key 'nam'"),
    ("{name: side}", "{name: sied}", "schema[0].properties[2]", "not in the field dictionary"),
    (
        "{name: side}",
        "{name: side, physicalType: bigint}",
        "schema[0].properties[2].physicalType",
        "differs from the field dictionary",
    ),
    (
        "{name: client_id}",
        '{name: client_id, classification: "1"}',
        "schema[0].properties[3].classification",
        "classified 3",
    ),
    ("physicalType: string", "physicalType: double", "properties[6].physicalType", "not supported"),
    ("kind: matches", "kind: matchs", "quality[1].implementation.kind", "unknown rule kind"),
    ("pattern: '[0-9]{3}'", "patern: x", "implementation.patern", "unknown key"),
    ("column: client_id, pattern", "column: klient, pattern", "quality[1]", "unknown column"),
    ("deal.memo.buy", "memo.buy", "quality[3].name", "another product"),
    ("severity: warning", "severity: loud", "quality[0].severity", "severity 'loud'"),
    ("tolerance: 0.5", "tolerance: 5", "implementation.tolerance", "tolerance 5"),
    ("effective_from: 2026-01-05", "effective_from: soon", "effective_from", "not a date"),
    ("lineage, value: row", "lineage, value: rows", "customProperties[2].value", "lineage"),
    ("property: flow", "property: flows", "customProperties[1]", "'flows' is unknown"),
    ("role: steward", "role: stewart", "team.members", "no steward"),
    ("unit: d", "unit: y", "slaProperties[1]", "in days"),
    ("name: silver.deal", "name: silver.deals", "name", "wrong file"),
    ("apiVersion: v3.1.0", "apiVersion: v2.2.0", "apiVersion", "not a contract we read"),
    ("domain: test", "domain: test\ndomain: again", "the top", "written twice"),
    ("domain: test", "domain: [", "the top", "not readable as YAML"),
    ("kind: reference, column: client_id, to: silver.client",
     "kind: reference, column: client_id, to: silver.client, reads: client",
     "implementation.reads[0]", "not a read"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "problem"), BROKEN)
def test_every_error_names_place_problem_and_mend(
    root: Path, old: str, new: str, path: str, problem: str
) -> None:
    """Unknown keys are errors everywhere, and each error says file, line, path and mend."""
    file = edit(root, old, new)
    with pytest.raises(ContractInvalidError) as caught:
        load_contract(file)
    text = str(caught.value)
    assert caught.value.file == str(file)
    assert path in text
    assert problem in text
    assert caught.value.mend
    shown = file.read_text(encoding="utf-8").splitlines()
    assert caught.value.line is None or 1 <= caught.value.line <= len(shown)


def test_the_line_is_the_right_one(root: Path) -> None:
    """The line number points at the column that is wrong."""
    file = edit(root, "{name: side}", "{name: sied}")
    with pytest.raises(ContractInvalidError) as caught:
        load_contract(file)
    assert caught.value.line is not None
    assert "sied" in file.read_text(encoding="utf-8").splitlines()[caught.value.line - 1]


def test_scalars_are_not_guessed(tmp_path: Path) -> None:
    """YAML 1.1 surprises do not happen: times, NO, leading zeros and dates stay text."""
    file = tmp_path / "x.yaml"
    file.write_text("{a: 16:30, b: NO, c: 0012, d: 2026-01-05, e: 7, f: true}", encoding="utf-8")
    assert read_yaml(file) == {
        "a": "16:30", "b": "NO", "c": "0012", "d": "2026-01-05", "e": 7, "f": True,
    }  # fmt: skip


def test_unknown_products_offer_near_names(root: Path) -> None:
    """A misspelled product is a terminal error that names the near ones."""
    with pytest.raises(UnknownProductError, match=r"silver\.client"):
        load_catalogue(root)["silver.clint"]


def test_all_contracts_load_quickly() -> None:
    """`plan` and `status` load every contract: in a new process that stays below 0.6 s of CPU."""
    assert len(contract_files(HOME)) >= 38
    started = time.process_time()
    load_catalogue(HOME)
    assert time.process_time() - started < 0.6
    heavy = "{'pyspark', 'jsonschema', 'sqlglot', 'great_expectations', 'duckdb', 'pyarrow'}"
    code = (
        "import sys; from contracts.load import load_catalogue; load_catalogue();"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOME.parent
    )
    assert done.stdout.strip() == "[]"


def test_the_dictionary_may_be_split_but_not_doubled(root: Path) -> None:
    """A field defined in two files is refused, so that a name keeps one meaning."""
    extra = root / "standards" / "fields"
    extra.mkdir()
    (extra / "more.yaml").write_text(
        "side: {type: string, title: S, title_zh: 边, description: Again.}", encoding="utf-8"
    )
    with pytest.raises(ContractInvalidError, match="defined in another file"):
        load_catalogue(root)
