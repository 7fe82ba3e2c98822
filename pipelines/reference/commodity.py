"""Commodities with their specifications, as they were valid and known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.job import Inputs, history, job
from pipelines.reference.dimension import dimension_rows, either

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_LISTED = {
    "exchange": "exchg",
    "name_zh": "name",
    "multiplier": "volscale",
    "tick_size": "pricetick",
}
"""Column -> field of a front end's commodity list (its records are JSON text)."""

_SESSION = "get_json_object(record, '$.session')"


@job("silver.commodity", version=1, inputs=(history("bronze.commodity"),))
def commodity(inputs: Inputs) -> DataFrame:
    """One row per version of a commodity; see ``dimension_rows``.

    Besides the exchange's own change files it reads a front end's list, kept by exchange and
    commodity: each is an addition valid from the list's own date, without margins and fees; the
    session code ``FN0230`` means a night session until 02:30. Other exchanges are left out.
    """
    expressions = {column: either(column, field) for column, field in _LISTED.items()}
    expressions |= {
        "commodity_id": "if(record IS NULL, commodity_id, substring_index(section, '.', -1))",
        "valid_from": "if(record IS NULL, valid_from, CAST(_interval AS STRING))",
        "night_session_end": (
            f"CASE WHEN record IS NULL THEN night_session_end WHEN {_SESSION} LIKE 'FN____'"
            f" THEN concat(substr({_SESSION}, 3, 2), ':', substr({_SESSION}, 5, 2)) END"
        ),
        "category": "if(record IS NULL, category, NULL)",
    }
    ours = "record IS NULL OR get_json_object(record, '$.exchg') IN ('SHFE', 'INE')"
    return dimension_rows(inputs, "bronze.commodity", expressions, where=ours)
