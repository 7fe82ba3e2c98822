from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import duckdb
import pytest
import sqlglot

from contracts.catalogue import Catalogue, load_catalogue
from contracts.compile.duckdb import duckdb_type
from contracts.compile.rules import row_checks
from contracts.compile.spark import schema_json
from contracts.compile.suite import suite
from contracts.model import Contract
from contracts.sql_guard import view_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PREVIOUS = "_for_interval"


def _statements(contract: Contract, catalogue: Catalogue) -> dict[str, str]:
    """Every SQL a contract leads to, as SELECTs over ``batch`` and the views."""
    found = {
        f"{c.rule.id} failing": f"SELECT {c.failing_sql} FROM batch"
        for c in row_checks(contract, catalogue)
        if c.failing_sql
    }
    for e in suite(contract, catalogue).expectations:
        if e.helper_sql is not None:
            keys = e.helper_kind == "keys"
            sql = e.helper_sql if keys else f"SELECT {e.helper_sql} FROM batch"
            found[f"{e.rule_id} helper"] = sql
    for rule in contract.rules:
        if rule.kind == "reconcile":
            found[f"{rule.id} reconcile"] = str(rule.sql)
    return found


def _problems(
    make: Callable[[str, Contract, bool], None], run: Callable[[str], object]
) -> dict[str, str]:
    catalogue = load_catalogue()
    problems = {}
    for contract in catalogue.contracts.values():
        if contract.layer == "bronze":
            continue
        make("batch", contract, False)
        for read in {r.product: r for rule in contract.rules for r in rule.reads}.values():
            make(view_name(read.product), catalogue[read.product], read.how == "previous")
        for name, sql in _statements(contract, catalogue).items():
            try:
                run(sql)
            except Exception as error:  # any engine's own error type
                problems[name] = str(error).splitlines()[0]
    return problems


def test_duckdb_understands_every_rule() -> None:
    """All SQL that contracts lead to binds in DuckDB, the engine of small batches."""
    with duckdb.connect() as con:

        def make(name: str, contract: Contract, previous: bool) -> None:
            columns = [f'"{c.name}" {duckdb_type(c.type)}' for c in contract.columns]
            more = [f"{PREVIOUS} DATE"] if previous else []
            con.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join([*columns, *more])})")

        def run(sql: str) -> None:
            con.execute("EXPLAIN " + sqlglot.transpile(sql, read="spark", write="duckdb")[0])

        assert _problems(make, run) == {}


@pytest.mark.spark
def test_spark_understands_every_rule(spark: SparkSession) -> None:
    """All SQL that contracts lead to is analysed by Spark over the contracts' own schemas."""
    from pyspark.sql.types import DateType, StructType

    def make(name: str, contract: Contract, previous: bool) -> None:
        schema = StructType.fromJson(json.loads(schema_json(contract)))
        if previous:
            schema = schema.add(PREVIOUS, DateType())
        spark.createDataFrame([], schema).createOrReplaceTempView(name)

    # The schema forces analysis; no job runs.
    assert _problems(make, lambda sql: spark.sql(sql).schema) == {}
