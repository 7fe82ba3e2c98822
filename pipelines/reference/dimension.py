"""From a dimension's delivered changes to its published chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from contracts.compile.rules import row_checks
from contracts.model import Column
from pipelines.engine.conform import conform
from pipelines.engine.dimensions import CHAIN_COLUMNS, chains

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from contracts.catalogue import Catalogue
    from contracts.model import Contract
    from pipelines.engine.job import Inputs

ORDER_COLUMNS = (("change_type", "string"), ("_interval", "date"), ("_sequence", "int"))


def either(column: str, field: str) -> str:
    """SQL: the delivered column, or the field of the JSON record where the source is such a list.

    >>> either("exchange", "exchg")
    "if(record IS NULL, exchange, get_json_object(record, '$.exchg'))"
    """
    return f"if(record IS NULL, {column}, get_json_object(record, '$.{field}'))"


def dimension_rows(
    inputs: Inputs,
    source: str,
    expressions: Mapping[str, str] | None = None,
    *,
    where: str = "true",
    lists: str | None = None,
    others: Sequence[DataFrame] = (),
) -> DataFrame:
    """Every version of every key, from all delivered changes of ``source`` (a bronze product).

    A change that breaks a row rule of the contract by itself (unreadable text, an unknown code, a
    value out of range) enters no chain: the version before it continues, and the change is
    returned alone for quarantine. Rows of lists (which state no change) are additions: JSON
    records, or what the SQL boolean ``lists`` holds for. ``expressions`` are handed to
    ``conform``; ``where`` chooses delivered rows; ``others`` are changes made of other sources,
    with delivered columns (text) and those of lineage and order.
    """
    contract = inputs.contract
    frames = [inputs.read(source, "history").where(where)] if where != "false" else []
    frames += others
    delivered = frames[0]
    for other in frames[1:]:
        delivered = delivered.unionByName(other, allowMissingColumns=True)
    if len(frames) > 1:
        # Planned apart: an observed chain over a union is a plan that Spark 4.2's optimizer breaks
        # (RemoveRedundantAliases).
        delivered = delivered.localCheckpoint()
    stated = "upper(trim(change_type))"
    listed = lists or ("record IS NOT NULL" if "record" in delivered.columns else "false")
    delivered = delivered.withColumn(
        "change_type", F.expr(f"coalesce({stated}, if({listed}, 'A', '?'))")
    )
    changes = conform(delivered, _with_order(contract), expressions).withColumns(
        {"known_from": F.col("_interval"), "is_current": F.lit(False)}
    )
    key = [name for name in contract.key if name not in CHAIN_COLUMNS]
    attributes = [
        column.name
        for column in contract.business_columns
        if column.name not in CHAIN_COLUMNS and column.name not in key
    ]
    built = chains(changes, key=key, attributes=attributes, usable=usable_sql(inputs))
    return built.select(*[column.name for column in contract.columns])


def usable_sql(inputs: Inputs) -> str:
    """A SQL boolean: the change alone breaks no rule that would quarantine its version.

    Deletions carry no attributes to judge; rules about the chain itself are left to the gate.
    """
    contract = inputs.contract
    catalogue: Catalogue = inputs.catalogue  # type: ignore[assignment]  # wider in tests of plans
    broken = [
        f"({check.failing_sql})"
        for check in row_checks(contract, catalogue)
        if check.kind == "expr"
        and check.failing_sql is not None
        and check.rule.severity in ("critical", "error")
        and not check.rule.id.startswith(f"{contract.name}.chain.")
    ]
    return f"change_type = 'D' OR NOT ({' OR '.join(broken) or 'false'})"


def _with_order(contract: Contract) -> Contract:
    extra = tuple(
        Column(name=name, type=type_, title=name, title_zh=name, description="", technical=True)
        for name, type_ in ORDER_COLUMNS
    )
    return contract.model_copy(update={"columns": (*contract.columns, *extra)})
