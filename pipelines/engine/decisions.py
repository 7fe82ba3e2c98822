"""Stewards' decisions as inputs: from the ledger, and patches applied to a batch.

A decision is an input of the intervals it names: it is part of what makes them stale, and every
later run applies it again. What a decision *means* to the gate is ``quality.decisions``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from contracts.errors import TerminalError
from pipelines.engine.conform import LINEAGE, typed_sql
from pipelines.engine.rows import newest
from quality.outcome import EVERY_INTERVAL, Decision

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.model import Contract
    from pipelines.engine.rows import DecisionRow


class PatchColumnError(TerminalError):
    """Raised when a patch names a column the product does not have, or a technical one."""

    code: ClassVar[str] = "patch-column"

    def __init__(self, product: str, column: str, decision_id: str) -> None:
        self.column, self.decision_id = column, decision_id
        super().__init__(
            f"decision {decision_id} patches column {column!r}, which cannot be patched.",
            product=product,
            next_step="Revoke the decision and patch a business column of the contract.",
        )


def standing(rows: Iterable[DecisionRow]) -> tuple[Decision, ...]:
    """Return the decisions that stand: the last record of each id.

    Revoked ones are left out, and those that still wait for a second person.
    """
    return tuple(
        Decision(
            kind=row.kind,
            product=row.product,
            interval=row.interval or EVERY_INTERVAL,
            delivery_id=row.delivery_id,
            row_number=row.row_number,
            rule_id=row.rule_id,
            reason=row.reason,
            author=row.decided_by,
            approver=row.approved_by,
            expires=row.expires_on,
            patch=json.dumps({row.column: row.value}) if row.column else None,
            decided_at=row.decided_at,
            decision_id=row.decision_id,
        )
        for row in newest(rows)
        if row.in_force
    )


def of_product(
    decisions: Sequence[Decision], product: str, intervals: Iterable[str]
) -> tuple[Decision, ...]:
    """Return the decisions that can touch these intervals of the product, in a stable order."""
    wanted = {*intervals, EVERY_INTERVAL}
    return tuple(
        sorted(
            (d for d in decisions if d.product == product and d.interval in wanted),
            key=lambda d: d.decision_id,
        )
    )


def patched(df: DataFrame, contract: Contract, decisions: Sequence[Decision]) -> DataFrame:
    """Return ``df`` with the stewards' patches applied to the rows they name.

    The original stays in bronze; the patched row is judged like any other. A patched column is
    no longer listed in ``_unparsed``.
    """
    from pyspark.sql import functions as F

    patches = [d for d in decisions if d.kind == "patch" and d.patch and d.delivery_id]
    if not patches or not set(LINEAGE) <= set(df.columns):
        return df
    types = {column.name: column.type for column in contract.business_columns}
    for decision in patches:
        here = (F.col("_delivery_id") == F.lit(decision.delivery_id)) & (
            F.col("_row_number") == F.lit(decision.row_number)
        )
        for name, value in json.loads(str(decision.patch)).items():
            if name not in types:
                raise PatchColumnError(contract.product, name, decision.decision_id)
            text = F.lit(value).cast("string")
            df = df.withColumn("__patch", text)
            typed = F.expr(typed_sql("__patch", types[name])).cast(types[name])
            df = df.withColumn(name, F.when(here, typed).otherwise(F.col(name))).drop("__patch")
            if "_unparsed" in df.columns:
                rest = F.expr(
                    f"nullif(array_join(array_remove(split(_unparsed, ','), '{name}'), ','), '')"
                )
                df = df.withColumn("_unparsed", F.when(here, rest).otherwise(F.col("_unparsed")))
    return df
