"""Rows of a daily delivery, typed, each bound to the interval it was delivered for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.model import Column
from pipelines.engine.conform import conform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from pipelines.engine.job import Inputs

_INTERVAL = Column(
    name="_interval", type="date", title="Interval", title_zh="区间", description="", technical=True
)


def delivered_rows(
    inputs: Inputs, source: str, expressions: Mapping[str, str] | None = None
) -> DataFrame:
    """The wanted intervals of bronze ``source`` with exactly the contract's columns.

    ``trade_date`` is the delivery's interval. A row that gives another date, or none, stays in its
    delivery's interval and has ``trade_date`` listed in ``_unparsed``: it is quarantined there
    instead of slipping into another day or getting lost.
    """
    contract = inputs.contract
    wanted = contract.model_copy(update={"columns": (*contract.columns, _INTERVAL)})
    typed = conform(inputs.read(source), wanted, expressions)
    columns = [column.name for column in contract.columns]
    # Lists are made for the few rows that need one.
    misdated = (
        "CASE WHEN trade_date <=> _interval THEN _unparsed"
        " WHEN _unparsed IS NULL THEN 'trade_date'"
        " ELSE array_join(array_distinct(concat(split(_unparsed, ','), array('trade_date'))), ',')"
        " END"
    )
    replaced = {"trade_date": "_interval", "_unparsed": misdated}
    return typed.selectExpr(
        *[f"{replaced[name]} AS `{name}`" if name in replaced else f"`{name}`" for name in columns]
    )
