"""The small estate's daily products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.engine.conform import as_of_join, conform
from pipelines.engine.job import Inputs, as_of, job, same

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job("silver.settle", version=1, inputs=(same("bronze.settle"),))
def settle(inputs: Inputs) -> DataFrame:
    """Settled lots per client, as delivered, typed."""
    return conform(inputs.read("bronze.settle"), inputs.contract)


@job("silver.order", version=1, inputs=(same("bronze.order"), as_of("silver.client")))
def order(inputs: Inputs) -> DataFrame:
    """Orders with the level that their client had on the date."""
    orders = conform(inputs.read("bronze.order"), inputs.contract).drop("level")
    joined = as_of_join(
        orders, inputs.read("silver.client"), ["client_id"], "trade_date", ["level"]
    )
    return joined.select(*[column.name for column in inputs.contract.columns])


@job("gold.order_day", version=1, inputs=(same("silver.order"),))
def order_day(inputs: Inputs) -> DataFrame:
    """Orders and lots per client and day."""
    inputs.read("silver.order").createOrReplaceTempView("estate_orders")
    return inputs.spark.sql(
        "SELECT trade_date, client_id, count(*) AS orders, sum(lots) AS lots"
        " FROM estate_orders GROUP BY trade_date, client_id"
    )
