"""Contracts that change: what is added, widened, renamed, refused, and what readers see."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from pipelines.engine.evolve import evolve
from pipelines.engine.run import run
from pipelines.engine.stored import stored_columns
from tests.pipelines.engine.small_lake import D1, D2, NOW, SmallLake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
PRODUCT = "silver.settle"


def changed(lake: SmallLake, **updates: dict[str, Any]) -> SmallLake:
    """The lake with columns of silver.settle changed; a new name is a column more."""
    contract = lake.catalogue[PRODUCT]
    found = [c.model_copy(update=updates.pop(c.name, {})) for c in contract.columns]
    more = [contract.columns[0].model_copy(update={"name": n, "required": False, **u})
            for n, u in updates.items()]  # fmt: skip
    return lake.with_contract(
        contract.model_copy(update={"columns": (*found[:5], *more, *found[5:])})
    )


def lines(lake: SmallLake) -> list[tuple[str, str, str]]:
    """The plan's lines about the product's columns: what, which, and what is done."""
    stage = lake.lake.plan(lake.lake.request())[PRODUCT]
    return [(c.kind, c.column, c.how.split(":")[0]) for c in stage.schema_changes]


def failures(lake: SmallLake, *products: str, **how: Any) -> dict[str, str]:
    """Run; product -> the code of what broke."""
    made = lake.lake
    done = run(made.settings, lake=made, products=products or None, now=lambda: NOW, **how)
    return {f.product: getattr(f.error, "code", repr(f.error)) for f in done.failures}


@pytest.mark.parametrize("commit", ["held", "staged"])
def test_a_contract_may_gain_a_column(spark: SparkSession, lake: SmallLake, commit: str) -> None:
    """DESIGN, stale: a new schema version rebuilds; what is not rebuilt yet stays readable."""
    contract = lake.catalogue["silver.settle"]
    more = contract.columns[0].model_copy(update={"name": "memo", "type": "string"})
    grown = lake.with_contract(
        contract.model_copy(
            update={"columns": (*contract.columns[:2], more, *contract.columns[2:])}
        ),
        commit=commit,
    )
    (stage,) = [s for s in grown.lake.plan(grown.lake.request()) if s.product == "silver.settle"]
    assert [(c.kind, c.column, c.refused) for c in stage.schema_changes] == [
        ("added", "memo", False)
    ]
    first = (date(2026, 1, 5), date(2026, 1, 5))
    grown.run("silver.settle", dates=first)
    rows = grown.rows("silver.settle")
    assert [(r["end_lots"], r["memo"]) for r in rows] == [(238, None), (248, None)]
    grown.run("silver.settle")
    assert grown.run("silver.settle").idle
    assert grown.states()[f"silver.settle {D2}"] == "published"


def test_a_column_may_be_null_before_a_date(spark: SparkSession, lake: SmallLake) -> None:
    """Declared so, an added column leaves older intervals alone; building them anyway is equal."""
    since = {"type": "string", "null_before": date.fromisoformat(D2)}
    grown = changed(lake, memo=since)
    assert lines(grown) == [("added", "memo", f"null before {D2}, built from then on")]
    assert f"{PRODUCT} {D1}" not in grown.planned()
    assert grown.planned()[f"{PRODUCT} {D2}"] == ("will_run", {"schema"})
    grown.run()
    assert [r["memo"] for r in grown.rows(PRODUCT)] == [None, None]
    versions = grown.versions()
    grown.run(force=True)
    assert grown.versions() == versions, "invariant 3: nothing is committed"


def test_a_wider_type_rewrites_the_table_once(spark: SparkSession, lake: SmallLake) -> None:
    """The same rows in a wider type, by files that any reader follows; consumers wait for it.

    A kill between the rewrite and the first batch leaves nothing but stale intervals.
    """
    before = [(r["client_id"], r["lots"]) for r in lake.rows(PRODUCT)]
    wide = changed(lake, lots={"type": "decimal(21,0)"})
    assert lines(wide) == [("widened", "lots", "the table is rewritten once, then built again")]
    assert failures(wide, "silver.order", force=True) == {"silver.order": "schema-pending"}
    path = wide.lake.settings.table(PRODUCT)
    version = DeltaTable(str(path)).version()
    evolve(spark, wide.catalogue[PRODUCT], path)
    assert evolve(spark, wide.catalogue[PRODUCT], path) == (), "once"
    assert DeltaTable(str(path)).version() == version + 1
    assert [(r["client_id"], int(r["lots"])) for r in wide.rows(PRODUCT)] == before
    assert {i.split()[1] for i in wide.planned() if i.startswith(PRODUCT)} == {D1, D2}
    wide.run()
    assert wide.run().idle
    stored = dict(stored_columns(path) or ())
    assert stored["lots"] == "decimal(21,0)"
    assert [(r["client_id"], int(r["lots"])) for r in wide.rows(PRODUCT)] == before
    protocol = DeltaTable(str(path)).protocol()
    assert (protocol.min_reader_version, protocol.reader_features) == (1, None), "invariant 8"
    assert wide.states()[f"silver.order {D1}"] == "quarantine"


def test_a_rename_carries_the_values_over(spark: SparkSession, lake: SmallLake) -> None:
    """``renamedFrom`` moves a column's values to its new name, wider if it says so."""
    before = [r["end_lots"] for r in lake.rows(PRODUCT)]
    contract = lake.catalogue[PRODUCT]
    columns = tuple(
        c.model_copy(update={"name": "left_lots", "type": "decimal(21,0)",
                             "renamed_from": "end_lots"}) if c.name == "end_lots" else c
        for c in contract.columns
    )  # fmt: skip
    renamed = lake.with_contract(contract.model_copy(update={"columns": columns}))
    assert lines(renamed) == [
        ("renamed", "left_lots", "the table is rewritten once, then built again")
    ]
    evolve(spark, renamed.catalogue[PRODUCT], lake.lake.settings.table(PRODUCT))
    rows = renamed.rows(PRODUCT)
    assert [int(r["left_lots"]) for r in rows] == before
    assert "end_lots" not in rows[0]
    assert lines(renamed) == [("reordered", "*", "built again")] or not lines(renamed)


def test_what_would_lose_values_is_refused(spark: SparkSession, lake: SmallLake) -> None:
    """A narrower type or a column taken away: a clear error, and nothing is touched."""
    before = (lake.hash(PRODUCT), lake.versions())
    narrow = changed(lake, lots={"type": "int"})
    assert lines(narrow) == [("retyped", "lots", "refused")]
    assert failures(narrow) == {PRODUCT: "schema-change-refused"}
    reasons = " ".join(narrow.state(PRODUCT, D1).reasons)
    assert "lots is retyped (bigint -> int)" in reasons
    assert "silver.settle_v2" in reasons
    contract = lake.catalogue[PRODUCT]
    kept = tuple(c for c in contract.columns if c.name != "prev_lots")
    rules = tuple(r for r in contract.rules if "prev_lots" not in (*r.columns, r.sql or ""))
    less = lake.with_contract(contract.model_copy(update={"columns": kept, "rules": rules}))
    assert ("dropped", "prev_lots", "refused") in lines(less)
    assert (lake.hash(PRODUCT), lake.versions()) == before
