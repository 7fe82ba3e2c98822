"""Running one job on small frames written as dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from contracts.catalogue import load_catalogue
from pipelines.engine.calendar import TradingCalendar
from pipelines.engine.job import Inputs, job_of
from pipelines.engine.local import local_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from contracts.model import Contract, Read

Rows = Sequence[Mapping[str, Any]]
RunJob = Callable[..., list[Any]]
_EXTRA = {"_sequence": "int"}
_PLAIN = {"int": int, "bigint": int, "string": str, "boolean": bool}


def frame(spark: SparkSession, contract: Contract, rows: Rows) -> DataFrame:
    """Rows of a product; columns left out are null, numbers may be written as text."""
    columns = {c.name: c.type for c in contract.columns}
    if contract.layer == "bronze":
        columns |= _EXTRA
    schema = ", ".join(f"`{name}` {type_}" for name, type_ in columns.items())
    unknown = {name for row in rows for name in row} - set(columns)
    assert not unknown, f"{contract.product} has no {unknown}"
    data = [tuple(_value(row.get(name), type_) for name, type_ in columns.items()) for row in rows]
    return local_frame(spark, data, schema)


def _value(value: Any, type_: str) -> Any:
    if value is None:
        return None
    if type_ == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if type_ == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value)
    if type_.startswith("decimal"):
        return Decimal(str(value))
    return _PLAIN[type_](value) if type_ in _PLAIN else value


@pytest.fixture(scope="session")
def run_job(spark: SparkSession) -> RunJob:
    """``run_job(function, {product: rows}, intervals)``: the job's rows, schema checked.

    The collected rows are of exactly the contract's columns and types, as the engine demands.
    """
    catalogue = load_catalogue()

    def run(
        function: Any, given: Mapping[str, Rows], intervals: Sequence[str] = ("2026-01-05",)
    ) -> list[Any]:
        declared = job_of(function)
        contract = catalogue[declared.product]

        def read(wanted: Read) -> DataFrame:
            if wanted.how == "previous":
                earlier = given.get(f"previous {wanted.product}", ())
                rows = frame(spark, catalogue[wanted.product], earlier)
                return rows.selectExpr("*", f"DATE'{intervals[0]}' AS _for_interval")
            rows = frame(spark, catalogue[wanted.product], given.get(wanted.product, ()))
            return rows.where("known_to IS NULL") if wanted.how == "as_of" else rows

        built = function(
            Inputs(
                spark=spark,
                intervals=tuple(intervals),
                contract=contract,
                catalogue=catalogue,
                calendar=TradingCalendar.default(),
                declared=declared.inputs,
                reader=read,
            )
        )
        assert built.dtypes == [(c.name, c.type) for c in contract.columns]
        return list(built.collect())

    return run
